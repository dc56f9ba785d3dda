//! What the daemon says of itself when it is asked: one document, made once, that every renderer
//! shows. Here it is only data, and text for people.

pub(crate) mod last_seen;
pub(crate) mod pause;
pub(crate) mod snapshot;
pub(crate) mod warnings;
pub mod watch;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use jiff::{SpanRound, Timestamp, Unit};
use serde::{Deserialize, Serialize};

/// Version of the document. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// The daemon at one moment. Times are RFC 3339, in UTC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// [`VERSION`].
    pub version: u32,
    /// Version of the program.
    pub program: String,
    /// The name of the machine that it runs on.
    #[serde(default)]
    pub host: String,
    /// Process number of the daemon.
    pub pid: u32,
    /// When this was written: how old the news is.
    pub heartbeat: String,
    /// What keeps PC-B from protecting PC-A, a sentence each; empty when nothing does.
    pub problems: Vec<String>,
    /// What people should see to although it keeps PC-B from nothing, a sentence each.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How well PC-B protects PC-A, with the problems taken into account.
    #[serde(default)]
    pub protection: Protection,
    /// Since when the primary and the local gateway both serve; `None`: at most one does.
    #[serde(default)]
    pub dual_active_since: Option<String>,
    /// The state's name.
    pub state: String,
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
    /// What it said of itself last, where it did.
    #[serde(default)]
    pub readiness: Option<Readiness>,
    /// The failed probes in a row that count.
    pub strikes: Vec<Probe>,
    /// How many make a takeover.
    pub strikes_needed: u32,
    /// The last probe that has ended.
    pub last_probe: Option<Probe>,
    /// When something is due, if nothing happens before.
    pub next: Option<String>,
    /// The local port.
    pub gateway: Gateway,
    /// How changes of the local port are noticed.
    pub kernel_events: KernelEvents,
    /// The witnesses' last word, where there are any.
    pub witnesses: Option<Witnesses>,
    /// So many successes in a row make a release: more than one after the primary has flapped.
    pub release_needs: u32,
    /// Was the primary seen healthy once, or is that not asked for? Before, nothing is taken over.
    #[serde(default)]
    pub armed: bool,
    /// The pause in force, in which nothing is run.
    #[serde(default)]
    pub paused: Option<Pause>,
    /// The local gateway serves whatever the primary does, as an operator ordered.
    #[serde(default)]
    pub forced: bool,
    /// Until when nothing is taken over after a release by hand.
    #[serde(default)]
    pub held_until: Option<String>,
    /// Checks of the local gateway in a row that failed.
    #[serde(default)]
    pub gateway_strikes: u32,
    /// Nothing is run.
    pub dry_run: bool,
    /// What was counted since the daemon began.
    #[serde(default)]
    pub totals: Totals,
    /// The configuration in force.
    #[serde(default)]
    pub configuration: Option<InForce>,
    /// The ways in which people are told of what happens, and how that goes.
    #[serde(default)]
    pub notifiers: Vec<Notifier>,
    /// What happened last, oldest first; not more than fits on a screen or two.
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
    pub commands: Vec<Ran>,
}

/// How often a command ended in a way.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ran {
    /// `start`, `stop` or `fence`.
    pub command: String,
    /// `succeeded`, `failed`, ...
    pub result: String,
    /// So often.
    pub count: u64,
}

/// The configuration in force.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct InForce {
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

/// A way in which people are told of what happens.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notifier {
    /// `command` or `webhook`.
    pub kind: String,
    /// Is there one?
    pub configured: bool,
    /// Attempts that went well since the daemon began.
    pub told: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// What was given up before an attempt told it: for want of room, or too old.
    pub dropped: u64,
    /// Set while the last attempt failed.
    pub failing: Option<Failing>,
}

/// Why nobody is told.
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
    /// `probe`, `kernel`, `state` or `command`.
    pub kind: String,
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
    /// `starting`, `started` or `draining`.
    pub startup: Option<String>,
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
    /// `kernel`, or `polling` where the kernel program isn't loaded.
    pub source: String,
    /// Why it is polling.
    pub reason: Option<String>,
    /// Events told so far.
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

