//! The benchmark of the kernel side: what the program costs the machine, beside the tools that people
//! would use for the same, and how soon user space hears of an event.

mod added;
mod cost;
mod delay;
mod empty;
mod start;
mod throughput;
mod watcher;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;

use super::{progress, report::Report};

/// Not the gateways' port: bpftrace and tcpstates see every namespace, and so every lab.
const WATCHED: u16 = 18_787;
const OTHER: u16 = 18_786;

/// `failover-lab bench kernel`
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How often everything that varies is measured
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure only these
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
}

/// What is measured.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// Run time for each event
    Cost,
    /// CPU time added to what others do
    Added,
    /// From the kernel's time stamp to user space
    Delay,
    /// Connections with the program and without
    Throughput,
    /// Start and memory
    Start,
}

pub(super) fn run(options: &Options, failover: &Path) -> Result<ExitCode> {
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let mut rows = Vec::new();
    if wanted(Part::Cost) {
        progress("run times, beside bpftrace and tcpstates");
        rows.extend(cost::rows(options.rounds, failover)?);
    }
    if wanted(Part::Added) {
        progress("CPU time that others pay");
        rows.extend(added::rows(options.rounds, failover)?);
    }
    if wanted(Part::Delay) {
        rows.extend(delay::rows(progress)?);
    }
    if wanted(Part::Throughput) {
        progress("connections at full speed, with the kernel program and without");
        rows.extend(throughput::rows(options.rounds, failover)?);
    }
    if wanted(Part::Start) {
        progress("starts and memory");
        rows.extend(start::rows(options.rounds, failover)?);
    }
    Report::new(None, rows).publish(options.json.as_deref())
}
