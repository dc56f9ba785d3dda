//! What the guard on the primary's host was last heard to report.

use crate::{Cause, Failure, GuardObservation, PrimaryGateway, Time};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Guard {
    pub(super) hearing: Option<GuardObservation>,
    pub(super) heard: PrimaryGateway,
    pub(super) doubted: Option<Time>,
    /// When the last probe began that failed, of those since the doubt began.
    pub(super) failed: Option<Time>,
    /// The same, if it surely began after the doubt: within the slack the decider may see it either way.
    pub(super) certainly_failed: Option<Time>,
}

impl Guard {
    pub(super) fn says_gone(&self) -> bool {
        matches!(
            self.heard,
            PrimaryGateway::Restarting | PrimaryGateway::Ended | PrimaryGateway::Stopped
        )
    }
}

/// Is a silence of this probe too short for a strike?
pub(super) const fn is_short(cause: Cause, failure: Failure) -> bool {
    matches!(cause, Cause::Guard) && failure.is_silence()
}
