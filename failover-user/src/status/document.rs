//! The document as it is served, and as clients read it, perhaps of another version. Its keys, and the
//! values of its enumerations, never change; sentences in it are for people.

use serde::{Deserialize, Serialize};

use failover_decide::{StandbyMode, StandbyState, StateKind, Step};

use crate::{
    config::StandbyChoice,
    guard::view::GuardView,
    history::ledger::ResultKind,
    kernel_events::EventSource,
    named::Value,
    primary::check::readiness::Startup,
    standby::drill::DrillResult,
    status::{copies::Sync, protection::Protection},
    web::timeline::Kind,
    wording,
};

/// Version of the document. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// The daemon at one moment. Times are RFC 3339, in UTC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Document {
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// The name of the machine that it runs on.
    #[serde(default)]
    pub host: String,
    /// Process number of the daemon.
    pub pid: u32,
    /// When this was made.
    pub heartbeat: String,
    /// What prevents a takeover or a release, one sentence each.
    pub problems: Vec<String>,
    /// What needs attention, but prevents nothing, one sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How well PC-B protects PC-A, with the problems taken into account.
    #[serde(default = "safe")]
    pub protection: Value<Protection>,
    /// Since when the primary and the local gateway both serve; `None`: at most one does.
    #[serde(default)]
    pub dual_active_since: Option<String>,
    /// The state.
    pub state: Value<StateKind>,
    /// Since when.
    pub since: String,
    /// Why.
    pub reason: String,
    /// Where the primary is.
    pub primary: String,
    /// What it has to do to be healthy: `tcp`, `openclaw` or `http`.
    #[serde(default)]
    pub check: String,
    /// What the local gateway has to do: `tcp`, `openclaw`, `http` or `any`.
    #[serde(default)]
    pub local_check: String,
    /// Its last report about itself.
    #[serde(default)]
    pub readiness: Option<Readiness>,
    /// The failed probes in a row that count.
    pub strikes: Vec<Probe>,
    /// How many make a takeover.
    pub strikes_needed: u32,
    /// The last probe that has ended.
    pub last_probe: Option<Probe>,
    /// When the next timer expires.
    pub next: Option<String>,
    /// The local port.
    pub gateway: Gateway,
    /// How ready the local gateway is.
    #[serde(default)]
    pub standby: Option<Standby>,
    /// The copies of PC-A's sessions and configuration, if any are made.
    #[serde(default)]
    pub sync: Option<Sync>,
    /// What is known of PC-A's guard, if the hosts are paired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardView>,
    /// How changes of the local port are noticed.
    pub kernel_events: KernelEvents,
    /// The last answers of the witnesses, if there are any.
    pub witnesses: Option<Witnesses>,
    /// Number of successes in a row for a release: more than one while the primary is flapping.
    pub release_needs: u32,
    /// Was the primary seen healthy once, or is that not asked for? Before, nothing is taken over.
    #[serde(default)]
    pub armed: bool,
    /// The pause in force.
    #[serde(default)]
    pub paused: Option<Pause>,
    /// A forced takeover: the local gateway keeps running even if the primary answers.
    #[serde(default)]
    pub forced: bool,
    /// Until when an operator's release prevents a takeover.
    #[serde(default)]
    pub held_until: Option<String>,
    /// Checks of the local gateway in a row that failed.
    #[serde(default)]
    pub gateway_strikes: u32,
    /// No command is run.
    pub dry_run: bool,
    /// What was counted since the daemon began.
    #[serde(default)]
    pub totals: Totals,
    /// The configuration in force.
    #[serde(default)]
    pub configuration: Option<Configuration>,
    /// The channels that people are notified through, and how each does.
    #[serde(default)]
    pub notifiers: Vec<Notifier>,
    /// The last events, oldest first: a screen or two.
    #[serde(default)]
    pub recent: Vec<Note>,
}

/// What was counted since the daemon began.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// How often the local gateway came up because it was started here.
    pub takeovers: u64,
    /// How often it served and was stopped.
    pub releases: u64,
    /// How long the primary had failed and nobody served.
    pub no_gateway_milliseconds: u64,
    /// How long the primary and the local gateway both served.
    pub dual_active_milliseconds: u64,
    /// How often each command ended in each way, those that never did included.
    pub commands: Vec<CommandCount>,
}

