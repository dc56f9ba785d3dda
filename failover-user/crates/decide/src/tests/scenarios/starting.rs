//! Start commands that fail, hang, lie, or stay.

use std::time::Duration;

use super::super::{
    super::{CommandResult, Evidence, PortObservation, Settings},
    mission, ms, s,
    script::{ANSWERS, REFUSES, Script, Sight, Start},
};

#[test]
fn a_start_that_fails_is_tried_again_with_growing_pauses() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::fails(ms(0))])
        .play(s(182));
    // Pauses of 1, 2, 4, 8, 16, 30 and 30 s.
    assert_eq!(
        world.journal().run_times_of("start"),
        [60, 61, 63, 67, 75, 91, 121, 151, 181].map(s)
    );
}

#[test]
fn what_a_failed_start_left_behind_is_stopped_before_the_next() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::fails(s(52)), Start::works(s(2))])
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "112 start failed with exit code 1",
            "112 run stop",
            "113 stop succeeded",
            "113 run start",
            "115 start succeeded",
        ]
    );
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "113 starting 2", "115 active"]
    );
}

/// As OpenClaw's does that tries the port out and then can't start its unit, which stays active.
#[test]
fn a_start_that_listened_for_a_moment_and_then_failed_is_undone_too() {
    let start = Start {
        listens: Some(s(1)),
        dies: Some(ms(500)),
        lives: s(52),
        ..Start::fails(s(52))
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([start, Start::works(s(2))])
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "112 start failed with exit code 1",
            "112 run stop",
            "113 stop succeeded",
            "114 run start",
            "116 start succeeded",
        ]
    );
}

#[test]
fn a_command_that_could_not_be_run_left_nothing_behind() {
    let cannot = CommandResult::NotRun {
        reason: "no such file".to_owned(),
    };
    let not_run = Start {
        ends: Some((ms(0), cannot)),
        ..Start::hangs()
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([not_run, Start::works(s(2))])
        .play(s(200));
    assert_eq!(world.journal().runs(), ["60 run start", "61 run start"]);
}

#[test]
fn a_start_that_fails_twice_and_then_works_is_a_takeover_all_the_same() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([
            Start::fails(ms(500)),
            Start::fails(ms(500)),
            Start::works(s(2)),
        ])
        .play(s(120));
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "60 starting 1",
            "61.5 starting 2",
            "64 starting 3",
            "66 active",
        ]
    );
}

#[test]
fn a_start_that_hangs_is_killed_at_its_timeout_and_tried_again() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::hangs(), Start::works(s(2))])
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "120 kill start",
            "120.02 start was ended by signal 9",
            "120.02 run stop",
            "121.02 stop succeeded",
            "121.02 run start",
            "123.02 start succeeded",
        ]
    );
}

#[test]
fn a_start_that_succeeds_and_never_listens_is_tried_again_after_its_timeout() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::succeeds_but_never_listens(s(2)), Start::works(s(2))])
        .play(s(200));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "62 start succeeded",
            "120 run stop",
            "121 stop succeeded",
            "121 run start",
            "123 start succeeded",
        ]
    );
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "121 starting 2", "123 active"]
    );
}

#[test]
fn a_start_that_gives_up_is_waited_for_while_what_it_began_lives() {
    for code in [1, 2, 124] {
        let world = Script::mission()
            .primary([(s(0), REFUSES)])
            .starts([Start::gives_up(s(3), code, s(50))])
            .play(s(300));
        assert_eq!(
            world.journal().states()[2..],
            ["60 starting 1", "110 active"],
            "{code}"
        );
        assert_eq!(world.journal().runs(), ["60 run start"], "{code}");
    }
}

#[test]
fn a_start_whose_configuration_is_wrong_or_that_isnt_there_is_not_waited_for() {
    for code in [78, 126, 127] {
        let world = Script::mission()
            .primary([(s(0), REFUSES)])
            .starts([Start::gives_up(s(3), code, s(50))])
            .play(s(64));
        assert_eq!(
            world.journal().runs(),
            ["60 run start", "63 run stop", "64 run start"],
            "{code}"
        );
    }
}

