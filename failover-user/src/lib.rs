//! Takes over from a gateway that stopped answering, and lets go when it is back.
//!
//! See ARCHITECTURE.md for the map.

mod background;
pub mod cli;
pub mod clock;
pub mod config;
pub mod control;
pub mod daemon;
pub mod errno;
mod escape;
mod files;
#[doc(hidden)]
pub mod fuzz;
pub mod gateway;
pub mod history;
pub mod journal;
pub mod kernel;
mod limits;
pub mod live;
pub mod log_writer;
pub mod metrics;
mod netlink;
mod notify;
pub mod parts;
pub mod preflight;
pub mod probe;
mod resident;
pub mod rights;
pub mod simulate;
mod sock_diag;
pub mod status;
pub mod timeline;
pub mod trace;
mod waiting;
pub mod web;

pub use failover_decide as decide;