/// How often a command ended in a way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CommandCount {
    /// Which.
    pub command: Value<Step>,
    /// How it ended.
    pub result: Value<ResultKind>,
    /// So often.
    pub count: u64,
}

/// The configuration in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Configuration {
    /// When it was read.
    pub since: String,
    /// A newer one that is refused; `None`: the last one that was read is in force.
    pub refused: Option<Refused>,
}

/// A configuration that was read while the daemon ran, and isn't in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// When it was read.
    pub at: String,
    /// What is wrong with it, in a line.
    pub why: String,
}

/// A channel that people are notified through.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notifier {
    /// Which.
    pub kind: String,
    /// Is there one?
    pub configured: bool,
    /// Attempts that succeeded since the daemon began.
    #[serde(rename = "told")]
    pub sent: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Notices dropped without success: the queue was full, or they were too old.
    pub dropped: u64,
    /// Set while the last attempt failed.
    pub failing: Option<Failing>,
}

/// Why nobody is notified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failing {
    /// Since when.
    pub since: String,
    /// Why the last attempt failed.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
}

/// Something that happened, perhaps more than once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Note {
    /// When it happened last.
    pub at: String,
    /// When it happened first.
    pub since: String,
    /// How often.
    pub count: u64,
    /// What kind of thing.
    pub kind: Value<Kind>,
    /// What, for people; without control characters.
    pub text: String,
}

/// A pause that an operator ordered.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Pause {
    /// Since when.
    pub since: String,
    /// Until when; `None`: until it is resumed.
    pub until: Option<String>,
    /// Why, as the operator said.
    pub reason: Option<String>,
}

/// What the primary says of itself beside being live. None of it decides anything, but for a limit to
/// draining where one is configured.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Readiness {
    /// Where in its life it is.
    pub startup: Option<Value<Startup>>,
    /// Since when it has been seen draining.
    pub draining_since: Option<String>,
    /// Does it do all of its work?
    pub ready: Option<bool>,
    /// What is failing; empty where it doesn't say.
    pub failing: Vec<String>,
    /// Its version, where it says.
    pub version: Option<String>,
    /// When its process started, where it says.
    pub started: Option<String>,
}

/// A probe and how it ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Probe {
    /// When it began, or for the last one, when it ended.
    pub at: String,
    /// How it ended.
    pub outcome: String,
}

/// The local port and who holds it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Gateway {
    /// The port.
    pub port: u16,
    /// Does anybody listen?
    pub listening: bool,
    /// Who, for people; empty where nobody does.
    pub held_by: String,
    /// Somebody listens, and none of them is the gateway.
    #[serde(default)]
    pub foreign: bool,
    /// Since when the gateway has been seen draining: it finishes what it is at, and goes.
    #[serde(default)]
    pub draining_since: Option<String>,
    /// Processes of the gateway's that are still there after the port was closed.
    #[serde(default)]
    pub ending: Vec<EndingProcess>,
}

/// How ready the local gateway is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Standby {
    /// The mode, as configured.
    pub configured: Value<StandbyChoice>,
    /// The mode in force.
    pub mode: Value<StandbyMode>,
    /// Why that one is.
    pub why: String,
    /// Can this machine park this gateway, so that a drill is possible?
    #[serde(default)]
    pub can_drill: bool,
    /// How ready it is now.
    pub state: Value<StandbyState>,
    /// Since when.
    pub since: String,
    /// The parked gateway, if one is.
    pub parked: Option<Parked>,
    /// A drill is under way.
    pub drill_runs: bool,
    /// How the last drill went.
    pub last_drill: Option<Drill>,
    /// Seconds between automatic drills; `None`: there are none.
    pub drill_every_seconds: Option<u64>,
    /// When the next one is due, if nothing comes between.
    #[serde(default)]
    pub next_drill: Option<String>,
}

/// A parked gateway.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Parked {
    /// Its main process.
    pub pid: u32,
    /// How long it took to be parked.
    pub took_milliseconds: u64,
    /// Bytes of memory of its control group, where the kernel counts them.
    pub memory_bytes: Option<u64>,
    /// Packets that it sent before its bind, where they were counted.
    pub packets_sent: Option<u64>,
    /// A file that it has read and that has changed since.
    pub outdated: Option<String>,
}