#[test]
fn a_start_that_gives_up_and_whose_gateway_dies_is_tried_again_at_once() {
    let dies = Start {
        lives: s(20),
        ..Start::fails(s(3))
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([dies, Start::works(s(2))])
        .play(s(200));
    assert_eq!(
        world.journal().runs(),
        ["60 run start", "80 run stop", "81 run start"]
    );
}

#[test]
fn a_start_that_leaves_nothing_behind_is_tried_again_at_once_and_then_ever_later() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::leaves_nothing_behind(s(2))])
        .play(s(145));
    // Each takes 2 s, its stop 1 s. The waits between are of 0, 1, 2, 4, 8, 16 and 30 s.
    assert_eq!(
        world.journal().run_times_of("start"),
        [60, 63, 67, 72, 79, 90, 109, 142].map(s)
    );
}

#[test]
fn what_cannot_be_seen_is_waited_for_a_while_after_a_success_and_not_after_a_failure() {
    let mission = Settings {
        start_timeout: s(360),
        ..mission()
    };
    for sight in [Sight::Bad, Sight::None] {
        let world = Script::new(mission.clone())
            .sight(sight)
            .primary([(s(0), REFUSES)])
            .starts([Start::succeeds_but_never_listens(s(2)), Start::works(s(2))])
            .play(s(400));
        assert_eq!(
            world.journal().runs(),
            ["60 run start", "150 run stop", "151 run start"],
            "{sight:?}"
        );
    }
    for (sight, stop) in [(Sight::Bad, "62 run stop"), (Sight::None, "72 run stop")] {
        let world = Script::new(mission.clone())
            .sight(sight)
            .primary([(s(0), REFUSES)])
            .starts([Start::fails(s(2)), Start::works(s(2))])
            .play(s(73));
        assert_eq!(world.journal().runs()[1], stop, "{sight:?}");
    }
}

#[test]
fn a_start_that_had_all_its_time_gets_more_of_it_the_next_time() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::succeeds_but_never_listens(s(2))])
        .play(s(1000));
    // 60 s, 120 s, and then 240 s each; with the stop and the pauses between.
    assert_eq!(
        world.journal().run_times_of("start"),
        [60, 121, 243, 487, 735, 991].map(s)
    );
    let slow = Start {
        listens: Some(s(100)),
        ..Start::succeeds_but_never_listens(s(2))
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([slow])
        .play(s(1000));
    assert_eq!(world.journal().run_times_of("start"), [60, 121].map(s));
}

#[test]
fn a_listener_that_is_lost_while_its_start_command_runs_ends_that_at_once() {
    let dies = Start {
        listens: Some(s(2)),
        dies: Some(s(5)),
        ..Start::hangs()
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([dies, Start::works(s(2))])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "67 kill start",
            "67.02 start was ended by signal 9",
            "67.02 run stop",
            "68.02 stop succeeded",
            "68.02 run start",
            "70.02 start succeeded",
        ]
    );
}

/// As OpenClaw's does that restarts itself, or tries the port out before its unit takes it.
#[test]
fn a_listener_that_is_lost_and_comes_back_in_time_is_let() {
    let tries = Start {
        listens: Some(s(2)),
        dies: Some(ms(500)),
        lives: Duration::MAX,
        ..Start::hangs()
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([tries])
        .by_hand([(s(100), PortObservation::Listening)])
        .play(s(300));
    assert_eq!(world.journal().commands(), ["60 run start"]);
}

#[test]
fn a_port_that_somebody_else_takes_meanwhile_ends_a_start_that_failed() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::gives_up(s(5), 1, s(50))])
        .by_hand([(s(62), PortObservation::Foreign)])
        .play(s(70));
    assert_eq!(world.journal().runs(), ["60 run start", "65 run stop"]);
}

#[test]
fn a_start_is_up_when_the_port_listens_not_when_the_command_says_so() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::succeeds_and_listens_later(s(2), s(40))])
        .play(s(300));
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "100 active"]
    );
    assert_eq!(world.journal().runs(), ["60 run start"]);
}

