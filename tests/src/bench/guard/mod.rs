//! The benchmark of PC-A's guard: how long nobody serves, and how long two do, beside keepalived on both hosts and the
//! plain shell loop. Everything is seen from outside: by a client on a third host, and by who has the port or the
//! address.

mod disturbed;
mod failover;
mod keepalived;
mod observer;
mod outcome;
mod shell_loop;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Result;
use serde::Serialize;

use super::progress;
use crate::duration;
use outcome::{Outcome, Sample};

/// `failover-lab bench guard`
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// Write the figures here, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Events of each kind for each; the loop has one of each, side by side
    #[arg(long, default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    samples: u32,
    /// Measure only these
    #[arg(long, value_name = "WHO", value_delimiter = ',')]
    only: Vec<Who>,
    /// Only count hosts that are taken for lost while they aren't, disturbed like this
    #[arg(long, value_name = "HOW")]
    disturbed: Option<Disturbance>,
    /// How long they are disturbed
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    disturbed_for: Duration,
}

/// Who takes over.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Who {
    /// With a guard on PC-A and a parked gateway
    Failover,
    /// On both hosts, with a gateway on each that runs already
    Keepalived,
    /// Every 30 s, at the third strike
    Loop,
}

impl Who {
    const ALL: [Self; 3] = [Self::Failover, Self::Keepalived, Self::Loop];

    const fn name(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Keepalived => "keepalived",
            Self::Loop => "loop",
        }
    }
}

/// What happens to PC-A.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Event {
    /// Its cable is cut, and all that ran there ends.
    HostLoss,
    /// Its gateway is killed, and nothing starts it again.
    Killed,
    /// An operator moves the service.
    Switchover,
    /// Its gateway is started again.
    Return,
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::HostLoss => "host-loss",
            Self::Killed => "killed",
            Self::Switchover => "switchover",
            Self::Return => "return",
        }
    }
}

/// What keeps a guard from being heard, although its host is well.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Eq, PartialEq)]
enum Disturbance {
    /// Eight busy loops on the machine that all hosts share
    Load,
}

pub(super) fn run(options: &Options, failover: &Path) -> Result<ExitCode> {
    if let Some(disturbance) = options.disturbed {
        return disturbed::run(disturbance, options.disturbed_for, failover);
    }
    let mut outcomes = Vec::new();
    let mut idle = None;
    for who in Who::ALL {
        if !options.only.is_empty() && !options.only.contains(&who) {
            continue;
        }
        progress(&format!(
            "{} of each event, {}",
            options.samples,
            who.name()
        ));
        let samples = match who {
            Who::Failover => {
                let (samples, used) = failover::measure(options.samples, failover)?;
                idle = Some(used);
                samples
            }
            Who::Keepalived => keepalived::measure(options.samples)?,
            Who::Loop => shell_loop::measure()?,
        };
        for event in [
            Event::HostLoss,
            Event::Killed,
            Event::Switchover,
            Event::Return,
        ] {
            let of_event: Vec<Sample> = samples
                .iter()
                .filter(|sample| sample.event == event)
                .copied()
                .collect();
            outcomes.extend(Outcome::of(who, event, &of_event));
        }
    }
    outcome::publish(&outcomes, idle, options.json.as_deref())
}
