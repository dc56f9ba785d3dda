//! What must never happen, looked for where it is most likely: everything goes wrong far more often,
//! somebody pauses, takes over and releases by hand at any time, and after half of PC-B's boots the
//! primary was never seen healthy. Nothing of it is counted but the violations.

use std::time::Duration;

use fastrand::Rng;

use failover_decide::{Order, Settings, StandbyMode, Time};

use crate::simulate::{
    chance::{exponential, generator, seconds},
    environment::{Environment, Orders},
    faults::{Change, draw},
    model::Model,
    statistics::Statistics,
    world::World,
};

/// Of the run that it goes with. Its own time is this much shorter, and this much more goes wrong.
const PART: u32 = 20;
const HURRY: f64 = 20.0;
/// From one order to the next, seconds.
const BETWEEN_ORDERS: f64 = 1200.0;
/// How long a pause or a release that holds lasts, seconds.
const LASTS: f64 = 300.0;

/// Adds what must never happen and did.
pub(super) fn stress(
    model: &Model,
    settings: &Settings,
    mode: StandbyMode,
    length: Duration,
    (seed, run): (u64, u64),
    statistics: &mut Statistics,
) {
    let length = length / PART;
    let (faults, orders) = prepared(model, length, &mut generator(seed, run, 2));
    let mut environment = Environment::new(model, &faults, length, generator(seed, run, 3));
    World::stressed(&mut environment, settings, mode, orders).play();
    let stressed = environment.tally.statistics;
    statistics.violated += stressed.violated;
    let violations = stressed.violations.into_iter();
    statistics
        .violations
        .extend(violations.map(|what| format!("under stress {what}")));
}

/// What goes wrong, and what the operator does.
pub(super) fn prepared(model: &Model, length: Duration, rng: &mut Rng) -> (Vec<Change>, Orders) {
    let faults = draw(model, HURRY, length, rng);
    (faults, orders(length, rng))
}

fn orders(length: Duration, rng: &mut Rng) -> Orders {
    let mut orders = Orders::new();
    let mut at = Duration::ZERO;
    loop {
        at += seconds(exponential(rng, BETWEEN_ORDERS));
        if at >= length {
            return orders;
        }
        let now = Time::from_boot(at);
        let until = rng.bool().then(|| now + seconds(exponential(rng, LASTS)));
        let order = match rng.u8(..5) {
            0 => Order::Pause { until },
            1 => Order::TakeOver { force: rng.bool() },
            2 => Order::Release { hold_until: until },
            // Nothing stays paused or held for the rest of the run.
            _ => Order::Resume,
        };
        orders.push_back((now, order));
    }
}
