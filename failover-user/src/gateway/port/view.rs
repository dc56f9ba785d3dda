//! The local port as others see it: data, so that nobody who shows it has to ask.

use failover_decide::Time;

use crate::gateway::port::LocalPort;

/// The local port, as it was looked at last.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortView {
    pub(crate) is_listening: bool,
    pub(crate) is_foreign: bool,
    pub(crate) held_by: String,
    /// Who listens on another address of it, and isn't the gateway.
    pub(crate) beside: String,
    /// Processes of the gateway's that listen no longer, and since when.
    pub(crate) terminating: Vec<(u32, Time)>,
    pub(crate) has_events: bool,
    pub(crate) disagreements: u64,
    /// Since when it is being looked at, where a look goes on.
    pub(crate) looks_since: Option<Time>,
}

impl PortView {
    pub(crate) fn of(port: &LocalPort) -> Self {
        Self {
            is_listening: port.is_listening(),
            is_foreign: port.is_foreign(),
            held_by: port.held_by(),
            beside: port.beside(),
            terminating: port.terminating().collect(),
            has_events: port.has_events(),
            disagreements: port.disagreements(),
            looks_since: port.looks_since(),
        }
    }
}
