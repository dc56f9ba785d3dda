//! Notifications: one document for each event, through every configured channel. Each has a queue of its
//! own, so that none delays another or the daemon.

pub(crate) mod alarms;
pub(crate) mod backoff;
pub(crate) mod channel;
pub(crate) mod command;
pub(crate) mod connect;
pub(crate) mod dead_mans_switch;
pub(crate) mod delivery;
pub(crate) mod event;
pub(crate) mod http;
pub(crate) mod queue;
pub(crate) mod webhook;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the document. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// A notification: on standard input and in the environment for the command, in a POST for the webhook.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notice {
    /// [`VERSION`].
    pub version: u32,
    /// Identifies the notice across retries.
    pub id: String,
    /// The event: the name of an [`event::Event`]. A stored notice may be of another version.
    pub event: String,
    /// The time of the event.
    pub time: Timestamp,
    /// The name of this machine.
    pub host: String,
    /// The primary, as configured.
    pub primary: String,
    /// The state now.
    pub state: String,
    /// The reason.
    pub reason: String,
    /// The operator who ordered the takeover or release, if any: `root`, or `user` and a number.
    #[serde(default)]
    pub by: Option<String>,
    /// A sentence for people, shown by chat programs.
    pub text: String,
}

/// Why a notice isn't delivered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DeliveryError {
    /// What happened.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: &'static str,
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl Notice {
    fn environment(&self) -> [(&'static str, String); 7] {
        [
            ("FAILOVER_EVENT", self.event.clone()),
            ("FAILOVER_STATE", self.state.clone()),
            ("FAILOVER_REASON", self.reason.clone()),
            ("FAILOVER_PRIMARY", self.primary.clone()),
            ("FAILOVER_TIME", self.time.to_string()),
            ("FAILOVER_HOST", self.host.clone()),
            ("FAILOVER_TEXT", self.text.clone()),
        ]
    }
}

#[cfg(test)]
fn notice(id: &str) -> Notice {
    Notice {
        version: VERSION,
        id: id.to_owned(),
        event: "takeover".to_owned(),
        time: Timestamp::now(),
        host: "pc-b".to_owned(),
        primary: "pc-a:18789".to_owned(),
        state: "active".to_owned(),
        reason: "probe refused".to_owned(),
        by: None,
        text: "the local gateway serves".to_owned(),
    }
}
