//! What is known of a parked gateway, from events and actions alone. Only data.

use crate::{StandbyMode, Time};

/// What is known of a parked gateway.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parking {
    pub(super) mode: StandbyMode,
    pub(super) can_park: bool,
    pub(super) drill: bool,
    /// Something of a parked gateway may be left.
    pub(super) there: bool,
    /// When the last command that changed it ended.
    pub(super) changed: Option<Time>,
}
