//! Telling the world: what happened, as one document, to a command and to a web server. Each has a queue
//! of its own, so that neither delays the other, nor the daemon. It must not know who decides what is told.

pub(crate) mod alarms;
pub(crate) mod backoff;
pub(crate) mod command;
pub(crate) mod connect;
pub(crate) mod delivery;
pub(crate) mod queue;
pub(crate) mod webhook;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of the document. Fields may be added within a version, never changed or removed.
pub const VERSION: u32 = 1;

/// What is told: for the command on standard input and in its environment, for the web server in a POST.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Notice {
    /// [`VERSION`].
    pub version: u32,
    /// The same however often it is told.
    pub id: String,
    /// What happened: `takeover`, `release`, `failed-start`, `failed-stop`, `failed-fence`, `isolated`,
    /// `paused`, `resumed`, `flapping`, `unarmed`, `blocked` or `gateway-hung`.
    pub event: String,
    /// When.
    pub time: Timestamp,
    /// The name of this machine.
    pub host: String,
    /// The primary, as it is configured.
    pub primary: String,
    /// The state now.
    pub state: String,
    /// Why.
    pub reason: String,
    /// By whose order, where a takeover or a release was ordered: `root`, or `user` and a number.
    #[serde(default)]
    pub by: Option<String>,
    /// One sentence for people. Chat programs' webhooks show it.
    pub text: String,
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
