//! What operators do is no flapping: drills, ordered takeovers, restarts in good order, maintenance.

use std::{num::NonZeroU32, time::Duration};

use super::super::{
    super::{Flapping, Order, Settings, Time},
    mission, s,
    script::{ANSWERS, REFUSES, SILENT, Script},
    world::World,
};

const TAKE_OVER: Order = Order::TakeOver { force: false };
const FORCE: Order = Order::TakeOver { force: true };
const RELEASE: Order = Order::Release { hold_until: None };

/// A primary that flaps has to answer three times, then ten times.
fn damped() -> Settings {
    Settings {
        flapping: Some(Flapping {
            window: s(600),
            quiet: s(3600),
            successes: [1, 3, 10]
                .map(|needed| NonZeroU32::new(needed).unwrap())
                .into(),
            interval: s(3),
        }),
        ..mission()
    }
}

fn needed(world: &World) -> u32 {
    world.decider().0.release_needs()
}

/// Four outages of ten seconds, a minute apart, in which the primary's process is gone.
fn four_restarts() -> Script {
    let mut script = Script::new(damped()).tripwire();
    for outage in 1..=4 {
        script.primary.push((s(60 * outage), REFUSES));
        script.primary.push((s(60 * outage + 10), ANSWERS));
    }
    script
}

#[test]
fn forced_drills_in_a_row_make_no_release_harder() {
    let mut script = Script::new(damped());
    for drill in 0..4 {
        script.orders.push((s(60 * drill + 10), FORCE));
        script.orders.push((s(60 * drill + 40), RELEASE));
    }
    let world = script.play(s(300));
    assert_eq!(world.journal().run_times_of("start").len(), 4);
    assert_eq!(needed(&world), 1);
}

#[test]
fn a_drill_that_stops_the_primary_first_is_released_at_its_first_answer_each_time() {
    let mut script = Script::new(damped()).tripwire();
    for drill in 0..4 {
        script.primary.push((s(100 * drill + 20), REFUSES));
        script.orders.push((s(100 * drill + 30), TAKE_OVER));
        script.primary.push((s(100 * drill + 60), ANSWERS));
    }
    let world = script.play(s(400));
    let stops = world.journal().run_times_of("stop");
    assert_eq!(stops, [60, 160, 260, 360].map(s));
    assert_eq!(needed(&world), 1);
}

#[test]
fn an_ordered_takeover_whose_primary_answers_then_is_no_outage_that_a_later_one_comes_soon_after() {
    let script = Script::new(damped())
        .primary([(s(0), ANSWERS), (s(300), SILENT), (s(500), ANSWERS)])
        .orders([(s(10), FORCE), (s(40), RELEASE)]);
    let world = script.play(s(600));
    assert_eq!(world.journal().run_times_of("start").len(), 2);
    assert_eq!(needed(&world), 1);
}

#[test]
fn real_crashes_count_before_and_after_a_drill() {
    let mut script = four_restarts();
    assert_eq!(needed(&script.clone().play(s(300))), 10);
    // In the middle of the last one somebody tries a takeover, which takes only that one back.
    script.primary.truncate(5);
    script.primary.push((s(150), ANSWERS));
    let before = needed(&script.clone().play(s(190)));
    script
        .primary
        .extend([(s(200), REFUSES), (s(230), ANSWERS)]);
    script.orders.push((s(210), TAKE_OVER));
    assert_eq!(needed(&script.clone().play(s(300))), before);
    script.orders.clear();
    assert!(needed(&script.play(s(300))) > before);
}

#[test]
fn a_primary_that_said_that_it_drains_was_stopped_in_good_order() {
    let mut script = four_restarts();
    for outage in 1..=4 {
        script.drains.push((s(60 * outage - 5), true));
        script.drains.push((s(60 * outage + 10), false));
    }
    assert_eq!(needed(&script.clone().play(s(300))), 1);
    // A takeover in such an outage is no flap, either, nor is it one that comes back before a crash.
    script.primary = vec![
        (s(0), ANSWERS),
        (s(60), REFUSES),
        (s(300), ANSWERS),
        (s(400), REFUSES),
    ];
    script.drains.retain(|(at, _)| *at < s(60));
    script.drains.push((s(300), false));
    let world = script.play(s(500));
    assert_eq!(world.journal().run_times_of("start").len(), 2);
    assert_eq!(needed(&world), 1);
}

#[test]
fn what_happens_during_a_pause_or_a_hold_is_maintenance() {
    let until = |seconds: u64| Time::from_boot(Duration::from_secs(1000 + seconds));
    for order in [
        Order::Pause { until: None },
        Order::Pause {
            until: Some(until(290)),
        },
        Order::Release {
            hold_until: Some(until(290)),
        },
    ] {
        let mut script = four_restarts();
        // There has to be something to release.
        script.orders = vec![(s(10), FORCE), (s(20), order)];
        if let Order::Pause { .. } = order {
            script.orders.remove(0);
        }
        assert_eq!(needed(&script.play(s(300))), 1, "{order:?}");
    }
}
