//! What comes out: what is to be done, and what people see.

pub(crate) mod action;
pub(crate) mod change;
mod command;
mod derive;
mod standby;
pub(crate) mod state;
