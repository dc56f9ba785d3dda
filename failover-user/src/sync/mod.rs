//! Copies of PC-A's sessions and configuration: when a round is made, what is known of the copies, and what has to be
//! done with them before the local gateway starts. All files are touched by a worker, a process of the gateway's account:
//! nothing here opens a copy, and it must not know why a gateway starts.

pub(crate) mod checked;
pub(crate) mod known;
pub(crate) mod lineage;
pub(crate) mod order;
pub(crate) mod rounds;
pub(crate) mod worker;

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
