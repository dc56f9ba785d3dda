//! Copies a gateway's sessions and configuration between two hosts: rounds, generations, what is put in place for a
//! takeover, and what is handed back.
//!
//! All of it runs in a process of its own, as the gateway's account: what comes from the other host is hostile, and
//! none of it is opened by root. The daemon says what to do ([`spec`]) and reads what came of it ([`outcome`]); both
//! are JSON. Nothing here knows of strikes, states or the daemon, and `ssh` and `rsync` are the only ways out.
#![forbid(unsafe_code)]

mod children;
mod copy;
pub mod database;
mod differences;
pub mod failure;
mod feed;
mod files;
pub mod generation;
mod hand_back;
pub mod lineage;
pub mod local;
pub mod openclaw;
pub mod outcome;
mod pattern;
mod pipes;
pub mod place;
pub mod process;
mod round;
mod rsync;
mod session;
pub mod setup;
pub mod source;
pub mod spec;
pub mod store;
pub mod supported;
#[cfg(test)]
mod tests;
pub mod transport;
mod verify;
pub mod worker;
