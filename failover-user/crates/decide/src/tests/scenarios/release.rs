//! From the primary's first answer to the local gateway's end.

use super::super::{
    super::{PortObservation, State},
    ms, s,
    script::{ANSWERS, Primary, REFUSES, SILENT, Script, Start, Stop, UNKNOWN},
};

#[test]
fn the_first_success_stops_the_local_gateway() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (ms(99_400), ANSWERS)])
        .play(s(300));
    assert_eq!(
        world.journal().states()[2..],
        [
            "60 starting 1",
            "62 active",
            "100 stopping 1",
            "101 standby"
        ]
    );
    assert_eq!(
        world.journal().commands()[2..],
        ["100 run stop", "101 stop succeeded"]
    );
    // The fixed rate counts from the last probe before standby.
    let probes = world.journal().probe_times();
    assert_eq!(probes[probes.len() - 3..], [s(220), s(250), s(280)]);
}

#[test]
fn while_active_the_primary_is_probed_every_second() {
    let world = Script::mission().primary([(s(0), REFUSES)]).play(s(65));
    assert_eq!(
        world.journal().probe_times(),
        [s(0), s(30), s(60), s(61), s(62), s(63), s(64), s(65)]
    );
}

#[test]
fn while_active_slow_probes_follow_each_other_without_a_pause_and_never_overlap() {
    let world = Script::mission()
        .primary([
            (s(0), SILENT),
            (s(80), Primary::Unreachable { after: ms(300) }),
        ])
        .play(ms(88_300));
    assert_eq!(
        world.journal().probe_times(),
        [
            0, 30_000, 60_000, 65_000, 70_000, 75_000, 80_000, 81_000, 82_000, 83_000, 84_000
        ]
        .into_iter()
        .chain([85_000, 86_000, 87_000, 88_000])
        .map(ms)
        .collect::<Vec<_>>()
    );
}

#[test]
fn a_success_while_the_start_is_in_flight_kills_it_and_then_stops_what_it_may_have_left() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(65), ANSWERS)])
        .starts([Start::hangs()])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "65 kill start",
            "65.02 start was ended by signal 9",
            "65.02 run stop",
            "66.02 stop succeeded",
        ]
    );
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "65 stopping 1", "66.02 standby"]
    );
}

#[test]
fn a_success_just_after_the_start_was_killed_for_its_timeout_is_followed_by_a_stop_all_the_same() {
    let mut script = Script::mission()
        .primary([(s(0), REFUSES), (ms(120_500), ANSWERS)])
        .starts([Start::hangs()]);
    script.dying = s(2);
    let world = script.play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "120 kill start",
            "122 start was ended by signal 9",
            "122 run stop",
            "123 stop succeeded",
        ]
    );
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "121 stopping 1", "123 standby"]
    );
}

#[test]
fn a_success_while_the_port_is_still_closed_after_a_start_that_succeeded_is_followed_by_a_stop() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(65), ANSWERS)])
        .starts([Start::succeeds_and_listens_later(s(2), s(20))])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "62 start succeeded",
            "65 run stop",
            "66 stop succeeded",
        ]
    );
    assert!(!world.listens());
}

#[test]
fn what_a_killed_start_left_behind_is_stopped_when_it_comes_up_later() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(65), ANSWERS)])
        .starts([Start {
            listens: Some(s(10)),
            ..Start::hangs()
        }
        .leaves_something_behind()])
        .stops([Stop::fails(s(1)), Stop::works(s(1))])
        .play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway(),
        [
            "0 gone",
            "60 run start",
            "65.02 run stop",
            "70 listens",
            "70 run stop",
            "71 gone",
        ]
    );
}

#[test]
fn a_gateway_in_the_foreground_is_ended_and_then_stopped() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS)])
        .starts([Start::stays_in_the_foreground(s(2))])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "100 kill start",
            "100.02 start was ended by signal 9",
            "100.02 run stop",
            "101.02 stop succeeded",
        ]
    );
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn a_gateway_found_at_the_first_look_is_adopted_without_a_start_a_stop_or_a_gap() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(200), ANSWERS)])
        .by_hand([(s(0), PortObservation::Listening)])
        .play(s(199));
    assert_eq!(world.journal().states(), ["0 active"]);
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn an_adopted_gateway_is_stopped_at_the_first_success() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(200), ANSWERS)])
        .by_hand([(s(0), PortObservation::Listening)])
        .play(s(300));
    assert_eq!(
        world.journal().states(),
        ["0 active", "200 stopping 1", "201 standby"]
    );
}

#[test]
fn a_gateway_started_by_hand_in_standby_is_stopped_only_after_a_later_success() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(40), UNKNOWN), (s(50), ANSWERS)])
        .by_hand([(s(45), PortObservation::Listening)])
        .play(s(100));
    // Answered at 30, unknown from 45 on: nobody knows why it was started.
    assert_eq!(
        world.journal().states(),
        ["45 active", "50 stopping 1", "51 standby"]
    );
    assert_eq!(
        world.journal().runs_and_gateway(),
        ["0 gone", "45 listens", "50 run stop", "51 gone"]
    );
}

#[test]
fn a_gateway_started_by_hand_because_the_primary_is_down_is_kept() {
    let world = Script::mission()
        .primary([(s(0), ANSWERS), (s(40), REFUSES)])
        .by_hand([(s(45), PortObservation::Listening)])
        .play(s(300));
    assert_eq!(world.journal().states(), ["45 active"]);
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn a_primary_that_comes_and_goes_costs_a_takeover_each_time_and_nothing_overlaps() {
    let mut script = Script::mission();
    script.primary = (0..20)
        .flat_map(|round| [(s(round * 200), REFUSES), (s(round * 200 + 150), ANSWERS)])
        .collect();
    let world = script.play(s(4000));
    let runs = world.journal().runs();
    assert_eq!(runs.len(), 40, "{runs:?}");
}
