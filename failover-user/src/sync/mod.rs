//! Copies of PC-A's sessions and configuration: when a round is made, what is known of the copies, and what has to be
//! done with them before the local gateway starts. All files are touched by a worker, a process of the gateway's account:
//! nothing here opens a copy, and it must not know why a gateway starts.

pub(crate) mod checked;
pub(crate) mod known;
pub(crate) mod lineage;
pub(crate) mod operator;
pub(crate) mod order;
pub(crate) mod rounds;
pub mod setup;
pub(crate) mod worker;
