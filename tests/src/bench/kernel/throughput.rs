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

/// A tenth of a second: in one lab, other work on the machine is much the same for all.
const CONNECTIONS: u32 = 3000;
/// Labs in each round. With 100 in all, what is told of a machine that has other things to do differs
/// by a few tenths of a percent from one run to the next.
const LABS: u32 = 20;
/// Labs in each round for what is only shown.
const FEW: u32 = 5;
/// Whether it is watched. In this order what changes steadily, such as the number of connections that
/// linger, adds the same to both.
const TURNS: [bool; 4] = [false, true, true, false];

/// By contestant.
type Samples = BTreeMap<Contestant, Vec<f64>>;

/// CPU time of those who connect, and time that passed. A machine at its limit makes as many
/// connections as it has CPU time for, and other work on it disturbs that figure less.
#[derive(Default)]
struct Measured {
    /// Microseconds a connection.
    used: Samples,
    passed: Samples,
    /// What the contestant adds to the CPU time in the same lab, in percent.
    added: Samples,
}

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 4]> {
    let mut other = Measured::default();
    for _ in 0..rounds {
        for (contestant, labs) in [
            (Contestant::Bpftrace, FEW),
            (Contestant::Tcpstates, FEW),
            (Contestant::Failover, LABS),
        ] {
            other.measure(contestant, labs, OTHER, failover)?;
        }
    }
    let mut watched = Measured::default();
    watched.measure(Contestant::Failover, rounds * FEW, WATCHED, failover)?;
    let row = |measure, samples| Row::new("no pause", measure, "µs", Goal::Shown, samples);
    Ok([
        // All that an event costs, and not only the program's own part.
        Row::new(
            "no pause",
            "CPU added to a connection, other port",
            "%",
            Goal::Median(1.0),
            other.added,
        ),
        row("CPU of a connection, other port", other.used),
        row("time of a connection, other port", other.passed),
        row("time of a connection, the port", watched.passed),
    ])
}

impl Measured {
    fn measure(
        &mut self,
        contestant: Contestant,
        labs: u32,
        port: u16,
        failover: &Path,
    ) -> Result<()> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = u8::try_from(threads).unwrap_or(u8::MAX);
        let load = |connections| Load {
            port,
            connections,
            rate: None,
            threads,
        };
        for _ in 0..labs {
            // A new one each time: closed connections linger for a minute.
            let lab = Lab::build()?;
            let host = lab.host_b();
            host.enter("throughput", || load(CONNECTIONS / 4).run())?;
            let mut with = Total::default();
            let mut without = Total::default();
            let mut watcher = None;
            for watched in TURNS {
                watcher = match watched {
                    false => None,
                    true if watcher.is_some() => watcher,
                    true => Some(Watcher::start(contestant, host, failover)?),
                };
                let total = if watched { &mut with } else { &mut without };
                host.enter("throughput", || {
                    let before = cpu_time();
                    total.passed += load(CONNECTIONS).run()?;
                    total.used += cpu_time().saturating_sub(before);
                    anyhow::Ok(())
                })?;
            }
            for (contestant, total) in [(contestant, with), (Contestant::Nobody, without)] {
                for (samples, time) in [
                    (&mut self.used, total.used),
                    (&mut self.passed, total.passed),
                ] {
                    let each = time.as_secs_f64() * 1e6 / f64::from(2 * CONNECTIONS);
                    samples.entry(contestant).or_default().push(each);
                }
            }
            let added = with.used.as_secs_f64() / without.used.as_secs_f64() - 1.0;
            let samples = self.added.entry(contestant).or_default();
            samples.push(added * 100.0);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Default)]
struct Total {
    used: Duration,
    passed: Duration,
}

/// Of this process, whose threads connect; loopback's softirqs run in their system calls.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
