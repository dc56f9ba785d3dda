//! The local gateway is parked before it is needed, continued when it is, and discarded when it isn't.

use std::time::Duration;

use super::super::{
    super::{
        CommandResult, Demand, Order, ParkingObservation, PortObservation, Refusal, Settings,
        StandbyMode, StandbyState, State, Time,
    },
    mission, ms, s,
    script::{ANSWERS, REFUSES, Script},
};

fn warm() -> Script {
    Script::mission().standby(StandbyMode::Warm)
}

fn hot() -> Script {
    Script::mission().standby(StandbyMode::Hot)
}

fn failed() -> Option<(Duration, CommandResult)> {
    Some((s(1), CommandResult::Failed { code: 1 }))
}

#[test]
fn a_warm_gateway_is_parked_at_the_first_strike_and_let_go_on_at_the_third() {
    let world = warm()
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .play(s(100));
    assert_eq!(
        world.journal().standby_state(),
        [
            "30 run park",
            "30 parking",
            "45 parked",
            "90 run start",
            "90 cold",
        ]
    );
    assert_eq!(
        world.journal().states(),
        [
            "30 suspect 1",
            "60 suspect 2",
            "90 starting 1",
            "90.011 active",
        ]
    );
}

#[test]
fn a_warm_gateway_is_ended_at_the_first_success_without_having_served() {
    let world = warm()
        .primary([(s(0), ANSWERS), (s(10), REFUSES), (s(70), ANSWERS)])
        .play(s(200));
    assert_eq!(
        world.journal().standby_state(),
        [
            "30 run park",
            "30 parking",
            "45 parked",
            "90 run discard",
            "90 discarding",
            "90.1 cold",
        ]
    );
    assert!(!world.listens());
}

#[test]
fn a_parking_that_lost_its_reason_is_cut_short_and_ended() {
    let world = warm()
        .parks([Some((s(50), CommandResult::Succeeded))])
        .primary([(s(0), ANSWERS), (s(10), REFUSES), (s(50), ANSWERS)])
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        [
            "30 run park",
            "60 kill park",
            "60.02 park was ended by signal 9",
            "60.02 run discard",
            "60.12 discard succeeded",
        ]
    );
}

#[test]
fn a_hot_gateway_is_parked_in_standby_and_again_after_each_release() {
    let world = hot()
        .primary([(s(0), ANSWERS), (s(40), REFUSES), (s(200), ANSWERS)])
        .play(s(250));
    assert_eq!(
        world.journal().standby_state(),
        [
            "0 run park",
            "0 parking",
            "15 parked",
            "120 run start",
            "120 cold",
            "200 run stop",
            "201 run park",
            "201 parking",
            "216 parked",
        ]
    );
}

#[test]
fn a_parking_that_hangs_delays_no_takeover() {
    let hanging = warm()
        .parks([None])
        .primary([(s(0), ANSWERS), (s(10), REFUSES)]);
    let world = hanging.play(s(100));
    assert_eq!(
        world.journal().commands(),
        [
            "30 run park",
            "90 kill park",
            "90.02 park was ended by signal 9",
            "90.02 run start",
            "92.02 start succeeded",
        ]
    );
}

#[test]
fn a_parking_that_fails_delays_no_takeover_and_is_tried_again_after_growing_pauses() {
    let world = warm()
        .parks([failed()])
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .play(s(100));
    assert_eq!(
        world.journal().runs(),
        [
            "30 run park",
            "31 run discard",
            "61 run park",
            "62 run discard",
            "90 run start",
        ]
    );
    let world = hot().parks([failed()]).play(s(300));
    let parks = world.journal().run_times_of("park");
    assert_eq!(parks, [0, 31, 92, 213].map(s));
}

#[test]
fn one_that_dies_is_begun_anew_at_once_and_then_after_growing_pauses() {
    let dies = |at| (s(at), ParkingObservation::Absent);
    let world = hot()
        .parking([dies(100), dies(120), dies(200)])
        .play(s(300));
    let parks = world.journal().run_times_of("park");
    assert_eq!(parks, [0, 100, 150, 260].map(s));
}

