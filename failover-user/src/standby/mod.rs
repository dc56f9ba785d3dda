//! How ready the local gateway is kept: what is configured, what this machine can do, and what drills have shown
//! come to a mode. It must not know how a gateway is parked, nor when the decider wants it.

pub(crate) mod drill;
pub(crate) mod failing;
pub(crate) mod mode;
pub(crate) mod watch;
