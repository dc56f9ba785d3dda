//! What operators want done with the copies, and why it may not be done now.

use serde::{Deserialize, Serialize};

use crate::sync::lineage::Side;

/// What an operator wants done with the copies.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum SyncOrder {
    /// A round, now.
    Now,
    /// All copies are checked again.
    Verify,
    /// This copy is put in place of PC-B's state.
    Restore {
        /// Its number.
        generation: u64,
    },
    /// This side's state stays.
    Choose {
        /// Which.
        side: Side,
    },
}

/// Why an operator's order about copies isn't carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SyncRefusal {
    /// Nothing is copied.
    Off,
    /// The primary doesn't serve, or something is about to be started or stopped.
    NotQuiet,
    /// A gateway has the local tree open.
    Serves,
    /// There is no generation of this number.
    NoSuchCopy,
    /// There are no two sides to choose from.
    NotSplit,
    /// Too many orders wait.
    Busy,
}
