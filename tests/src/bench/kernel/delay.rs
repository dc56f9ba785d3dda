//! How late kernel events are in user space, and whether any are lost, from a quiet port to a flood.

use std::{
    io::{self, Read as _, Write as _},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};

use super::WATCHED;
use crate::bench::{
    latency::{self, Place},
    load::Load,
    report::{Contestant, Goal, Row},
};

/// A rate and how long it is kept up.
struct Step {
    name: &'static str,
    rate: u32,
    seconds: u32,
    threads: u8,
    place: Place,
    /// Else it is only shown.
    goal: bool,
}

const STEPS: [Step; 4] = [
    Step {
        name: "100/s",
        rate: 100,
        seconds: 10,
        threads: 1,
        place: Place::Apart,
        goal: true,
    },
    Step {
        name: "100/s",
        rate: 100,
        seconds: 10,
        threads: 1,
        place: Place::Together,
        goal: false,
    },
    Step {
        name: "5000/s",
        rate: 5000,
        seconds: 5,
        threads: 2,
        place: Place::Anywhere,
        goal: true,
    },
    Step {
        name: "20000/s",
        rate: 20_000,
        seconds: 3,
        threads: 4,
        place: Place::Anywhere,
        goal: false,
    },
];

pub(super) fn rows(progress: impl Fn(&str)) -> Result<Vec<Row>> {
    progress("how long the machine takes to wake anybody");
    let wakeups = [(Contestant::Nobody, wakeups(1000)?)];
    let mut rows =
        vec![Row::new("100/s", "any sleeper's wake-up", "µs", Goal::Shown, wakeups).with_tail()];
    for step in STEPS {
        progress(&format!(
            "delays at {} connections a second for {} s",
            step.rate, step.seconds
        ));
        let load = Load {
            port: WATCHED,
            connections: step.rate * step.seconds,
            rate: Some(step.rate),
            threads: step.threads,
        };
        let seen = latency::run(load, step.place)?;
        let delays: Vec<f64> = seen
            .delays
            .iter()
            .map(|delay| delay.as_secs_f64() * 1e6)
            .collect();
        let lost = f64::from(u32::try_from(seen.lost).unwrap_or(u32::MAX));
        let row = |measure, unit, goal, samples| {
            let goal = if step.goal { goal } else { Goal::Shown };
            let samples = [(Contestant::Failover, samples)];
            Row::new(step.name, measure, unit, goal, samples)
        };
        let delay = match step.place {
            Place::Anywhere => "stamp to user space",
            Place::Apart => "stamp to user space, idle processor",
            Place::Together => "stamp to user space, same processor",
        };
        rows.extend([
            row("connections", "1/s", Goal::Shown, vec![seen.rate]),
            row("events lost", "", Goal::Most(0.0), vec![lost]),
            row(delay, "µs", Goal::MedianAnd99(50.0, 1000.0), delays).with_tail(),
        ]);
    }
    Ok(rows)
}

/// From one thread's write to the end of another's read, for so many that are 10 ms apart: sooner
/// than this the machine wakes nobody.
fn wakeups(count: u32) -> Result<Vec<f64>> {
    let (mut reader, mut writer) = io::pipe().context("making a pipe")?;
    let began = Instant::now();
    thread::scope(|scope| {
        let sleeper = scope.spawn(move || {
            let mut number = [0; 8];
            let mut delays = Vec::new();
            for _ in 0..count {
                reader.read_exact(&mut number)?;
                // The number is the time at which it was written.
                let written = Duration::from_nanos(u64::from_ne_bytes(number));
                let delay = began.elapsed().saturating_sub(written);
                delays.push(delay.as_secs_f64() * 1e6);
            }
            io::Result::Ok(delays)
        });
        for _ in 0..count {
            thread::sleep(Duration::from_millis(10));
            let now = u64::try_from(began.elapsed().as_nanos()).context("too long")?;
            writer.write_all(&now.to_ne_bytes()).context("waking")?;
        }
        let delays = sleeper.join();
        delays
            .map_err(|_| anyhow!("the sleeper panicked"))?
            .context("being woken")
    })
}