/// How well PC-B protects PC-A.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// One gateway serves, and PC-B would take over if it died.
    #[default]
    Safe,
    /// The primary is down, and PC-B serves or is about to: nothing stands behind it.
    Degraded,
    /// There is a problem: PC-B would not take over, or not let go, or two gateways serve.
    Unsafe,
}

impl Protection {
    /// Each, and its name for tools.
    pub const NAMES: [(Self, &str); 3] = [
        (Self::Safe, "safe"),
        (Self::Degraded, "degraded"),
        (Self::Unsafe, "unsafe"),
    ];
}

impl Status {
    /// How well PC-B protects PC-A, also by a document of a daemon that doesn't say.
    #[must_use]
    pub fn protection(&self) -> Protection {
        match self.problems.is_empty() {
            true => self.protection,
            false => Protection::Unsafe,
        }
    }

    /// The same for people, with what it means where that isn't said elsewhere.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match self.protection() {
            Protection::Safe => "safe",
            Protection::Degraded if self.gateway.listening => {
                "degraded: PC-B serves, and nothing stands behind it"
            }
            Protection::Degraded => "degraded: the primary is down, and nothing stands behind PC-B",
            Protection::Unsafe => "NOT SAFE",
        }
    }

    /// What people have to see beside the state's name, whichever that is.
    #[must_use]
    pub fn marks(&self) -> Vec<String> {
        let mut marks = Vec::new();
        if self.dual_active_since.is_some() {
            marks.push("TWO GATEWAYS SERVE".to_owned());
        }
        if let Some(pause) = &self.paused {
            marks.push(match &pause.until {
                Some(until) => match until.parse::<Timestamp>() {
                    Ok(until) => format!("PAUSED until {until:.0}"),
                    Err(_) => format!("PAUSED until {until}"),
                },
                None => "PAUSED until `failover resume`".to_owned(),
            });
        }
        if self.dry_run {
            marks.push("DRY RUN".to_owned());
        }
        marks
    }
}

/// One screen.
impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        let mut headline = vec![self.state.to_uppercase()];
        headline.extend(self.marks());
        let _ = writeln!(text, "{} ({})", headline.join(", "), self.verdict());
        for problem in &self.problems {
            row(&mut text, "problem", problem);
        }
        for warning in &self.warnings {
            row(&mut text, "warning", warning);
        }
        if !self.host.is_empty() {
            row(&mut text, "host", &self.host);
        }
        row(&mut text, "since", &with_age(&self.since));
        if !self.reason.is_empty() {
            row(&mut text, "because", &self.reason);
        }
        row(&mut text, "primary", &self.primary);
        if let Some(readiness) = &self.readiness {
            row(&mut text, "readiness", &readiness.to_string());
        }
        if let Some(probe) = &self.last_probe {
            let told = format!("{}, {}", probe.outcome, with_age(&probe.at));
            row(&mut text, "last probe", &told);
        }
        let count = format!("{} of {}", self.strikes.len(), self.strikes_needed);
        row(&mut text, "strikes", &count);
        for strike in &self.strikes {
            row(&mut text, "", &format!("{} {}", strike.at, strike.outcome));
        }
        let Gateway {
            port,
            listening,
            held_by,
            foreign,
            draining_since,
            ending,
        } = &self.gateway;
        let gateway = match (listening, foreign) {
            (true, false) => format!("port {port}: {held_by}"),
            (true, true) => format!("port {port}: NOT THE GATEWAY: {held_by}"),
            (false, _) => format!("port {port}: nobody listens"),
        };
        row(&mut text, "local gateway", &gateway);
        if let Some(since) = draining_since {
            row(&mut text, "", &format!("drains since {}", with_age(since)));
        }
        for EndingProcess { pid, since } in ending {
            let told = format!("pid {pid} is still there, since {}", with_age(since));
            row(&mut text, "", &told);
        }
        if let Some(witnesses) = &self.witnesses {
            row(&mut text, "witnesses", &witnesses.to_string());
            for answer in &witnesses.answers {
                row(&mut text, "", &answer.said);
            }
            if let Some(router) = &witnesses.router {
                row(&mut text, "router", &router.to_string());
            }
        }
        if self.release_needs > 1 {
            let told = format!(
                "the primary flaps: a release takes {} successes in a row",
                self.release_needs
            );
            row(&mut text, "release", &told);
        }
        row(&mut text, "kernel events", &self.kernel_events.to_string());
        if let Some(next) = &self.next {
            row(&mut text, "next", &with_age(next));
        }
        let daemon = format!("pid {}, version {}", self.pid, self.program);
        row(&mut text, "daemon", &daemon);
        row(&mut text, "heartbeat", &with_age(&self.heartbeat));
        formatter.write_str(&text)
    }
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let startup = self.startup.as_deref().unwrap_or("startup unknown");
        formatter.write_str(startup)?;
        if let Some(since) = &self.draining_since {
            write!(formatter, " since {}", with_age(since))?;
        }
        formatter.write_str(match self.ready {
            Some(true) => ", ready",
            Some(false) => ", not ready",
            None => "",
        })?;
        if !self.failing.is_empty() {
            write!(formatter, " (failing: {})", self.failing.join(", "))?;
        }
        match &self.version {
            Some(version) => write!(formatter, ", version {version}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Witnesses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.answered, &self.at) {
            _ if self.quorum == 0 => formatter.write_str("none counts, so none is asked"),
            (Some(answered), Some(at)) => write!(
                formatter,
                "{answered} answered, {} needed, asked {}",
                self.quorum,
                with_age(at)
            ),
            _ => write!(
                formatter,
                "{} needed, asked before a takeover: {}",
                self.quorum,
                self.names.join(", ")
            ),
        }
    }
}

