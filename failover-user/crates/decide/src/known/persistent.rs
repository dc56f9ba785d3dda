//! What a decider hands out to be kept, and the next one gets: nobody can look it up in the middle of an
//! outage.

use crate::{id::RouterId, input::order::Standing, known::flap_damping::FlapHistory};

/// What must survive a restart of the daemon and of the machine. Plain data: what it means is the
/// decider's to say. Losing it is safe.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PersistentState {
    /// The primary was seen healthy under this configuration, where that is asked for.
    pub armed: bool,
    /// The orders that stand.
    pub standing: Standing,
    /// How the primary flaps.
    pub flap_history: FlapHistory,
    /// The default routers that have answered pings in quiet times.
    pub routers: Vec<RouterId>,
}
