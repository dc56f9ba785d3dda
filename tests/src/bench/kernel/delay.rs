//! How late kernel events are in user space, and whether any are lost, from a quiet port to a flood.

use std::time::Duration;

use anyhow::Result;

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
    let mut rows = Vec::new();
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
        let microseconds = |delays: &[Duration]| {
            let delays = delays.iter();
            delays.map(|delay| delay.as_secs_f64() * 1e6).collect()
        };
        let lost = f64::from(u32::try_from(seen.lost).unwrap_or(u32::MAX));
        let row = |measure, unit, goal, samples: Vec<f64>| {
            let goal = if step.goal { goal } else { Goal::Shown };
            let samples = [(Contestant::Failover, samples)];
            Row::new(step.name, measure, unit, goal, samples)
        };
        let wakeups = [(Contestant::Nobody, microseconds(&seen.wakeups))];
        let delay = match step.place {
            Place::Anywhere => "stamp to user space",
            Place::Apart => "stamp to user space, idle processor",
            Place::Together => "stamp to user space, same processor",
        };
        rows.extend([
            row("connections", "1/s", Goal::Shown, vec![seen.rate]),
            row("events lost", "", Goal::Most(0.0), vec![lost]),
            row(
                delay,
                "µs",
                Goal::MedianAnd99(50.0, 1000.0),
                microseconds(&seen.delays),
            )
            .with_tail(),
            Row::new(
                step.name,
                "a sleeper's wake-up meanwhile",
                "µs",
                Goal::Shown,
                wakeups,
            )
            .with_tail(),
        ]);
    }
    Ok(rows)
}
