//! Why feeding ends without being done.

use crate::failure::Failure;

/// See the module.
#[derive(Debug)]
pub(super) enum End {
    /// The parked gateway can't take it.
    ParkAnew(String),
    /// It failed.
    Failed(Failure),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl End {
    pub(super) fn park(reason: impl Into<String>) -> Self {
        Self::ParkAnew(reason.into())
    }
}
