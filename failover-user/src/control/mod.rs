//! The control socket: how the daemon is asked. One request and one answer a connection, each one
//! line of JSON. A source of questions: it neither knows the answers nor decides.

mod client;
mod server;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use client::{AskError, ask, order};
pub use server::{Question, Server, Taken};

/// Longest request, in bytes.
const LONGEST_REQUEST: u64 = 1024;

/// An order may have to wait for a probe of the primary: for its timeout, but no longer than this.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Version of requests and answers. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// What can be asked.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// How are you? The answer is a [`crate::status::Status`].
    Status,
    /// Observe and report, run nothing. The answer to this and the following is an [`Answer`].
    Pause {
        /// For so long; missing: until it is resumed.
        #[serde(default)]
        seconds: Option<u64>,
        /// Why, for people.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End the pause, and the time that a release holds.
    Resume,
    /// Take over now.
    Takeover {
        /// Although the primary answers, was never seen healthy, or no witness answers.
        #[serde(default)]
        force: bool,
        /// With `force`: two gateways may serve. Without it that has to be confirmed.
        #[serde(default)]
        yes: bool,
    },
    /// Stop the local gateway, although the primary doesn't answer.
    Release {
        /// And take over again no sooner than after so long.
        #[serde(default)]
        hold_seconds: Option<u64>,
    },
}

/// How long either end waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);

impl Request {
    /// How long an answer may take.
    const fn patience(&self) -> Duration {
        match self {
            Self::Takeover { .. } => PATIENCE.saturating_add(LONGEST_WAIT),
            _ => PATIENCE,
        }
    }

    /// Does it ask for something to be done, instead of only how things are?
    #[must_use]
    pub fn is_order(&self) -> bool {
        !matches!(self, Self::Status)
    }
}

/// The answer to an order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// [`VERSION`].
    pub version: u32,
    /// Why the order isn't followed; missing: it is.
    pub refusal: Option<String>,
    /// What to know of it all the same.
    pub note: Option<String>,
    /// What is in force now, and what was before.
    #[serde(default)]
    pub now: Option<String>,
    /// It is refused only until somebody confirms it: the same order with `yes` is followed.
    #[serde(default)]
    pub unconfirmed: bool,
    /// The state's name right after.
    pub state: String,
}
