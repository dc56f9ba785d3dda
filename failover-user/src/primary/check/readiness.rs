//! OpenClaw's own report of its readiness: recorded, and decides nothing.

use std::{fmt, time::Duration};

use serde_json::Value;

use failover_decide::Time;
use failover_linux::{clock, escape::Escaped};

use crate::named::Named;

/// Limit for the names of failing parts.
const MOST_FAILING: usize = 16;
const LONGEST_WORD: usize = 64;
/// Two readings of one process's uptime differ by the delay of the answers, and by steps of its clock between
/// them.
const SAME_START: Duration = Duration::from_secs(1);

/// What a gateway reported at `/startupz` and `/readyz`. What is missing there is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readiness {
    /// The phase of its life.
    pub startup: Option<Startup>,
    /// Since when it has been draining.
    pub draining_since: Option<Time>,
    /// Is it fully functional?
    pub ready: Option<bool>,
    /// The names of its failing parts. Reported only to its own machine, and to clients with its token.
    pub failing: Vec<String>,
    /// Its version. Reported to the same clients.
    pub version: Option<String>,
    /// When its process started, by its own clock. Reported to the same clients.
    pub started: Option<Time>,
}

/// The status at `/startupz`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Startup {
    /// It isn't ready to serve yet.
    Starting,
    /// It serves.
    Started,
    /// It finishes its work, and ends.
    Draining,
}

impl Named for Startup {
    const ALL: &'static [Self] = &[Self::Starting, Self::Started, Self::Draining];

    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Started => "started",
            Self::Draining => "draining",
        }
    }
}

impl Readiness {
    /// Are both the same process, as when a tunnel leads from one's port to the other? `None` where the start
    /// time of one is missing. A gateway of this machine reports it without a token, and so does one at the
    /// other end of a tunnel to its loopback.
    #[must_use]
    pub fn is_same_process(&self, other: &Self) -> Option<bool> {
        let (one, other_start) = (self.started?, other.started?);
        let apart = one.since(other_start).max(other_start.since(one));
        Some(apart <= SAME_START && self.version == other.version)
    }

    /// Has anything changed that is worth reporting?
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (self.startup, self.ready, &self.failing, &self.version)
            == (other.startup, other.ready, &other.failing, &other.version)
    }

    pub(super) fn absorb_startup(&mut self, body: &Value) {
        let status = body.get("status").and_then(Value::as_str);
        let known = Startup::ALL.iter().copied();
        self.startup = status.and_then(|status| known.into_iter().find(|one| one.name() == status));
        self.version = body.get("version").and_then(Value::as_str).map(word);
        self.started = body.get("uptimeMs").and_then(Value::as_u64).map(|uptime| {
            let up = Duration::from_millis(uptime);
            Time::from_boot(clock::now().as_duration().saturating_sub(up))
        });
    }

    pub(super) fn absorb_ready(&mut self, body: &Value) {
        self.ready = body.get("ready").and_then(Value::as_bool);
        let failing = body.get("failing").and_then(Value::as_array);
        self.failing = failing
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .take(MOST_FAILING)
            .map(word)
            .collect();
    }
}

/// An untrusted word.
fn word(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_WORD).collect();
    Escaped(&short).to_string()
}

impl fmt::Display for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let startup = self.startup.map_or("startup unknown", Startup::name);
        let ready = match self.ready {
            Some(true) => "ready",
            Some(false) => "not ready",
            None => "readiness unknown",
        };
        write!(formatter, "{startup}, {ready}")?;
        if !self.failing.is_empty() {
            write!(formatter, " (failing: {})", self.failing.join(", "))?;
        }
        match &self.version {
            Some(version) => write!(formatter, ", version {version}"),
            None => Ok(()),
        }
    }
}
