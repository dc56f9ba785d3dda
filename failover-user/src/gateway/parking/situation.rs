//! What there is of a parked gateway. Pure data, for the daemon and for people.

use std::{fmt, path::PathBuf, time::Duration};

use failover_decide::Time;
use failover_linux::{escape, process::ProcessKey};
use serde::Serialize;
use thiserror::Error;

/// What a look found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Situation {
    /// Nothing is parked, and nothing is left of it.
    Absent,
    /// A command is parking it.
    Parking {
        /// Since when.
        since: Time,
    },
    /// It is parked.
    Parked(Parked),
    /// It was continued: it serves, or is about to. What held it may still be in place.
    Continuing,
    /// It can't be relied on, and has to be discarded.
    Broken(Broken),
}

/// A parked gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parked {
    /// When it became so.
    pub since: Time,
    /// How long that took, from the command's beginning.
    pub took: Duration,
    /// Its main process.
    pub process: ProcessKey,
    /// Packets that its control group sent before the bind, where they were counted.
    pub sent: Option<u64>,
    /// Bytes of memory of its control group, where the kernel counts them.
    pub memory: Option<u64>,
    /// Something that it has read has changed since: it would serve what was there before.
    pub outdated: Option<PathBuf>,
}

/// What is wrong with a parked gateway.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Broken {
    /// The command that was parking it has ended before it was done.
    #[error("parking was interrupted")]
    Interrupted,
    /// Its process has ended.
    #[error("its process has ended")]
    Gone,
    /// Somebody sent it SIGCONT: it waits in the frozen group, and would listen after the thaw.
    #[error("its process isn't stopped any longer: another program sent it SIGCONT")]
    Continued,
    /// Somebody thawed its control group.
    #[error("its control group isn't frozen any longer: another program thawed it")]
    Thawed,
    /// Its socket isn't bound any longer.
    #[error("its socket isn't bound any longer")]
    Unbound,
    /// It listens.
    #[error("it listens, though it wasn't continued")]
    Listening,
    /// The kernel program isn't there, so a restart of the unit wouldn't be stopped.
    #[error("the kernel program that stops it was removed")]
    Unguarded,
    /// It is of another unit than the one that is configured now.
    #[error("it is of {0}, which isn't the configured unit")]
    OfAnotherUnit(String),
    /// It is of an earlier start of the machine.
    #[error("the machine was restarted since")]
    Stale,
    /// What it is can't be read.
    #[error("{0}")]
    Unreadable(String),
}

/// The same for tools.
#[derive(Serialize)]
struct Told<'situation> {
    situation: &'static str,
    reason: Option<String>,
    pid: Option<u32>,
    since: Option<String>,
    took_ms: Option<u128>,
    packets_sent: Option<u64>,
    memory_bytes: Option<u64>,
    outdated: Option<&'situation PathBuf>,
}

impl Situation {
    /// One word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Parking { .. } => "parking",
            Self::Parked(_) => "parked",
            Self::Continuing => "continuing",
            Self::Broken(_) => "broken",
        }
    }

    /// As a JSON object, in one line.
    ///
    /// # Errors
    /// Never, as far as serde knows.
    pub fn json(&self) -> serde_json::Result<String> {
        let mut told = Told {
            situation: self.name(),
            reason: None,
            pid: None,
            since: None,
            took_ms: None,
            packets_sent: None,
            memory_bytes: None,
            outdated: None,
        };
        match self {
            Self::Absent | Self::Continuing => {}
            Self::Parking { since } => told.since = Some(failover_linux::clock::rfc3339(*since)),
            Self::Parked(parked) => {
                told.pid = Some(parked.process.pid);
                told.since = Some(failover_linux::clock::rfc3339(parked.since));
                told.took_ms = Some(parked.took.as_millis());
                told.packets_sent = parked.sent;
                told.memory_bytes = parked.memory;
                told.outdated = parked.outdated.as_ref();
            }
            Self::Broken(broken) => told.reason = Some(broken.to_string()),
        }
        serde_json::to_string(&told)
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self {
            Self::Absent | Self::Continuing => Ok(()),
            Self::Parking { since } => {
                write!(
                    formatter,
                    " since {}",
                    failover_linux::clock::rfc3339(*since)
                )
            }
            Self::Parked(parked) => {
                let since = failover_linux::clock::rfc3339(parked.since);
                write!(
                    formatter,
                    " since {since}, pid {}, after {:.1} s",
                    parked.process.pid,
                    parked.took.as_secs_f64()
                )?;
                if let Some(sent) = parked.sent {
                    write!(formatter, ", {sent} packets sent before the bind")?;
                }
                if let Some(memory) = parked.memory {
                    write!(formatter, ", {} MB of memory", memory / 1_000_000)?;
                }
                match &parked.outdated {
                    Some(path) => write!(
                        formatter,
                        ", outdated: {} has changed",
                        escape::one_line(&path.to_string_lossy())
                    ),
                    None => Ok(()),
                }
            }
            Self::Broken(broken) => write!(formatter, ": {broken}"),
        }
    }
}
