//! Connections at full speed, with the kernel program and without, by turns: what everybody else on
//! the machine pays for it.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, thread};

use anyhow::Result;

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

pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 2]> {
    Ok([
        Row::new(
            "no pause",
            "a connection on another port",
            "µs",
            Goal::PercentMore(1.0),
            samples(rounds * PAIRS, OTHER, failover)?,
        ),
        Row::new(
            "no pause",
            "a connection on the port",
            "µs",
            Goal::Shown,
            samples(rounds * PAIRS, WATCHED, failover)?,
        ),
    ])
}

fn samples(pairs: u32, port: u16, failover: &Path) -> Result<BTreeMap<Contestant, Vec<f64>>> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = u8::try_from(threads).unwrap_or(u8::MAX);
    let mut samples: BTreeMap<Contestant, Vec<f64>> = BTreeMap::new();
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
            let rate = host.enter("throughput", || {
                load(CONNECTIONS / 10).run()?;
                let load = load(CONNECTIONS);
                anyhow::Ok(load.reached(load.run()?))
            })?;
            samples.entry(contestant).or_default().push(1e6 / rate);
        }
    }
    Ok(samples)
}
