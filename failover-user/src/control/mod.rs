//! The control socket: the protocol between client commands and the daemon. One request and one answer a connection, each one
//! line of JSON. It must not know the answers, and decides nothing.

mod client;
pub mod drill;
mod guest;
pub mod hand_back;
mod server;
pub mod sync;
pub mod until;
pub(crate) mod waiting;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::sync::operator::SyncOrder;
pub use client::{AskError, ask, order};
pub use server::{Pending, Server, Taken};

/// Longest request, in bytes.
const LONGEST_REQUEST: u64 = 1024;

/// Limit for a command that waits for a probe of the primary.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Limit for a hand-back: a gateway that drains takes up to 315 s to stop (measured), and PC-A's unit gives up at 420 s.
pub const HAND_BACK_WITHIN: Duration = Duration::from_secs(390);

/// Limit for a gateway's start that waits for the other host: `openclaw gateway start` gives up after 52 s (measured).
pub const LET_GO_WITHIN: Duration = Duration::from_secs(30);

/// Version of requests and answers. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// A request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Return the status: a [`crate::status::Document`].
    Status,
    /// Pause takeovers and releases. The answer to this and the following requests is an [`Answer`].
    Pause {
        /// Duration of the pause; missing: until it is resumed.
        #[serde(default)]
        seconds: Option<u64>,
        /// The reason, for people.
        #[serde(default)]
        reason: Option<String>,
    },
    /// End the pause, and the hold of a release.
    Resume,
    /// Take over now.
    Takeover {
        /// Even if the primary answers, was never seen healthy, or no witness answers.
        #[serde(default)]
        force: bool,
        /// With `force`: confirms that two gateways may serve.
        #[serde(default)]
        yes: bool,
    },
    /// Park the local gateway and end it again, to show that it could serve.
    Drill,
    /// Do something with the copies of PC-A's sessions and configuration.
    Sync {
        /// What.
        order: SyncOrder,
    },
    /// Give PC-A the state that the local gateway has served with, before PC-A's gateway starts. The gateway's
    /// account may ask for this, too.
    HandBack,
    /// Of PC-A's guard: have PC-B's gateway released, before the local one starts. The answer is a `guard::asking::LetGo`. The
    /// gateway's account may ask for this, too.
    LetGo {
        /// Limit for the answer.
        seconds: u64,
    },
    /// Stop the local gateway, although the primary does not answer.
    Release {
        /// Prevent a takeover for this time.
        #[serde(default)]
        hold_seconds: Option<u64>,
    },
}

/// Timeout of either end.
const PATIENCE: Duration = Duration::from_secs(5);

impl Request {
    /// Timeout for the answer.
    fn patience(&self) -> Duration {
        match self {
            Self::LetGo { seconds } => PATIENCE + Duration::from_secs(*seconds).min(LET_GO_WITHIN),
            Self::Takeover { .. } => PATIENCE.saturating_add(LONGEST_WAIT),
            Self::HandBack => HAND_BACK_WITHIN,
            _ => PATIENCE,
        }
    }

    /// Is it an operator command, and not only a query?
    #[must_use]
    pub fn is_order(&self) -> bool {
        !matches!(self, Self::Status)
    }
}

/// The answer to an operator command.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// [`VERSION`].
    pub version: u32,
    /// Why the command is rejected; missing: it is accepted.
    pub refusal: Option<String>,
    /// A note for the operator.
    pub note: Option<String>,
    /// The new setting, compared with the previous one.
    #[serde(default)]
    pub now: Option<String>,
    /// The command needs confirmation: with `yes` it is accepted.
    #[serde(default)]
    pub unconfirmed: bool,
    /// The state's name after the command.
    pub state: String,
}
