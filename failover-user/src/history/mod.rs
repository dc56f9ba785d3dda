//! The history: all incidents with reason, evidence and durations, one JSON object a line in the
//! state directory. The data, its files, and its text for people. It must not know
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

use failover_decide::{StandbyState, StateKind};
use failover_linux::clock;

use crate::{
    named::{Named, Value},
    standby::drill::DrillResult,
};

pub(crate) use file::HISTORY;
pub use file::{History, read};
pub use since::{Since, SinceError};

/// Version of the lines. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// An incident so far. The last line of an incident replaces the earlier ones.
    Incident(Box<Incident>),
    /// An operator command that was accepted.
    Order(Order),
    /// A drill ended.
    Drill(Drill),
    /// A daemon began or ended.
    Daemon(Daemon),
}

/// A drill: the local gateway was parked, and ended again. No incident, and nothing that flap damping counts.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Drill {
    /// [`VERSION`].
    pub version: u32,
    /// When it ended.
    pub at: Timestamp,
    /// How.
    pub result: Value<DrillResult>,
    /// Time from its beginning to the bind.
    pub took_ms: Option<u64>,
    /// Packets that the gateway sent before its bind, where they were counted.
    pub packets_sent: Option<u64>,
    /// Bytes of its memory, where the kernel counts them.
    pub memory_bytes: Option<u64>,
    /// The last line of its output.
    pub said: Option<String>,
}

/// An operator command that was accepted, during an incident or not.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// [`VERSION`].
    pub version: u32,
    /// When.
    pub at: Timestamp,
    /// The command: `pause`, `resume`, `takeover`, `takeover --force` or `release`.
    pub order: String,
    /// The operator: `root`, or `user` and a number.
    pub by: String,
    /// The end of the pause or the hold, if there is one.
    pub until: Option<Timestamp>,
    /// The operator's reason.
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
    /// True: started; false: stopped.
    pub began: bool,
}

/// An incident: from leaving standby until the return to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Incident {
    /// [`VERSION`].
    pub version: u32,
    /// The same on all lines of this incident, and on no others.
    pub id: String,
    /// When this was written.
    // The stored key stays.
    #[serde(rename = "told")]
    pub written: Timestamp,
    /// The primary, as it is configured.
    pub primary: String,
    /// Dry run: no command was run.
    #[serde(default)]
    pub dry_run: bool,
    /// When it began.
    pub began: Timestamp,
    /// Its duration, so far: by the boot clock, like all durations here, so that setting the clock
    /// does not change it. Missing in lines of older versions.
    #[serde(default)]
    pub lasted_ms: Option<u64>,
    /// When this was written, by the boot clock.
    #[serde(default, rename = "told_at")]
    pub written_at: Option<Uptime>,
    /// Why.
    pub reason: String,
    /// How it ended; `None`: it is ongoing.
    pub ended: Option<Ending>,
    /// Time without a gateway: the primary had failed, and the local gateway did not listen.
    pub no_gateway_ms: u64,
    /// Time with two gateways: the primary answered, and the local gateway listened.
    pub dual_active_ms: u64,
    /// Which of the two was still counting when this was written.
    #[serde(default)]
    pub counting: Option<Value<Counting>>,
    /// The states, in order.
    pub phases: Vec<Phase>,
    /// Probes that were not successful, until the takeover started.
    pub probes: Vec<Probe>,
    /// Number of failed probes until now, including later ones.
    pub failed_probes: u64,
    /// What the kernel and the tripwire saw, and operator commands.
    pub events: Vec<Note>,
    /// The answers of the witnesses.
    pub witnesses: Vec<Round>,
    /// The commands that were run.
    pub commands: Vec<Command>,
    /// The copy of PC-A's state that the local gateway began to serve with; `None`: nothing is copied, or it didn't serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_with: Option<ServedWith>,
    /// Number of entries that were omitted.
    pub left_out: u64,
}

/// The copy of PC-A's state that a takeover began with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ServedWith {
    /// Its number; `None`: PC-B's own state.
    pub generation: Option<u64>,
    /// How old it was.
    pub age_ms: Option<u64>,
}

/// A time of the boot clock, which counts from the machine's start and is never set.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Uptime {
    /// The machine's boot ID.
    pub boot: String,
    /// Time since that boot.
    pub after_ms: u64,
}

