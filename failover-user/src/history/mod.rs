//! What happened: every incident with its reason, evidence and durations, one JSON object a line in the
//! state directory. Here it is data, the files that it is in, and text for people. It must not know of
//! the daemon: `failover history` reads the files without one.

pub(crate) mod incident;
pub(crate) mod ledger;
pub(crate) mod recorder;

mod file;
mod since;
mod text;

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use failover_linux::clock;

pub(crate) use file::HISTORY;
pub use file::{History, read};
pub use since::{Since, SinceError};

/// Version of the lines. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// All that is known of an incident so far. The last line of an incident is the one that counts.
    Incident(Box<Incident>),
    /// An operator's order that was followed.
    Order(Order),
    /// A daemon began or ended.
    Daemon(Daemon),
}

/// An operator's order that was followed, in an incident or in peace.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// [`VERSION`].
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// What was typed: `pause`, `resume`, `takeover`, `takeover --force` or `release`.
    pub order: String,
    /// Who: `root`, or `user` and a number.
    pub by: String,
    /// Until when a pause lasts, or a release holds, where that was said.
    pub until: Option<Timestamp>,
    /// Why, as the operator said.
    pub reason: Option<String>,
}

/// A daemon began or ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Daemon {
    /// [`VERSION`].
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// Its process number.
    pub pid: u32,
    /// Version of the program.
    pub program: String,
    /// It began, or else it ended in good order.
    pub began: bool,
}

/// From the moment the daemon left standby until it was there again.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Incident {
    /// [`VERSION`].
    pub version: u32,
    /// The same on all lines of this incident, and on no others.
    pub id: String,
    /// When this was written.
    pub told: Timestamp,
    /// The primary, as it is configured.
    pub primary: String,
    /// Nothing was run.
    #[serde(default)]
    pub dry_run: bool,
    /// When it began.
    pub began: Timestamp,
    /// How long it lasted, or has lasted so far: by the boot clock, as all durations here, which nobody
    /// sets. Missing in lines of older versions.
    #[serde(default)]
    pub lasted_ms: Option<u64>,
    /// When this was written, by the boot clock.
    #[serde(default)]
    pub told_at: Option<Uptime>,
    /// Why.
    pub reason: String,
    /// How it ended; `None`: it goes on.
    pub ended: Option<Ending>,
    /// So long nobody served: the primary had failed, and nobody listened here.
    pub no_gateway_ms: u64,
    /// So long two served: the primary answered, and the local gateway listened.
    pub dual_active_ms: u64,
    /// Which of the two went on when this was told, and may until the next line.
    #[serde(default)]
    pub counting: Option<Counting>,
    /// The states that were gone through.
    pub phases: Vec<Phase>,
    /// Probes that weren't answered well, until the takeover began: then that is no news.
    pub probes: Vec<Probe>,
    /// How many failed until now, those after that included.
    pub failed_probes: u64,
    /// What the kernel and the tripwire saw, and what operators ordered.
    pub events: Vec<Note>,
    /// What the witnesses said.
    pub witnesses: Vec<Round>,
    /// What was run.
    pub commands: Vec<Command>,
    /// So much more happened than is kept here.
    pub left_out: u64,
}

/// A moment on the boot clock, which counts from the machine's start and which nobody sets.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Uptime {
    /// Which start of the machine: its boot id.
    pub boot: String,
    /// So long after that.
    pub after_ms: u64,
}

