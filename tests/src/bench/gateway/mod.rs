//! The benchmark of a takeover by the real OpenClaw, kept ready in each way, beside what people do by hand: from the
//! third strike to serving. On one machine with a real systemd, through OpenClaw's own user unit and the daemon's.

mod outcome;
mod serving;
mod site;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;

use super::progress;
use outcome::Outcome;
use site::Site;

/// `failover-lab bench gateway`
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Takeovers of each mode
    #[arg(long, default_value = "3", value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// How long a hot gateway has been parked at the third strike, at least
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = crate::duration)]
    parked_for: Duration,
    /// Measure only these
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    only: Vec<Mode>,
}

/// How the gateway is started.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    /// By a shell at the third strike, with nobody's help
    Plain,
    /// By the daemon at the third strike
    Cold,
    /// The same, with the page cache dropped before
    ColdDroppedCache,
    /// At the first strike, parked at its bind
    Warm,
    /// Long before, parked at its bind
    Hot,
}

impl Mode {
    const ALL: [Self; 5] = [
        Self::Plain,
        Self::Cold,
        Self::ColdDroppedCache,
        Self::Warm,
        Self::Hot,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Cold => "cold",
            Self::ColdDroppedCache => "cold-dropped-cache",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }
}

pub(super) fn run(options: &Options, failover: &Path) -> Result<ExitCode> {
    let site = Site::new(failover)?;
    let mut outcomes = Vec::new();
    for mode in Mode::ALL {
        if !options.only.is_empty() && !options.only.contains(&mode) {
            continue;
        }
        progress(&format!("{} takeovers, {}", options.samples, mode.name()));
        let stand_by = site.prepare(mode)?;
        let mut samples = Vec::new();
        for _ in 0..options.samples {
            let sample = site.take_over(mode, options.parked_for)?;
            progress(&format!("{}: {sample}", mode.name()));
            samples.push(sample);
        }
        outcomes.extend(Outcome::of(mode, &samples, stand_by));
    }
    outcome::publish(&outcomes, options.parked_for, options.json.as_deref())
}