impl fmt::Display for Router {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.addresses.is_empty() {
            write!(formatter, "{}: ", self.addresses.join(", "))?;
        }
        formatter.write_str(&self.why)
    }
}

impl fmt::Display for KernelEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            reason,
            seen: _,
            lost,
            disagreements,
        } = self;
        write!(formatter, "{source}")?;
        if let Some(reason) = reason {
            write!(formatter, " ({reason})")?;
        }
        write!(formatter, ", {lost} lost, {disagreements} disagreements")
    }
}

fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<14} {value}");
}

/// A time with how long ago it was, or how far ahead it is.
fn with_age(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else {
        return time.to_owned();
    };
    let rounded = SpanRound::new().smallest(Unit::Second).largest(Unit::Hour);
    let now = Timestamp::now();
    let (from, to, word) = if then <= now {
        (then, now, "ago")
    } else {
        (now, then, "from now")
    };
    match from.until(to).and_then(|span| span.round(rounded)) {
        Ok(span) => format!("{time} ({span:#} {word})"),
        Err(_) => time.to_owned(),
    }
}

/// A quiet daemon's document.
#[cfg(test)]
pub(crate) fn sample() -> Status {
    Status {
        version: VERSION,
        program: "1.2.3".to_owned(),
        host: "pc-b".to_owned(),
        pid: 42,
        heartbeat: "2026-01-01T00:00:00Z".to_owned(),
        problems: Vec::new(),
        warnings: Vec::new(),
        protection: Protection::Safe,
        dual_active_since: None,
        state: "standby".to_owned(),
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
        kernel_events: KernelEvents {
            source: "kernel".to_owned(),
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

#[cfg(test)]
mod text_tests {
    use super::{sample as status, *};

    #[test]
    fn the_document_survives_its_way_through_json() {
        let json = serde_json::to_string(&status()).unwrap();
        assert_eq!(serde_json::from_str::<Status>(&json).unwrap(), status());
    }

    #[test]
    fn a_warning_is_shown_and_is_no_problem() {
        let mut status = status();
        status.warnings.push("nobody is told".to_owned());
        assert_eq!(status.protection(), Protection::Safe);
        let text = status.to_string();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("STANDBY (safe)"));
        assert_eq!(lines.next(), Some("  warning        nobody is told"));
        assert_eq!(lines.next(), Some("  host           pc-b"));
    }

    #[test]
    fn fields_of_a_later_version_are_passed_over() {
        let mut json = serde_json::to_value(status()).unwrap();
        json["weather"] = "fine".into();
        assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status());
    }

    #[test]
    fn each_witness_is_named_with_what_it_said_or_before_it_is_asked() {
        let mut status = status();
        let mut witnesses = Witnesses {
            quorum: 1,
            answered: None,
            at: None,
            names: vec!["192.168.1.1".to_owned(), "9.9.9.9:53".to_owned()],
            answers: Vec::new(),
            router: None,
        };
        status.witnesses = Some(witnesses.clone());
        let text = status.to_string();
        assert!(text.contains("takeover: 192.168.1.1, 9.9.9.9:53"), "{text}");
        witnesses.answered = Some(0);
        witnesses.at = Some("2026-01-01T00:00:00.000Z".to_owned());
        witnesses.answers = vec![Testimony {
            witness: "192.168.1.1".to_owned(),
            answered: false,
            said: "192.168.1.1: no answer (no answer in time) after 5s".to_owned(),
        }];
        status.witnesses = Some(witnesses);
        let text = status.to_string();
        let (_, after) = text.split_once("0 answered, 1 needed").unwrap();
        let next = after.lines().nth(1).unwrap().trim_start();
        assert!(next.starts_with("192.168.1.1: no answer"), "{text}");
    }

    #[test]
    fn the_screen_begins_with_the_state_and_whether_it_is_safe() {
        assert!(status().to_string().starts_with("STANDBY (safe)\n"));
        let mut isolated = status();
        isolated.state = "isolated".to_owned();
        isolated.problems = vec!["no witness answers".to_owned()];
        let screen = isolated.to_string();
        assert!(screen.starts_with("ISOLATED (NOT SAFE)\n"), "{screen}");
        assert!(screen.contains("no witness answers"), "{screen}");
    }

    #[test]
    fn a_pause_and_two_gateways_are_in_the_headline_whatever_the_state() {
        for state in ["standby", "active", "paused", "suspect"] {
            let mut status = status();
            status.state = state.to_owned();
            status.problems = vec!["PAUSED".to_owned()];
            status.paused = Some(Pause {
                since: "2026-01-01T00:00:00Z".to_owned(),
                until: Some("2026-01-01T02:00:00Z".to_owned()),
                reason: None,
            });
            let screen = status.to_string();
            let headline = format!(
                "{}, PAUSED until 2026-01-01T02:00:00Z (NOT SAFE)\n",
                state.to_uppercase()
            );
            assert!(screen.starts_with(&headline), "{screen}");
            status.dual_active_since = Some("2026-01-01T00:00:00Z".to_owned());
            let screen = status.to_string();
            assert!(screen.contains(", TWO GATEWAYS SERVE, PAUSED"), "{screen}");
        }
    }

    #[test]
    fn degraded_is_said_in_the_headline_and_a_problem_is_worse() {
        let mut status = status();
        status.state = "active".to_owned();
        status.gateway.listening = true;
        status.protection = Protection::Degraded;
        let screen = status.to_string();
        let headline = "ACTIVE (degraded: PC-B serves, and nothing stands behind it)\n";
        assert!(screen.starts_with(headline), "{screen}");
        status.problems.push("something".to_owned());
        assert_eq!(status.protection(), Protection::Unsafe);
        assert!(status.to_string().starts_with("ACTIVE (NOT SAFE)\n"));
    }

    #[test]
    fn a_document_that_does_not_say_how_safe_it_is_has_its_problems() {
        let mut json = serde_json::to_value(status()).unwrap();
        json.as_object_mut().unwrap().remove("protection");
        let known: Status = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(known.protection(), Protection::Safe);
        json["problems"] = serde_json::json!(["something"]);
        let known: Status = serde_json::from_value(json).unwrap();
        assert_eq!(known.protection(), Protection::Unsafe);
    }

    #[test]
    fn times_are_told_with_their_age() {
        let then = Timestamp::now() - jiff::SignedDuration::from_secs(3725);
        let told = with_age(&then.to_string());
        assert!(
            told.ends_with("(1h 2m 5s ago)") || told.ends_with("(1h 2m 6s ago)"),
            "{told}"
        );
        assert_eq!(with_age("never"), "never");
    }
}