impl Uptime {
    /// This time of this boot; `None` where the kernel doesn't say which one it is.
    pub(crate) fn of(time: Duration) -> Option<Self> {
        Some(Self {
            boot: clock::boot()?.to_owned(),
            after_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// When something is read.
#[derive(Clone, Debug)]
pub struct Now {
    wall: Timestamp,
    uptime: Option<Uptime>,
}

impl Now {
    /// By both clocks.
    #[must_use]
    pub fn by_the_clocks() -> Self {
        Self {
            wall: Timestamp::now(),
            uptime: Uptime::of(clock::now().as_duration()),
        }
    }

    /// Milliseconds since this was told: by the boot clock, or by the wall clock for what was told in an
    /// earlier boot, or by a version that didn't say.
    fn since(&self, told: &Incident) -> u64 {
        match (&self.uptime, &told.told_at) {
            (Some(now), Some(then)) if now.boot == then.boot => {
                now.after_ms.saturating_sub(then.after_ms)
            }
            _ => milliseconds(self.wall, told.told),
        }
    }
}

/// From one time of the wall clock to a later one; none where that was set back.
fn milliseconds(until: Timestamp, since: Timestamp) -> u64 {
    u64::try_from(until.duration_since(since).as_millis()).unwrap_or(0)
}

/// What is being counted while an incident goes on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// That nobody serves.
    NoGateway,
    /// That two serve.
    DualActive,
}

/// How an incident ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ending {
    /// When; for one that was cut off, when it was last told of.
    pub at: Timestamp,
    /// In which way.
    pub how: How,
    /// Why.
    pub reason: String,
}

/// In which way an incident ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The local gateway served, and was stopped.
    Released,
    /// Nothing was taken over, and nothing has to be.
    Recovered,
    /// The daemon ended in good order. What runs goes on, and so may the incident.
    DaemonEnded,
    /// The daemon didn't end in good order: it was killed, or the machine went down.
    DaemonKilled,
}

/// A state that was gone through.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Phase {
    /// Its name, as `status` shows it.
    pub state: String,
    /// Which attempt, where there are several.
    pub attempt: Option<u32>,
    /// When it began.
    pub began: Timestamp,
    /// How long it took, or has taken so far.
    pub took_ms: u64,
    /// Why it began.
    pub reason: String,
}

/// A probe that wasn't answered well.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    /// When it began.
    pub began: Timestamp,
    /// How it ended.
    pub outcome: String,
    /// How far it came: `connect`, or `answer` where TCP connected; `unknown`: it says nothing about the
    /// primary.
    pub layer: String,
    /// Until that was known.
    pub took_ms: u64,
    /// It counts toward a takeover.
    pub strike: bool,
}

/// Something that was seen or ordered.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Note {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// One round of asking the witnesses.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Round {
    /// When they had answered.
    pub at: Timestamp,
    /// How many did.
    pub answered: u32,
    /// How many have to.
    pub needed: u32,
    /// Each one's answer.
    pub answers: String,
}

/// A command that was run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Command {
    /// `start`, `stop` or `fence`.
    pub command: String,
    /// When it was begun.
    pub began: Timestamp,
    /// How long it took; `None`: it runs.
    pub took_ms: Option<u64>,
    /// How it ended.
    pub result: Option<String>,
    /// What it said last, where it failed.
    pub said: String,
}

impl Incident {
    /// One of which nothing is known yet.
    pub(crate) const fn blank(primary: String, dry_run: bool) -> Self {
        Self {
            version: VERSION,
            id: String::new(),
            told: Timestamp::UNIX_EPOCH,
            primary,
            dry_run,
            began: Timestamp::UNIX_EPOCH,
            lasted_ms: None,
            told_at: None,
            reason: String::new(),
            ended: None,
            no_gateway_ms: 0,
            dual_active_ms: 0,
            counting: None,
            phases: Vec::new(),
            probes: Vec::new(),
            failed_probes: 0,
            events: Vec::new(),
            witnesses: Vec::new(),
            commands: Vec::new(),
            left_out: 0,
        }
    }

    /// Did the local gateway serve in it?
    #[must_use]
    pub fn has_taken_over(&self) -> bool {
        self.phases.iter().any(|phase| phase.state == "active")
    }

    /// As it is by now: what goes on has lasted longer since it was told.
    #[must_use]
    pub fn so_far(&self, now: &Now) -> Self {
        let mut incident = self.clone();
        if self.ended.is_some() {
            return incident;
        }
        let more = now.since(self);
        let last = incident.phases.last_mut().map(|last| &mut last.took_ms);
        let counted = match self.counting {
            Some(Counting::NoGateway) => Some(&mut incident.no_gateway_ms),
            Some(Counting::DualActive) => Some(&mut incident.dual_active_ms),
            None => None,
        };
        let lasted = incident.lasted_ms.as_mut();
        for span in [last, counted, lasted].into_iter().flatten() {
            *span = span.saturating_add(more);
        }
        incident.told = now.wall.max(self.told);
        incident
    }

    /// How long it lasted, or has lasted when this was told.
    #[must_use]
    pub fn lasted(&self) -> u64 {
        self.lasted_ms
            .unwrap_or_else(|| milliseconds(self.last(), self.began))
    }

    /// When it ended, or was told of last.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.ended.as_ref().map_or(self.told, |ending| ending.at)
    }
}
