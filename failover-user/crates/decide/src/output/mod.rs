//! The results of a decision: the actions, and the state that people see.

pub(crate) mod action;
pub(crate) mod change;
mod command;
mod derive;
mod standby;
pub(crate) mod state;
