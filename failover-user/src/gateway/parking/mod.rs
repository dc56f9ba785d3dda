//! A parked gateway: started ahead of time, and stopped by the kernel in its own bind of the port, before it listens.
//! It serves within milliseconds of its SIGCONT, or ends without having served.
//!
//! [`park`], [`proceed`] and [`discard`] are run as commands of their own (`failover parking ...`), so they may be
//! killed at any point, and each works from whatever it finds; [`look`] says what that is. None of them knows why: that
//! is the decider's.
//!
//! Three things hold a parked gateway, so that a failure of one lets nothing serve: it is stopped, its control group
//! is frozen, and its unit may not restart it. A kernel program that outlives this one stops any further process of
//! the unit in its bind.

mod boots;
mod discard;
mod drop_in;
mod facts;
mod fingerprint;
mod group;
mod guard;
mod kernel;
mod look;
pub mod manager;
mod park;
pub mod place;
mod possible;
mod proceed;
mod record;
pub mod situation;
pub mod spec;
mod unit;

pub use discard::discard;
pub use look::look;
pub use park::park;
pub use possible::possible;
pub use proceed::proceed;
pub use unit::{NotParkable, ParkedUnit};

pub(crate) use fingerprint::Fingerprint;
/// How far a parked gateway has come, which decides how it is started or ended.
#[cfg(test)]
pub(crate) use record::Process;
pub(crate) use record::{Phase, Record};
