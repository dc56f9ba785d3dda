//! What is known, each part with its own rules.

pub(crate) mod backoff;
pub(crate) mod flap_damping;
mod gateway_health;
pub(crate) mod guard;
pub(crate) mod isolation;
mod loss;
pub(crate) mod parking;
pub(crate) mod persistent;
pub(crate) mod router;
pub(crate) mod schedule;
pub(crate) mod situation;
mod starting;
pub(crate) mod strikes;
