//! Stop commands that fail, hang or lie, and a primary that fails again meanwhile.

use super::super::{
    super::{Action, Decider, Event, Step, Time},
    ms, s,
    script::{ANSWERS, REFUSES, Script, Stop},
};

/// Active from 62 s on, and the primary is back at 100 s.
fn back_at_a_hundred() -> Script {
    Script::mission().primary([(s(0), REFUSES), (s(100), ANSWERS)])
}

#[test]
fn a_stop_that_fails_is_tried_again_with_growing_pauses_until_the_gateway_is_gone() {
    let world = back_at_a_hundred()
        .stops([
            Stop::fails(ms(0)),
            Stop::fails(ms(0)),
            Stop::fails(ms(0)),
            Stop::works(s(1)),
        ])
        .play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        [
            "100 run stop",
            "101 run stop",
            "103 run stop",
            "107 run stop",
            "108 gone",
        ]
    );
    assert_eq!(
        world.journal().states()[4..],
        [
            "100 stopping 1",
            "101 stopping 2",
            "103 stopping 3",
            "107 stopping 4",
            "108 standby",
        ]
    );
}

#[test]
fn a_stop_that_always_fails_is_tried_every_interval_for_ever() {
    let world = back_at_a_hundred()
        .stops([Stop::fails(ms(0))])
        .play(s(4000));
    let runs = world.journal().runs();
    assert_eq!(
        runs[1..10],
        [
            "100 run stop",
            "101 run stop",
            "103 run stop",
            "107 run stop",
            "115 run stop",
            "131 run stop",
            "161 run stop",
            "191 run stop",
            "221 run stop",
        ]
    );
    assert_eq!(runs.last().unwrap(), "3971 run stop");
}

#[test]
fn a_stop_that_says_it_worked_is_tried_again_while_the_gateway_listens() {
    let world = back_at_a_hundred()
        .stops([Stop::lies(s(1)), Stop::works(s(1))])
        .play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        ["100 run stop", "102 run stop", "103 gone"]
    );
}

#[test]
fn a_stop_that_works_late_is_not_repeated_in_vain() {
    let world = back_at_a_hundred()
        .stops([Stop {
            gone: Some(ms(1500)),
            ..Stop::lies(s(1))
        }])
        .play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        ["100 run stop", "101.5 gone"]
    );
    assert_eq!(world.journal().states().last().unwrap(), "101.5 standby");
}

#[test]
fn it_is_stopping_until_the_gateways_process_has_gone_and_not_only_its_port() {
    let world = back_at_a_hundred().lingers(s(10)).play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        ["100 run stop", "101 ending", "111 gone"]
    );
    assert_eq!(
        world.journal().states()[4..],
        ["100 stopping 1", "111 standby"]
    );
}

#[test]
fn a_stop_that_hangs_is_killed_at_its_timeout_and_tried_again() {
    let world = back_at_a_hundred()
        .stops([Stop::hangs(), Stop::works(s(1))])
        .play(s(300));
    assert_eq!(
        world.journal().commands()[2..],
        [
            "100 run stop",
            "120 kill stop",
            "120.02 stop was ended by signal 9",
            "121.02 run stop",
            "122.02 stop succeeded",
        ]
    );
}

#[test]
fn a_stop_that_hangs_after_the_gateway_has_gone_is_killed_and_not_repeated() {
    let world = back_at_a_hundred()
        .stops([Stop {
            gone: Some(s(1)),
            ..Stop::hangs()
        }])
        .play(s(300));
    assert_eq!(
        world.journal().commands()[2..],
        [
            "100 run stop",
            "120 kill stop",
            "120.02 stop was ended by signal 9",
        ]
    );
    assert_eq!(world.journal().states().last().unwrap(), "101 standby");
}

#[test]
fn a_primary_that_fails_again_keeps_the_gateway_that_could_not_be_stopped() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (ms(100_500), REFUSES)])
        .stops([Stop::fails(ms(700))])
        .play(s(400));
    assert_eq!(world.journal().runs(), ["60 run start", "100 run stop"]);
    assert_eq!(
        world.journal().states()[3..],
        ["62 active", "100 stopping 1", "101 active"]
    );
}

#[test]
fn a_primary_that_fails_again_while_the_stop_is_in_flight_is_replaced_after_three_new_strikes() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (ms(100_500), REFUSES)])
        .stops([Stop::works(s(5))])
        .play(s(400));
    // Strikes at 101, 134 (30 s after the last fast probe) and 164.
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        ["100 run stop", "105 gone", "164 run start", "166 listens"]
    );
}

#[test]
fn a_start_waits_for_a_stop_that_still_hangs() {
    let mut script = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (ms(100_500), REFUSES)])
        .stops([Stop {
            gone: Some(s(1)),
            ..Stop::hangs()
        }]);
    script.settings.stop_timeout = s(100);
    let world = script.play(s(400));
    assert_eq!(
        world.journal().commands()[2..],
        [
            "100 run stop",
            "200 kill stop",
            "200.02 stop was ended by signal 9",
            "200.02 run start",
            "202.02 start succeeded",
        ]
    );
}

#[test]
fn a_stop_needs_no_second_success() {
    let world = Script::mission()
        .primary([
            (s(0), REFUSES),
            (s(100), ANSWERS),
            (ms(100_500), super::super::script::UNKNOWN),
        ])
        .stops([Stop::fails(ms(0)), Stop::works(s(1))])
        .play(s(400));
    assert_eq!(
        world.journal().runs_and_gateway()[3..],
        ["100 run stop", "101 run stop", "102 gone"]
    );
}

/// When the next stop is run, if nothing else happens.
fn next_stop(mut decider: Decider, mut now: Time) -> Time {
    loop {
        let actions = decider.handle(now, [Event::Woke]);
        if actions.contains(&Action::Run(Step::STOP)) {
            return now;
        }
        now = now + ms(100);
    }
}

#[test]
fn a_gateway_that_says_it_drains_is_not_told_again_before_a_stop_has_had_its_time() {
    let world = back_at_a_hundred()
        .stops([Stop::lies(ms(0))])
        .play(ms(100_500));
    let (decider, now) = world.decider();
    assert_eq!(next_stop(decider.clone(), now), now + ms(500));
    let mut drains = decider;
    drains.handle(now, [Event::GatewayDrains]);
    assert_eq!(next_stop(drains, now), now + ms(19_500));
}

#[test]
fn a_gateway_that_outlives_a_stop_is_asked_at_once_whether_it_drains() {
    let mut script = back_at_a_hundred().stops([Stop::lies(s(5))]);
    script.settings.watch_gateway = true;
    let world = script.play(s(110));
    // The next would have been due at 122.
    assert_eq!(world.journal().checks().last().unwrap(), "105 check");
}
