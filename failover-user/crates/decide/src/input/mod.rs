//! What comes in: what was seen, what was ordered, and what each changes in what is known.

mod apply;
pub(crate) mod event;
pub(crate) mod evidence;
mod objection;
pub(crate) mod order;
pub(crate) mod outcome;
pub(crate) mod reconfigure;
