//! What the rules promise: shown in scenarios, held as invariants, searched for exceptions.
//!
//! The [invariants](crate::invariants) are checked at every single event, of the scenarios and of the
//! random worlds alike; [`mutants`] proves that they catch broken rules.

mod further_steps;
mod hostile;
mod journal;
mod mutants;
mod properties;
mod scenarios;
mod script;
mod strategies;
mod words;
mod world;

use std::{num::NonZeroU32, time::Duration};

use super::{Demand, GuardRules, Settings};

/// Seconds.
const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The mission's numbers, without what can be added to them.
pub(super) fn mission() -> Settings {
    Settings {
        interval: s(30),
        recovery_interval: s(1),
        timeout: s(5),
        strikes: NonZeroU32::new(3).unwrap(),
        start_timeout: s(60),
        stop_timeout: s(20),
        confirm_interval: s(30),
        witness_quorum: 0,
        named_witnesses: u32::MAX,
        router_is_witness: false,
        fence: Demand::None,
        fence_timeout: s(10),
        veto_limit: 0,
        watch_gateway: false,
        needs_arming: false,
        flapping: None,
        guard: GuardRules::default(),
    }
}
