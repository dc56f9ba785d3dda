//! The local gateway: the commands that start and stop it, and who listens on its port.
//!
//! A source of events: it never decides. A gateway is never this daemon's child in any way that
//! would let one end the other.

pub(crate) mod boot;
pub mod command;
pub mod parking;
pub mod port;
pub(crate) mod spec;