impl Uptime {
    /// The current time of this boot; `None` without a boot ID.
    pub(crate) fn of(time: Duration) -> Option<Self> {
        Some(Self {
            boot: clock::boot()?.to_owned(),
            after_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

/// The current time.
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

    /// Milliseconds since this was written: by the boot clock, or by the wall clock for lines of an
    /// earlier boot, or of a version without boot times.
    fn since(&self, incident: &Incident) -> u64 {
        match (&self.uptime, &incident.written_at) {
            (Some(now), Some(then)) if now.boot == then.boot => {
                now.after_ms.saturating_sub(then.after_ms)
            }
            _ => milliseconds(self.wall, incident.written),
        }
    }
}

/// Time between two readings of the wall clock; zero if it was set back.
fn milliseconds(until: Timestamp, since: Timestamp) -> u64 {
    u64::try_from(until.duration_since(since).as_millis()).unwrap_or(0)
}

/// What is being counted during an ongoing incident.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Counting {
    /// No gateway serves.
    NoGateway,
    /// Two gateways serve.
    DualActive,
}

/// How an incident ended.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Ending {
    /// The time; for an interrupted incident, when it was last written.
    pub at: Timestamp,
    /// The kind of end.
    pub how: Value<How>,
    /// Why.
    pub reason: String,
}

/// How an incident ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum How {
    /// The local gateway served, and was stopped.
    Released,
    /// There was no takeover, and none is needed.
    Recovered,
    /// The daemon was stopped. The gateway keeps running, and the incident may continue.
    DaemonEnded,
    /// The daemon was killed, or the machine went down.
    DaemonKilled,
}

/// A state during the incident.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Phase {
    /// Its name, as `status` shows it.
    pub state: Value<StateKind>,
    /// The attempt's number, for states with attempts.
    pub attempt: Option<u32>,
    /// When it began.
    pub began: Timestamp,
    /// Its duration, so far.
    pub took_ms: u64,
    /// The reason for the change to it.
    pub reason: String,
    /// For a start: how ready the local gateway was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standby: Option<Value<StandbyState>>,
}

/// A probe that was not successful.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Probe {
    /// When it began.
    pub began: Timestamp,
    /// How it ended.
    pub outcome: String,
    /// How far it got.
    pub layer: Value<Layer>,
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
    /// Which.
    pub command: Value<failover_decide::Step>,
    /// When it was begun.
    pub began: Timestamp,
    /// How long it took; `None`: it runs.
    pub took_ms: Option<u64>,
    /// How it ended.
    pub result: Option<String>,
    /// The end of its output, if it failed.
    pub said: String,
}

/// How far a probe got that did not succeed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layer {
    /// TCP didn't connect.
    Connect,
    /// It did, and there was no good answer.
    Answer,
    /// The probe says nothing about the primary.
    Unknown,
}

impl Named for Counting {
    const ALL: &'static [Self] = &[Self::NoGateway, Self::DualActive];

    fn name(self) -> &'static str {
        match self {
            Self::NoGateway => "no-gateway",
            Self::DualActive => "dual-active",
        }
    }
}

impl Named for How {
    const ALL: &'static [Self] = &[
        Self::Released,
        Self::Recovered,
        Self::DaemonEnded,
        Self::DaemonKilled,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Recovered => "recovered",
            Self::DaemonEnded => "daemon-ended",
            Self::DaemonKilled => "daemon-killed",
        }
    }
}

impl Named for Layer {
    const ALL: &'static [Self] = &[Self::Connect, Self::Answer, Self::Unknown];

    fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Answer => "answer",
            Self::Unknown => "unknown",
        }
    }
}

impl Incident {
    /// One of which nothing is known yet.
    pub(crate) const fn blank(primary: String, dry_run: bool) -> Self {
        Self {
            version: VERSION,
            id: String::new(),
            written: Timestamp::UNIX_EPOCH,
            primary,
            dry_run,
            began: Timestamp::UNIX_EPOCH,
            lasted_ms: None,
            written_at: None,
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
            served_with: None,
            left_out: 0,
        }
    }

    /// Did the local gateway serve in it?
    #[must_use]
    pub fn has_taken_over(&self) -> bool {
        self.phases
            .iter()
            .any(|phase| phase.state == StateKind::Active)
    }

    /// The incident as of now: ongoing durations extended since it was written.
    #[must_use]
    pub fn so_far(&self, now: &Now) -> Self {
        let mut incident = self.clone();
        if self.ended.is_some() {
            return incident;
        }
        let more = now.since(self);
        let last = incident.phases.last_mut().map(|last| &mut last.took_ms);
        let counted = match self.counting {
            Some(Value::Known(Counting::NoGateway)) => Some(&mut incident.no_gateway_ms),
            Some(Value::Known(Counting::DualActive)) => Some(&mut incident.dual_active_ms),
            Some(Value::Unknown(_)) | None => None,
        };
        let lasted = incident.lasted_ms.as_mut();
        for span in [last, counted, lasted].into_iter().flatten() {
            *span = span.saturating_add(more);
        }
        incident.written = now.wall.max(self.written);
        incident
    }

    /// Its duration, until its end or until it was written.
    #[must_use]
    pub fn lasted(&self) -> u64 {
        self.lasted_ms
            .unwrap_or_else(|| milliseconds(self.last(), self.began))
    }

    /// When it ended, or was last written.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.ended.as_ref().map_or(self.written, |ending| ending.at)
    }
}
