//! What happened: every incident with its reason, evidence and durations, one JSON object a line in the
//! state directory. Here it is data, the files that it is in, and text for people. It must not know of
//! the daemon: `failover history` reads the files without one.

mod file;
mod since;
mod text;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use file::append;
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
    pub fn so_far(&self, now: Timestamp) -> Self {
        let mut incident = self.clone();
        if self.ended.is_some() {
            return incident;
        }
        let more = now.duration_since(self.told).as_millis();
        let more = u64::try_from(more).unwrap_or(0);
        let last = incident.phases.last_mut().map(|last| &mut last.took_ms);
        let counted = match self.counting {
            Some(Counting::NoGateway) => Some(&mut incident.no_gateway_ms),
            Some(Counting::DualActive) => Some(&mut incident.dual_active_ms),
            None => None,
        };
        for span in [last, counted].into_iter().flatten() {
            *span = span.saturating_add(more);
        }
        incident.told = now.max(self.told);
        incident
    }

    /// When it ended, or was told of last.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.ended.as_ref().map_or(self.told, |ending| ending.at)
    }
}
