//! What an operator orders: pauses, takeovers and releases by hand.

use super::super::{
    super::{Action, Decider, Event, Order, Outcome, Refusal, Settings, State, Time},
    mission, ms, s,
    script::{ANSWERS, REFUSES, Script, Start, Stop},
};
use std::time::Duration;

/// The same moment as the decider knows it: scripts begin at an uptime of 1000 s.
fn at(second: u64) -> Time {
    Time::from_boot(Duration::from_secs(1000 + second))
}

const PAUSE: Order = Order::Pause { until: None };
const TAKE_OVER: Order = Order::TakeOver { force: false };
const FORCE: Order = Order::TakeOver { force: true };
const RELEASE: Order = Order::Release { hold: None };

#[test]
fn a_pause_runs_nothing_and_tells_what_it_would_have_run() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(10), PAUSE)])
        .play(s(600));
    assert_eq!(
        world.journal().states(),
        ["0 suspect 1", "30 suspect 2", "60 paused"]
    );
    assert_eq!(world.journal().runs_and_withheld(), ["60 withhold start"]);
}

#[test]
fn when_it_is_resumed_what_is_due_is_done() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(10), PAUSE), (s(100), Order::Resume)])
        .play(s(600));
    assert_eq!(
        world.journal().runs_and_withheld(),
        ["60 withhold start", "100 run start"]
    );
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let pause = Order::Pause {
        until: Some(at(200)),
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(10), pause)])
        .play(s(600));
    assert_eq!(world.journal().runs(), ["200 run start"]);
}

#[test]
fn a_pause_stops_nothing_either() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS)])
        .orders([(s(90), PAUSE), (s(150), Order::Resume)])
        .play(s(600));
    assert_eq!(
        world.journal().runs_and_withheld(),
        ["60 run start", "100 withhold stop", "150 run stop"]
    );
}

#[test]
fn a_takeover_by_hand_waits_for_no_more_strikes() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(10), TAKE_OVER)])
        .play(s(60));
    assert_eq!(world.journal().runs(), ["10 run start"]);
    assert_eq!(world.state(), State::Active);
}

#[test]
fn it_is_released_as_any_other() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(100), ANSWERS)])
        .orders([(s(10), TAKE_OVER)])
        .play(s(200));
    assert_eq!(world.journal().runs(), ["10 run start", "100 run stop"]);
}

#[test]
fn a_healthy_primary_is_taken_over_by_force_only_and_then_until_a_release() {
    let world = Script::mission()
        .orders([(s(10), TAKE_OVER), (s(40), FORCE), (s(400), RELEASE)])
        .play(s(600));
    assert_eq!(world.journal().runs(), ["40 run start", "400 run stop"]);
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn a_release_by_hand_stops_although_the_primary_is_down_and_strikes_start_again() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(90), RELEASE)])
        .play(s(155));
    let runs = world.journal().runs();
    assert_eq!(runs[..2], ["60 run start", "90 run stop"]);
    let again = world.journal().run_times_of("start")[1];
    assert!(again >= s(150), "{runs:?}");
}

#[test]
fn a_release_that_holds_is_not_followed_by_a_takeover_before_its_time() {
    let release = Order::Release {
        hold: Some(at(400)),
    };
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .orders([(s(90), release)])
        .play(s(500));
    assert_eq!(
        world.journal().runs(),
        ["60 run start", "90 run stop", "400 run start"]
    );
    assert!(
        world
            .journal()
            .states()
            .iter()
            .any(|state| state.ends_with("released"))
    );
}

#[test]
fn a_takeover_by_hand_needs_its_witnesses_unless_it_is_forced() {
    let settings = Settings {
        witness_quorum: 1,
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), REFUSES)])
        .witnesses([(s(0), Some(0))])
        .orders([(s(10), TAKE_OVER), (s(20), FORCE)])
        .play(s(25));
    assert_eq!(world.journal().runs(), ["20 run start"]);
}

#[test]
fn a_takeover_by_hand_waits_for_a_failed_probe_after_an_absence() {
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(300), ANSWERS)])
        .starts([Start::fails(s(2))])
        .orders([(s(31), TAKE_OVER)])
        .stall(s(33), s(4000))
        .play(s(4100));
    assert_eq!(world.journal().run_times_of("start"), [s(31)]);
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn a_takeover_by_hand_waits_for_a_failed_probe_after_an_isolation() {
    let settings = Settings {
        witness_quorum: 1,
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), REFUSES), (s(300), ANSWERS)])
        .witnesses([(s(0), Some(0)), (s(300), Some(1))])
        .orders([(s(10), TAKE_OVER)])
        .play(s(400));
    assert_eq!(world.journal().runs(), [""; 0]);
    assert_eq!(world.state(), State::Standby);
}

#[test]
fn a_primary_that_was_down_at_a_release_is_suspect_and_may_be_taken_over_by_hand_again() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .stops([Stop::works(ms(10))])
        .orders([(ms(90_500), RELEASE), (ms(90_600), TAKE_OVER)])
        .play(s(100));
    let states = world.journal().states();
    assert_eq!(
        states[4..],
        [
            "90.5 stopping 1",
            "90.51 suspect 0",
            "90.65 starting 1",
            "92.65 active"
        ]
    );
}

#[test]
fn of_a_primary_that_was_not_asked_yet_nobody_says_that_it_answers() {
    let settings = mission();
    let begin = at(0);
    let mut decider = Decider::new(settings, begin);
    let refusal = |decider: &Decider| decider.objection(begin, TAKE_OVER);
    assert_eq!(refusal(&decider), Some(Refusal::NotAsked));
    let actions = decider.handle(begin, Event::Woke);
    let [Action::Probe { probe, .. }] = actions[..] else {
        panic!("{actions:?}");
    };
    let outcome = Outcome::Connected { took: ms(1) };
    decider.handle(begin, Event::ProbeEnded { probe, outcome });
    assert_eq!(refusal(&decider), Some(Refusal::PrimaryAnswers));
}
