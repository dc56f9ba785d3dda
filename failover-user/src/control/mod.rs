//! The control socket: how the daemon is asked. One request and one answer a connection, each one
//! line of JSON. A source of questions: it neither knows the answers nor decides.

mod client;
mod server;

use serde::{Deserialize, Serialize};

pub use client::{AskError, ask, order};
pub use server::{Question, Server, Taken};

/// Longest request, in bytes.
const LONGEST_REQUEST: u64 = 1024;

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
    },
    /// Stop the local gateway, although the primary doesn't answer.
    Release {
        /// And take over again no sooner than after so long.
        #[serde(default)]
        hold_seconds: Option<u64>,
    },
}

impl Request {
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
    /// The state's name right after.
    pub state: String,
}
