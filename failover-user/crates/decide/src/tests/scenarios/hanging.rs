//! A local gateway that listens and doesn't answer.

use super::super::{
    super::{Settings, State},
    mission, s,
    script::{ANSWERS, REFUSES, Script, Start},
};

fn watchful() -> Settings {
    Settings {
        watch_gateway: true,
        ..mission()
    }
}

#[test]
fn a_gateway_that_hangs_has_three_strikes_of_its_own_and_is_started_again() {
    let world = Script::new(watchful())
        .primary([(s(0), REFUSES)])
        .hangs([(s(100), true)])
        .play(s(300));
    // It listens from 62 on, and is asked at 92, 122, 152 and 182; each silence takes 5 s.
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "62 start succeeded",
            "187 run stop",
            "188 stop succeeded",
            "188 run start",
            "190 start succeeded",
        ]
    );
    assert_eq!(
        world.journal().states()[2..],
        [
            "60 starting 1",
            "62 active",
            "187 restarting 1",
            "188 starting 1",
            "190 active"
        ]
    );
}

#[test]
fn one_that_has_never_answered_is_given_the_time_that_a_start_has() {
    let slow = Settings {
        start_timeout: s(360),
        ..watchful()
    };
    // It is asked each 30 s, and fails ten times before.
    let world = Script::new(slow.clone())
        .primary([(s(0), REFUSES)])
        .answers_after(s(300))
        .play(s(1000));
    assert_eq!(world.journal().runs(), ["60 run start"]);
    // One that never does has that time once, from its start, and then more.
    let world = Script::new(slow)
        .primary([(s(0), REFUSES)])
        .answers_after(s(100_000))
        .play(s(1300));
    assert_eq!(
        world.journal().runs(),
        [
            "60 run start",
            "420 run stop",
            "421 run start",
            "1141 run stop",
            "1142 run start"
        ]
    );
}

#[test]
fn one_that_answered_once_has_three_strikes_and_no_more_time() {
    let slow = Settings {
        start_timeout: s(3600),
        ..watchful()
    };
    let world = Script::new(slow)
        .primary([(s(0), REFUSES)])
        .hangs([(s(100), true)])
        .play(s(187));
    // Asked at 92 it answered.
    assert_eq!(world.journal().runs(), ["60 run start", "187 run stop"]);
}

#[test]
fn one_that_answers_again_in_time_is_left_alone() {
    let world = Script::new(watchful())
        .primary([(s(0), REFUSES)])
        .hangs([(s(100), true), (s(180), false)])
        .play(s(600));
    assert_eq!(world.journal().runs(), ["60 run start"]);
}

#[test]
fn one_that_hangs_in_the_foreground_is_killed_and_started_again() {
    let world = Script::new(watchful())
        .primary([(s(0), REFUSES)])
        .starts([Start::stays_in_the_foreground(s(2))])
        .hangs([(s(70), true)])
        .play(s(300));
    assert_eq!(
        world.journal().commands(),
        [
            "60 run start",
            "157 kill start",
            "157.02 start was ended by signal 9",
            "157.02 run stop",
            "158.02 stop succeeded",
            "158.02 run start"
        ]
    );
}

#[test]
fn one_that_hangs_when_the_primary_is_back_is_only_stopped() {
    let world = Script::new(watchful())
        .primary([(s(0), REFUSES), (s(100), ANSWERS)])
        .hangs([(s(62), true)])
        .play(s(600));
    assert_eq!(world.journal().runs(), ["60 run start", "100 run stop"]);
    assert_eq!(world.state(), State::Standby);
}
