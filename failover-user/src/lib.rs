//! Takes over from a gateway that has failed, and fails back when it recovers.
//!
//! See ARCHITECTURE.md for the map.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod explain;
#[doc(hidden)]
pub mod fuzz;
pub mod gateway;
pub mod guard;
pub mod history;
pub(crate) mod kernel_events;
pub mod log;
pub mod named;
pub(crate) mod notify;
pub(crate) mod observe;
pub mod preflight;
pub mod primary;
pub mod runtime;
pub mod simulate;
pub(crate) mod standby;
pub(crate) mod state_dir;
pub mod status;
pub(crate) mod sync;
pub mod trace;
pub mod web;
pub(crate) mod witness;
pub(crate) mod wording;

pub use sync::setup as sync_setup;
