//! What comes out: what is to be done, and what people see.

pub(crate) mod action;
pub(crate) mod change;
mod command;
mod derive;
pub(crate) mod state;
