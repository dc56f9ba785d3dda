//! A view of the local port: plain data for the observers.

use failover_decide::Time;

use crate::gateway::port::LocalPort;

/// The local port, as the last look found it.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortView {
    pub(crate) is_listening: bool,
    pub(crate) is_foreign: bool,
    pub(crate) held_by: String,
    /// Foreign listeners on another address of the port.
    pub(crate) beside: String,
    /// Terminating processes of the gateway, and since when.
    pub(crate) terminating: Vec<(u32, Time)>,
    pub(crate) has_events: bool,
    pub(crate) disagreements: u64,
    /// Since when a look is in progress, if one is.
    pub(crate) looks_since: Option<Time>,
}

impl PortView {
    pub(crate) fn of(port: &LocalPort) -> Self {
        let listeners = port.listeners();
        Self {
            is_listening: listeners.is_listening(),
            is_foreign: listeners.is_foreign(),
            held_by: listeners.held_by(),
            beside: listeners.beside(),
            terminating: listeners.terminating().collect(),
            has_events: port.has_events(),
            disagreements: port.disagreements(),
            looks_since: port.looks_since(),
        }
    }
}
