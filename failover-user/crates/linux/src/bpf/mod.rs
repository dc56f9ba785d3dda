//! The kernel side, as user space sees it: loading the programs, a stream of checked events, and the stopper.
//!
//! A source of events: it never decides, and knows nothing of primaries or strikes.

mod binds;
pub(crate) mod btf;
pub mod error;
pub mod event;
pub(crate) mod format;
mod layout;
mod limits;
pub mod load;
mod pod;
mod ring;
pub mod sent;
pub mod stopper;
mod tracefs;
