//! The benchmark of what it costs to have PC-A's state on PC-B: failover's rounds beside OpenClaw's own backup, plain
//! rsync of a stopped tree, and Litestream. On two hosts with the real OpenClaw and a model in place of a real one.

mod litestream;
mod outcome;
mod site;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use serde::Serialize;

use super::progress;
use outcome::Outcome;
use site::{Sample, Site};

/// `failover-lab bench sync`
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Idle rounds, and turns, of each way that needs no stop
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Size of the databases at least, in megabytes
    #[arg(long, value_name = "MB", default_value = "20")]
    state: u64,
    /// Measure only these
    #[arg(long, value_name = "WAY", value_delimiter = ',')]
    only: Vec<Way>,
    /// Litestream's program; without it, it isn't measured
    #[arg(long, value_name = "FILE")]
    litestream: Option<PathBuf>,
}

/// How the state is copied.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Way {
    /// A round of the worker, as the daemon runs it
    Failover,
    /// `openclaw backup create`, and the archive through ssh
    OpenclawBackup,
    /// Plain rsync through ssh, with the gateway stopped
    RsyncStopped,
    /// Litestream, to an SFTP server on PC-B: databases only
    Litestream,
}

impl Way {
    /// Litestream leaves tables of its own behind, so it is the last.
    const ALL: [Self; 4] = [
        Self::Failover,
        Self::OpenclawBackup,
        Self::RsyncStopped,
        Self::Litestream,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::OpenclawBackup => "openclaw-backup",
            Self::RsyncStopped => "rsync-stopped",
            Self::Litestream => "litestream",
        }
    }
}

/// What is different from the round before.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Round {
    /// All: nothing was there.
    First,
    /// The gateway's lease.
    Idle,
    /// A message and its answer.
    Turn,
}

impl Round {
    const fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Idle => "idle",
            Self::Turn => "turn",
        }
    }
}

pub(super) fn run(options: &Options, failover: &Path) -> Result<ExitCode> {
    let mut site = Site::new(failover, options.state)?;
    let mut outcomes = Vec::new();
    for way in Way::ALL {
        if !options.only.is_empty() && !options.only.contains(&way) {
            continue;
        }
        let mut add = |round: Round, samples: &[Sample]| {
            for sample in samples {
                progress(&format!("{}, {}: {sample}", way.name(), round.name()));
            }
            outcomes.extend(Outcome::of(way, round, samples));
        };
        match (way, &options.litestream) {
            (Way::Litestream, None) => progress("no Litestream: it isn't there"),
            (Way::Litestream, Some(program)) => {
                let [first, idle, turn] = litestream::measure(&site, program)?;
                add(Round::First, &[first]);
                add(Round::Idle, &[idle]);
                add(Round::Turn, &[turn]);
            }
            (Way::RsyncStopped, _) => {
                // Each takes a stop and a start.
                for round in [Round::First, Round::Idle, Round::Turn] {
                    site.bring_about(round);
                    add(round, &[site.copied_while_stopped()?]);
                }
            }
            (Way::Failover | Way::OpenclawBackup, _) => {
                add(Round::First, &[site.copied(way)?]);
                for round in [Round::Idle, Round::Turn] {
                    let mut samples = Vec::new();
                    for _ in 0..options.samples {
                        site.bring_about(round);
                        samples.push(site.copied(way)?);
                    }
                    add(round, &samples);
                }
            }
        }
    }
    outcome::publish(&outcomes, options.json.as_deref())
}
