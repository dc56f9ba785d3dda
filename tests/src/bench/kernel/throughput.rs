//! Connections at full speed on all processors, with the kernel program and without, by turns. Whatever
//! else the machine does shows here too; `added` tells what the program does to it.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, thread, time::Duration};

use anyhow::Result;

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
/// Labs in each round.
const LABS: u32 = 3;
/// Whether it is watched. In this order what changes steadily, such as the number of connections that
/// linger, adds the same to both.
const TURNS: [bool; 4] = [false, true, true, false];

/// By contestant.
type Samples = BTreeMap<Contestant, Vec<f64>>;

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 2]> {
    let mut other = Samples::new();
    for _ in 0..rounds * LABS {
        for contestant in [
            Contestant::Bpftrace,
            Contestant::Tcpstates,
            Contestant::Failover,
        ] {
            measure(&mut other, contestant, OTHER, failover)?;
        }
    }
    let mut watched = Samples::new();
    for _ in 0..rounds * LABS {
        measure(&mut watched, Contestant::Failover, WATCHED, failover)?;
    }
    let row = |measure, samples| {
        Row::new("no pause", measure, "µs", Goal::Shown, samples).with_interval()
    };
    Ok([
        row("time of a connection, other port", other),
        row("time of a connection, the port", watched),
    ])
}

fn measure(
    samples: &mut Samples,
    contestant: Contestant,
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
    // A new one each time: closed connections linger for a minute.
    let lab = Lab::build()?;
    let host = lab.host_b();
    host.enter("throughput", || load(CONNECTIONS / 4).run())?;
    let (mut with, mut without) = (Duration::ZERO, Duration::ZERO);
    let mut watcher = None;
    for watched in TURNS {
        watcher = match watched {
            false => None,
            true if watcher.is_some() => watcher,
            true => Some(Watcher::start(contestant, &lab, failover)?),
        };
        let took = host.enter("throughput", || load(CONNECTIONS).run())?;
        match watched {
            true => with += took,
            false => without += took,
        }
    }
    for (contestant, time) in [(contestant, with), (Contestant::Nobody, without)] {
        let each = time.as_secs_f64() * 1e6 / f64::from(2 * CONNECTIONS);
        samples.entry(contestant).or_default().push(each);
    }
    Ok(())
}