#[test]
fn one_that_is_broken_is_ended_before_a_start_and_one_that_cannot_be_ended_delays_none() {
    let breaks = || {
        warm()
            .primary([(s(0), ANSWERS), (s(10), REFUSES)])
            .parks([Some((s(1), CommandResult::Succeeded)), None])
            .parking([(s(89), ParkingObservation::Broken)])
    };
    let world = breaks().play(s(100));
    assert_eq!(
        world.journal().runs(),
        [
            "30 run park",
            "89 run discard",
            "89.1 run park",
            "90.02 run start"
        ]
    );
    let mut script = breaks();
    script.discards = vec![failed()];
    let world = script.play(s(100));
    assert_eq!(
        world.journal().runs(),
        ["30 run park", "89 run discard", "90 run start"]
    );
}

#[test]
fn one_that_has_read_what_changed_since_is_begun_anew_but_not_while_it_may_be_needed() {
    let outdated = |at| (s(at), ParkingObservation::Outdated);
    let world = hot().parking([outdated(100)]).play(s(150));
    assert_eq!(
        world.journal().runs(),
        ["0 run park", "100 run discard", "100.1 run park"]
    );
    let world = hot()
        .primary([(s(0), ANSWERS), (s(80), REFUSES)])
        .parking([outdated(100)])
        .play(s(149));
    assert_eq!(world.journal().runs(), ["0 run park"]);
}

#[test]
fn a_takeover_waits_for_its_gates_while_the_gateway_is_parked() {
    let settings = Settings {
        witness_quorum: 1,
        named_witnesses: 1,
        fence: Demand::Required,
        ..mission()
    };
    let mut script = Script::new(settings)
        .standby(StandbyMode::Warm)
        .primary([(s(0), ANSWERS), (s(10), REFUSES)]);
    script.witnesses = vec![(s(0), Some(0)), (s(200), Some(1))];
    let world = script.play(s(400));
    let runs = world.journal().runs();
    let [park, fence, start] = runs.as_slice() else {
        panic!("{runs:?}");
    };
    assert_eq!(park, "30 run park");
    assert!(fence.ends_with("run fence"), "{runs:?}");
    assert!(start.ends_with("run start"), "{runs:?}");
    assert!(world.journal().run_times_of("fence")[0] > s(200));
}

#[test]
fn witnesses_are_asked_while_the_gateway_is_being_parked() {
    let settings = Settings {
        witness_quorum: 1,
        named_witnesses: 1,
        ..mission()
    };
    let world = Script::new(settings)
        .standby(StandbyMode::Warm)
        .parks([None])
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .play(s(100));
    assert_eq!(
        world.journal().commands(),
        [
            "30 run park",
            "90 kill park",
            "90.02 park was ended by signal 9",
            "90.02 run start",
            "92.02 start succeeded",
        ]
    );
    assert!(!world.journal().asked().is_empty());
}

#[test]
fn a_pause_ends_a_parked_gateway_and_parks_none() {
    let world = hot()
        .orders([
            (s(50), Order::Pause { until: None }),
            (s(100), Order::Resume),
        ])
        .play(s(150));
    assert_eq!(
        world.journal().standby_state(),
        [
            "0 run park",
            "0 parking",
            "15 parked",
            "50 run discard",
            "50 discarding",
            "50.1 cold",
            "100 run park",
            "100 parking",
            "115 parked",
        ]
    );
}

#[test]
fn none_is_parked_for_a_primary_that_was_never_seen_or_beside_a_gateway_that_listens() {
    let unarmed = Settings {
        needs_arming: true,
        ..mission()
    };
    let world = Script::new(unarmed)
        .standby(StandbyMode::Hot)
        .primary([(s(0), REFUSES)])
        .play(s(200));
    assert_eq!(world.journal().runs(), [""; 0]);
    for port in [PortObservation::Listening, PortObservation::Foreign] {
        let world = hot()
            .primary([(s(0), REFUSES)])
            .by_hand([(s(0), port)])
            .play(s(20));
        assert_eq!(world.journal().runs(), [""; 0], "{port:?}");
    }
}

#[test]
fn where_it_cannot_be_parked_it_is_cold() {
    let mut script = warm().primary([(s(0), ANSWERS), (s(10), REFUSES)]);
    script.standby = vec![(s(0), StandbyMode::Warm, false)];
    assert_eq!(script.play(s(100)).journal().runs(), ["90 run start"]);
}

