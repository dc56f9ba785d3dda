//! The kernel side, as user space sees it: loading the program, and a stream of checked events.
//!
//! A source of events: it never decides, and knows nothing of primaries or strikes.

mod binds;
pub(crate) mod btf;
pub mod error;
pub mod event;
pub(crate) mod format;
mod layout;
pub mod load;
mod ring;
mod tracefs;
