//! Heartbeats between PC-A's guard and PC-B's daemon: [`keys`] says who may send them, [`pairing`] makes the keys,
//! [`link`] sends and receives, [`primary`] is the guard on PC-A, which [`hook`] asks
//! before the gateway starts and which is [`asking`] PC-B then, and [`standby`] PC-B's end.
//!
//! It must not know what silence leads to: that is the decider's. Formats and their checks are in `failover-guard`.

pub mod asking;
pub mod hook;
pub mod keys;
pub mod link;
pub mod pairing;
pub mod primary;
mod shutdown;
pub(crate) mod standby;
pub mod view;
mod watch;
