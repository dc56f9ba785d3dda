//! Connections at full speed, with the kernel program and without, by turns: what everybody else on
//! the machine pays for it.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, thread, time::Duration};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

use super::{OTHER, WATCHED, watcher::Watcher};
use crate::{
    bench::{
        load::Load,
        report::{Contestant, Goal, Row},
    },
    lab::Lab,
};

/// A quarter of a second: other work on the machine is spread over both.
const CONNECTIONS: u32 = 6000;
/// Pairs of measurements in each round.
const PAIRS: u32 = 8;

/// By contestant: microseconds a connection.
type Samples = BTreeMap<Contestant, Vec<f64>>;

/// Time that passed, and CPU time of those who connect. A machine at its limit makes as many
/// connections as it has CPU time for, and other work on it disturbs that figure less.
#[derive(Default)]
struct Measured {
    passed: Samples,
    used: Samples,
}

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 3]> {
    let other = measure(rounds * PAIRS, OTHER, failover)?;
    let watched = measure(rounds * PAIRS, WATCHED, failover)?;
    let row = |measure, goal, samples| Row::new("no pause", measure, "µs", goal, samples);
    Ok([
        row(
            "CPU of a connection, other port",
            Goal::PercentMore(1.0),
            other.used,
        ),
        row(
            "time of a connection, other port",
            Goal::Shown,
            other.passed,
        ),
        row(
            "time of a connection, the port",
            Goal::Shown,
            watched.passed,
        ),
    ])
}

fn measure(pairs: u32, port: u16, failover: &Path) -> Result<Measured> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = u8::try_from(threads).unwrap_or(u8::MAX);
    let mut measured = Measured::default();
    for _ in 0..pairs {
        for contestant in [Contestant::Nobody, Contestant::Failover] {
            // A new one each time: closed connections linger for a minute.
            let lab = Lab::build()?;
            let host = lab.host_b();
            let _watcher = match contestant {
                Contestant::Nobody => None,
                _ => Some(Watcher::start(contestant, host, failover)?),
            };
            let load = |connections| Load {
                port,
                connections,
                rate: None,
                threads,
            };
            let (passed, used) = host.enter("throughput", || {
                load(CONNECTIONS / 10).run()?;
                let before = cpu_time();
                let passed = load(CONNECTIONS).run()?;
                anyhow::Ok((passed, cpu_time().saturating_sub(before)))
            })?;
            for (samples, time) in [(&mut measured.passed, passed), (&mut measured.used, used)] {
                let each = time.as_secs_f64() * 1e6 / f64::from(CONNECTIONS);
                samples.entry(contestant).or_default().push(each);
            }
        }
    }
    Ok(measured)
}

/// Of this process, whose threads connect; loopback's softirqs run in their system calls.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
