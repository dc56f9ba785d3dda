//! What the two hosts of a gateway tell each other: heartbeats, who may send them, and what their absence means.
//!
//! No sockets, no clock, no files: bytes and times are arguments, so that tests drive the very code that runs. What
//! comes in is hostile until its authentication code, its freshness and its bounds are checked, in this order:
//! [`seal`], [`session`], [`beat`], which may carry an [`ask`]. Nothing here decides: what silence means for a takeover is the decider's.
#![forbid(unsafe_code)]

pub mod ask;
pub mod beat;
pub mod keys;
pub mod liveness;
pub mod pairing;
pub mod seal;
pub mod session;
