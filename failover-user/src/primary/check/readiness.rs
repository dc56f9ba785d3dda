//! What OpenClaw says of itself beside being live: recorded for people, decides nothing.

use std::{fmt, time::Duration};

use serde_json::Value;

use failover_decide::Time;
use failover_linux::{clock, escape::Escaped};

use crate::named::Named;

/// More names of what is failing than anybody reads.
const MOST_FAILING: usize = 16;
const LONGEST_WORD: usize = 64;
/// Two looks at one process's uptime differ by as much as the answers' ways, and by its clock's steps
/// between them.
const SAME_START: Duration = Duration::from_secs(1);

/// What a gateway said at `/startupz` and `/readyz`. What it did not say is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Readiness {
    /// Where in its life it is.
    pub startup: Option<Startup>,
    /// Since when it has been draining.
    pub draining_since: Option<Time>,
    /// Does it do all of its work?
    pub ready: Option<bool>,
    /// What is failing, as it names it. Told to its own machine, and to who has its token.
    pub failing: Vec<String>,
    /// Its version. Told to the same.
    pub version: Option<String>,
    /// When its process started, by its own clock. Told to the same.
    pub started: Option<Time>,
}

/// What `/startupz` calls its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Startup {
    /// Not there yet.
    Starting,
    /// There.
    Started,
    /// Finishes what it is at, and goes.
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
    /// Are both one and the same process, as when a tunnel leads from the one's port to the other?
    /// `None` where one of them did not say when it started. No token is needed for a gateway of this
    /// machine, nor for one at the other end of a tunnel to its loopback.
    #[must_use]
    pub fn is_same_process(&self, other: &Self) -> Option<bool> {
        let (one, other_start) = (self.started?, other.started?);
        let apart = one.since(other_start).max(other_start.since(one));
        Some(apart <= SAME_START && self.version == other.version)
    }

    /// Has anything changed that people want to know?
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

/// A word of a stranger's.
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
