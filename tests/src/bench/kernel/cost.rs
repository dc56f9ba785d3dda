//! Run time of the kernel program for each event, beside bpftrace and tcpstates.
//!
//! On other ports this is mostly the two readings of the clock that measure it, as an empty program
//! shows, and leaves out what differs most: the kernel fills a record before bpftrace's program is
//! called. What an event costs in all, and who is better there, is in `added`.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result};
use aya::sys::{Stats, enable_stats};

use super::{OTHER, WATCHED, watcher::Watcher};
use crate::{
    bench::{
        load::Load,
        report::{Contestant, Goal, Row},
    },
    lab::Lab,
};

/// Connections that are counted in each round, after some that are not.
const CONNECTIONS: u32 = 3000;
const WARMING: u32 = 300;
const CONTESTANTS: [Contestant; 4] = [
    Contestant::Bpftrace,
    Contestant::Tcpstates,
    Contestant::Empty,
    Contestant::Failover,
];

/// One after the other, in each of the rounds: two at a time would wait for each other.
pub(super) fn rows(rounds: u32, failover: &Path) -> Result<[Row; 2]> {
    // The kernel counts as long as this is open, however this ends.
    let _counting = enable_stats(Stats::RunTime)
        .context("having the kernel count run times; it takes Linux 5.8 and root")?;
    let mut matching: BTreeMap<Contestant, Vec<f64>> = BTreeMap::new();
    let mut others = matching.clone();
    for _ in 0..rounds {
        for contestant in CONTESTANTS {
            let lab = Lab::build()?;
            let watcher = Watcher::start(contestant, &lab, failover)?;
            let cost = |port| {
                let load = |connections| Load {
                    port,
                    connections,
                    rate: None,
                    threads: 1,
                };
                lab.host_b().enter("cost", || {
                    load(WARMING).run()?;
                    watcher.cost(|| load(CONNECTIONS).run().map(drop))
                })
            };
            let note = |costs: &mut BTreeMap<Contestant, Vec<f64>>, port| {
                let cost = cost(port).with_context(|| contestant.name())?;
                costs.entry(contestant).or_default().push(cost);
                anyhow::Ok(())
            };
            note(&mut matching, WATCHED)?;
            note(&mut others, OTHER)?;
        }
    }
    Ok([
        Row::new(
            "",
            "run time: event on the port",
            "ns",
            Goal::MedianAndPeers(1000.0),
            matching,
        ),
        Row::new(
            "",
            "run time: event on another port",
            "ns",
            Goal::Median(150.0),
            others,
        ),
    ])
}
