//! The state directory: one daemon at a time, and what survives it.

pub(crate) mod lock;
pub(crate) mod persisted;
pub(crate) mod writer;