#[test]
fn a_drill_parks_and_ends_and_its_takeover_stays_cold() {
    let mut script = Script::mission().orders([(s(50), Order::Drill)]);
    script.standby = vec![(s(0), StandbyMode::Cold, true)];
    let world = script.play(s(100));
    assert_eq!(
        world.journal().standby_state(),
        [
            "50 run park",
            "50 parking",
            "65 drill Passed",
            "65 run discard",
            "65 discarding",
            "65.1 cold",
        ]
    );
    assert_eq!(world.journal().states(), [""; 0]);
}

#[test]
fn a_pause_that_is_over_refuses_no_drill() {
    let mut script = Script::mission();
    script.standby = vec![(s(0), StandbyMode::Cold, true)];
    // It ends a moment before it was ordered: nothing has noted its end yet.
    let until = Some(Time::from_boot(script.boot + ms(49_999)));
    let script = script.orders([(s(50), Order::Pause { until }), (s(50), Order::Drill)]);
    let world = script.play_one_by_one(s(100));
    let passed = "65 drill Passed".to_owned();
    assert!(world.journal().standby_state().contains(&passed));
}

#[test]
fn a_drill_of_a_parked_gateway_shows_the_whole_way_and_leaves_it_parked() {
    let world = hot().orders([(s(50), Order::Drill)]).play(s(100));
    assert_eq!(
        world.journal().standby_state(),
        [
            "0 run park",
            "0 parking",
            "15 parked",
            "50 run discard",
            "50 discarding",
            "50.1 run park",
            "50.1 parking",
            "65.1 drill Passed",
            "65.1 parked",
        ]
    );
}

#[test]
fn a_drill_that_fails_says_so_and_one_that_a_takeover_needs_is_interrupted() {
    let script = || {
        let mut script = Script::mission();
        script.standby = vec![(s(0), StandbyMode::Cold, true)];
        script
    };
    let world = script()
        .parks([failed()])
        .orders([(s(50), Order::Drill)])
        .play(s(100));
    assert!(
        world
            .journal()
            .standby_state()
            .contains(&"51 drill Failed".to_owned())
    );
    let mut script = script()
        .parks([None])
        .primary([(s(0), ANSWERS), (s(10), REFUSES)])
        .orders([(s(20), Order::Drill)]);
    script.settings.start_timeout = s(120);
    let world = script.play(s(100));
    assert_eq!(
        world.journal().standby_state(),
        [
            "20 run park",
            "20 parking",
            "90 drill Interrupted",
            "90.02 run start",
            "90.02 cold",
        ]
    );
}

#[test]
fn a_drill_is_refused_where_it_would_be_in_the_way() {
    let refusal = |script: Script| {
        let (decider, now) = script.play(s(50)).decider();
        decider.objection(now, Order::Drill)
    };
    assert_eq!(refusal(Script::mission()), Some(Refusal::CannotPark));
    assert_eq!(refusal(hot()), None);
    assert_eq!(
        refusal(hot().primary([(s(0), ANSWERS), (s(20), REFUSES)])),
        Some(Refusal::PrimaryFails)
    );
    assert_eq!(
        refusal(hot().orders([(s(20), Order::Pause { until: None })])),
        Some(Refusal::Paused)
    );
    assert_eq!(
        refusal(hot().orders([(s(40), Order::Drill)])),
        Some(Refusal::DrillRuns)
    );
    let foreign = [(s(20), PortObservation::Foreign)];
    assert_eq!(
        refusal(hot().by_hand(foreign)),
        Some(Refusal::ForeignListener)
    );
}

#[test]
fn a_parked_gateway_shows_since_when_and_standby_stays_standby() {
    let (decider, _) = hot().play(s(50)).decider();
    assert_eq!(decider.state(), State::Standby);
    assert_eq!(decider.standby_state(), StandbyState::Parked);
    let boot = Time::from_boot(s(1000));
    assert_eq!(decider.standby_since(), boot + s(15));
    assert_eq!(decider.standby_mode(), StandbyMode::Hot);
}

#[test]
fn a_release_by_hand_that_holds_parks_none_until_its_end() {
    let until = Time::from_boot(s(1000 + 300));
    let world = hot()
        .orders([
            (s(20), Order::TakeOver { force: true }),
            (
                s(40),
                Order::Release {
                    hold_until: Some(until),
                },
            ),
        ])
        .play(s(350));
    let parks = world.journal().run_times_of("park");
    assert_eq!(parks, [s(0), s(300)]);
    assert!(world.journal().run_times_of("start")[0] == s(20) + ms(0));
}