/// A drill: the local gateway was parked, and ended again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Drill {
    /// When it ended.
    pub at: String,
    /// How.
    pub result: Value<DrillResult>,
    /// How long the gateway took to its bind.
    pub took_milliseconds: Option<u64>,
    /// Packets that it sent before, where they were counted.
    pub packets_sent: Option<u64>,
    /// Bytes of its memory, where the kernel counts them.
    pub memory_bytes: Option<u64>,
    /// The last line of output.
    pub last_line: Option<String>,
}

/// A process of the gateway's that listens no longer, and hasn't ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndingProcess {
    /// Its number.
    pub pid: u32,
    /// When it was seen to listen no longer.
    pub since: String,
}

/// Where the daemon's knowledge of the local port comes from.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct KernelEvents {
    /// The kernel program, or polling where that isn't loaded.
    pub source: Value<EventSource>,
    /// Why it is polling.
    pub reason: Option<String>,
    /// Events so far.
    #[serde(default)]
    pub seen: u64,
    /// Events lost so far.
    pub lost: u64,
    /// How often events and sock_diag disagreed.
    pub disagreements: u64,
}

/// The last round of asking the witnesses.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Witnesses {
    /// How many have to answer: no more than there are that count.
    pub quorum: u32,
    /// How many did; `None`: they weren't asked yet.
    pub answered: Option<u32>,
    /// When they were asked.
    pub at: Option<String>,
    /// All of them, as they are configured.
    #[serde(default)]
    pub names: Vec<String>,
    /// What each said; who isn't among them wasn't waited for, as enough had answered.
    #[serde(default)]
    pub answers: Vec<Testimony>,
    /// The default router, where it is one of them.
    #[serde(default)]
    pub router: Option<Router>,
}

/// What a witness said when it was asked last.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Testimony {
    /// Who.
    pub witness: String,
    /// Did it answer?
    pub answered: bool,
    /// How, or why not, with its name: a line for people.
    pub said: String,
}

/// The router of this machine's default routes, as a witness.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Router {
    /// Who it is, one address a family or more; empty where there is no such route.
    pub addresses: Vec<String>,
    /// Does its word count? If not, it abstains.
    pub counts: bool,
    /// Why, a sentence.
    pub why: String,
}

/// Of a daemon that doesn't say.
fn safe() -> Value<Protection> {
    Protection::Safe.into()
}

impl Drill {
    /// For people, in lines.
    #[must_use]
    pub fn report(&self) -> String {
        wording::standby::report(self)
    }
}

impl Document {
    /// How well PC-B protects PC-A, also by a document of a daemon that doesn't say. What this version
    /// doesn't know is nothing to rely on.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match &self.protection {
            Value::Known(protection) if self.problems.is_empty() => *protection,
            Value::Known(_) | Value::Unknown(_) => Protection::Unsafe,
        }
    }
}

/// A quiet daemon's document.
#[cfg(test)]
pub(crate) fn sample() -> Document {
    Document {
        version: VERSION,
        program: "1.2.3".to_owned(),
        host: "pc-b".to_owned(),
        pid: 42,
        heartbeat: "2026-01-01T00:00:00Z".to_owned(),
        problems: Vec::new(),
        warnings: Vec::new(),
        protection: Protection::Safe.into(),
        dual_active_since: None,
        state: StateKind::Standby.into(),
        since: "2026-01-01T00:00:00Z".to_owned(),
        reason: String::new(),
        primary: "pc-a:18789".to_owned(),
        check: "tcp".to_owned(),
        local_check: "tcp".to_owned(),
        readiness: None,
        strikes: Vec::new(),
        strikes_needed: 3,
        last_probe: None,
        next: None,
        gateway: Gateway {
            port: 18789,
            listening: false,
            held_by: String::new(),
            foreign: false,
            draining_since: None,
            ending: Vec::new(),
        },
        standby: None,
        sync: None,
        guard: None,
        kernel_events: KernelEvents {
            source: EventSource::Kernel.into(),
            reason: None,
            seen: 0,
            lost: 0,
            disagreements: 0,
        },
        witnesses: None,
        release_needs: 1,
        armed: true,
        paused: None,
        forced: false,
        held_until: None,
        gateway_strikes: 0,
        dry_run: false,
        totals: Totals::default(),
        configuration: None,
        notifiers: Vec::new(),
        recent: Vec::new(),
    }
}
