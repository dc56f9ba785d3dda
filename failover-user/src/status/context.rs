//! All that a snapshot is made of, at one moment. Only data; what is a problem and what is shown is decided by
//! others.

use failover_decide::{Decider, Time};

use crate::{
    config,
    gateway::port::view::PortView,
    guard::view::GuardView,
    history::ledger::Totals,
    kernel_events::Polling,
    notify::alarms::ChannelStatus,
    primary::port_forward::PortForwardProblem,
    runtime::parts::Parts,
    standby::watch::Sight,
    state_dir::{persisted::Persisted, writer::Health},
    status::last_seen::{LastSeen, RefusedConfiguration},
    sync::rounds::Rounds,
    web::timeline::Note,
    witness::quorum::QuorumView,
};

/// All that a snapshot is made of.
pub(crate) struct Context<'daemon> {
    pub(crate) now: Time,
    pub(crate) host: &'daemon str,
    pub(crate) configuration: &'daemon config::Configuration,
    /// When that was read.
    pub(crate) configured: Time,
    /// A newer one that is refused.
    pub(crate) refused: Option<&'daemon RefusedConfiguration>,
    pub(crate) decider: &'daemon Decider,
    pub(crate) port: PortView,
    pub(crate) last_seen: &'daemon LastSeen,
    pub(crate) persisted: &'daemon Persisted,
    /// Whether the history and the persisted state can be written.
    pub(crate) kept: [Health; 2],
    pub(crate) quorum: QuorumView,
    /// Where the local port leads, where that is the primary.
    pub(crate) port_forward: Option<PortForwardProblem>,
    /// The last look for a parked gateway.
    pub(crate) standby: Option<&'daemon Sight>,
    /// The copies of the primary's state.
    pub(crate) rounds: Option<&'daemon Rounds>,
    /// What is known of PC-A's guard, if the hosts are paired.
    pub(crate) guard: Option<GuardView>,
    /// Why there are no kernel events.
    pub(crate) polling: Option<Polling>,
    /// Kernel events so far, and those that were lost.
    pub(crate) events_seen: u64,
    pub(crate) events_lost: u64,
    pub(crate) totals: Totals,
    pub(crate) channels: Vec<ChannelStatus>,
    pub(crate) parts: &'daemon Parts,
    /// What happened last, oldest first.
    pub(crate) recent: Vec<Note>,
}