#[test]
fn a_start_command_that_stays_in_the_foreground_is_left_alone() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::stays_in_the_foreground(s(2))])
        .play(s(3600));
    assert_eq!(world.journal().commands(), ["60 run start"]);
    assert_eq!(
        world.journal().states()[2..],
        ["60 starting 1", "62 active"]
    );
}

#[test]
fn a_gateway_in_the_foreground_that_dies_is_started_again_at_once() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([
            Start::stays_in_the_foreground(s(2)).then_dies_after(s(100)),
            Start::stays_in_the_foreground(s(2)),
        ])
        .play(s(3600));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "162 kill start",
            "162 start failed with exit code 1",
            "162 run start",
        ]
    );
}

#[test]
fn a_start_command_that_outlives_its_gateway_is_killed_and_run_again() {
    let hangs_around = Start {
        listens: Some(s(2)),
        dies: Some(s(100)),
        ..Start::hangs()
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([hangs_around, Start::works(s(2))])
        .play(s(3600));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "162 kill start",
            "162.02 start was ended by signal 9",
            "162.02 run start",
            "164.02 start succeeded",
        ]
    );
}

#[test]
fn a_gateway_that_dies_while_active_is_started_again_at_once() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([
            Start::works(s(2)).then_dies_after(ms(7300)),
            Start::works(s(2)),
        ])
        .play(s(300));
    assert_eq!(
        world.journal().runs_and_gateway(),
        [
            "0 gone",
            "60 run start",
            "62 listens",
            "69.3 gone",
            "69.3 run start",
            "71.3 listens",
        ]
    );
}

#[test]
fn a_gateway_that_keeps_dying_young_is_started_with_growing_pauses() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::works(s(0)).then_dies_after(s(1))])
        .play(s(170));
    // Up for a second each time, then pauses of 0, 1, 2, 4, 8, 16, 30 s.
    assert_eq!(
        world.journal().runs(),
        [
            "60 run start",
            "61 run start",
            "63 run start",
            "66 run start",
            "71 run start",
            "80 run start",
            "97 run start",
            "128 run start",
            "159 run start",
        ]
    );
}

#[test]
fn a_gateway_that_dies_after_a_long_life_is_started_again_at_once_every_time() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::works(s(0)).then_dies_after(s(30))])
        .play(s(155));
    assert_eq!(
        world.journal().runs(),
        [
            "60 run start",
            "90 run start",
            "120 run start",
            "150 run start"
        ]
    );
}

#[test]
fn nothing_is_started_beside_a_gateway_that_somebody_started() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .by_hand([(s(50), PortObservation::Listening)])
        .play(s(300));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "50 active"]
    );
    assert_eq!(world.journal().commands(), [""; 0]);
}

#[test]
fn a_gateway_that_somebody_starts_between_two_attempts_ends_them() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::fails(s(1))])
        .by_hand([(s(68), PortObservation::Listening)])
        .play(s(300));
    assert_eq!(world.journal().run_times_of("start"), [60, 62, 65].map(s));
    assert_eq!(world.journal().states().last().unwrap(), "68 active");
}

#[test]
fn a_success_between_two_attempts_ends_them_without_another_stop() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(70), ANSWERS)])
        .starts([Start::fails(ms(0))])
        .play(s(300));
    assert_eq!(
        world.journal().run_times_of("start"),
        [60, 61, 63, 67].map(s)
    );
    assert_eq!(
        world.journal().run_times_of("stop"),
        [60, 61, 63, 67].map(s)
    );
    assert_eq!(world.journal().states().last().unwrap(), "70 standby");
}

#[test]
fn the_stops_after_failed_starts_are_no_attempts_of_the_releases() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS)])
        .starts([Start::fails(ms(0)), Start::works(s(2))])
        .play(s(150));
    let states = world.journal().states();
    assert!(states.contains(&"100 stopping 1".to_owned()), "{states:?}");
}

#[test]
fn a_takeover_after_a_release_begins_with_the_shortest_pause_again() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS), (s(101), REFUSES)])
        .starts([Start::fails(ms(0))])
        .evidence([(ms(101_500), Evidence::Closed)])
        .play(s(163));
    let starts = world.journal().run_times_of("start");
    assert_eq!(starts[6..], [ms(161_550), ms(162_550)], "{starts:?}");
}
