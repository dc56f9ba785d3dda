//! What the daemon saves for the next decider, because it can't be observed during an outage.

use crate::{id::RouterId, input::order::Standing, known::flap_damping::FlapHistory};

/// What must survive a restart of the daemon and of the machine. Plain data, which only the decider
/// interprets. Losing it is safe.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PersistentState {
    /// The primary was seen healthy under this configuration, where arming is required.
    pub armed: bool,
    /// The standing orders.
    pub standing: Standing,
    /// How the primary flaps.
    pub flap_history: FlapHistory,
    /// The default routers that have answered pings while the primary was healthy.
    pub routers: Vec<RouterId>,
}
