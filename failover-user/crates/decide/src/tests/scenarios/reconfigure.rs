//! Another configuration while it runs.

use std::{num::NonZeroU32, time::Duration};

use proptest::prelude::*;

use super::super::{
    super::{
        Action, CommandResult, Decider, Event, Failure, FlapHistory, Outcome, PortObservation,
        ProbeId, Probing, Settings, State, Step, Time,
    },
    mission, s,
    script::{REFUSES, Script, Start},
    strategies::{cases, horizon, script, settings},
};

fn at(time: Duration) -> Time {
    Time::from_boot(time)
}

fn probe_in(actions: &[Action]) -> Option<ProbeId> {
    actions.iter().find_map(|action| match action {
        Action::Probe { probe, .. } => Some(*probe),
        _ => None,
    })
}

fn refused() -> Outcome {
    Outcome::Failed {
        failure: Failure::Refused,
        took: Duration::ZERO,
    }
}

/// A decider with this number of strikes, the last one now.
fn with_strikes(settings: Settings, strikes: u32) -> (Decider, Time) {
    let (pace, mut now) = (settings.interval, s(0));
    let mut decider = Decider::new(settings, at(now));
    let mut probe = probe_in(&decider.handle(at(now), [Event::Port(PortObservation::Absent)]));
    for strike in 1..=strikes {
        let outcome = refused();
        decider.handle(
            at(now),
            [Event::ProbeEnded {
                probe: probe.unwrap(),
                outcome,
            }],
        );
        if strike < strikes {
            now += pace;
            probe = probe_in(&decider.handle(at(now), [Event::Woke]));
        }
    }
    (decider, at(now))
}

fn strikes(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).unwrap()
}

#[test]
fn strikes_survive_and_the_next_one_counts_by_the_new_numbers() {
    let (mut decider, now) = with_strikes(mission(), 2);
    let quick = Settings {
        interval: s(10),
        confirm_interval: s(10),
        ..mission()
    };
    let actions = decider.reconfigure(now, quick, Probing::AsBefore);
    assert_eq!(actions, []);
    assert_eq!(decider.state(), State::Suspect { strikes: 2 });
    assert_eq!(decider.next_wake(), Some(now + s(10)));
    let probe = probe_in(&decider.handle(now + s(10), [Event::Woke])).unwrap();
    let outcome = refused();
    let actions = decider.handle(now + s(10), [Event::ProbeEnded { probe, outcome }]);
    assert!(actions.contains(&Action::Run(Step::START)), "{actions:?}");
}

#[test]
fn fewer_strikes_that_are_there_already_are_a_takeover() {
    let (mut decider, now) = with_strikes(mission(), 2);
    let hasty = Settings {
        strikes: strikes(2),
        ..mission()
    };
    let actions = decider.reconfigure(now, hasty, Probing::AsBefore);
    assert!(actions.contains(&Action::Run(Step::START)), "{actions:?}");
}

#[test]
fn a_command_in_flight_goes_on_and_its_end_is_heard() {
    let (mut decider, now) = with_strikes(mission(), 3);
    assert_eq!(decider.state(), State::Starting { attempt: 1 });
    let patient = Settings {
        strikes: strikes(10),
        start_timeout: s(600),
        ..mission()
    };
    let actions = decider.reconfigure(now, patient, Probing::Anew);
    assert!(
        !actions.iter().any(|of| matches!(of, Action::Kill(_))),
        "{actions:?}"
    );
    assert_eq!(decider.state(), State::Starting { attempt: 1 });
    decider.handle(now, [Event::Port(PortObservation::Listening)]);
    let ended = Event::CommandEnded {
        command: Step::START,
        result: CommandResult::Succeeded,
    };
    decider.handle(now, [ended]);
    assert_eq!(decider.state(), State::Active);
}

#[test]
fn a_start_that_has_had_its_time_by_the_new_numbers_is_killed_and_costs_no_strikes() {
    let world = Script::mission()
        .primary([(s(0), REFUSES)])
        .starts([Start::hangs()])
        .play(s(100));
    let (mut decider, now) = world.decider();
    let impatient = Settings {
        start_timeout: s(10),
        ..mission()
    };
    let actions = decider.reconfigure(now, impatient, Probing::AsBefore);
    assert_eq!(actions[0], Action::Kill(Step::START));
    assert_eq!(decider.strikes().len(), 3);
}

#[test]
fn a_shorter_interval_is_none_that_was_missed() {
    let slow = Settings {
        interval: s(3600),
        confirm_interval: s(3600),
        ..mission()
    };
    let (mut decider, now) = with_strikes(slow, 1);
    let now = now + s(1000);
    let actions = decider.reconfigure(now, mission(), Probing::AsBefore);
    assert!(probe_in(&actions).is_some(), "{actions:?}");
    // It was long ago by the new numbers, but nobody was away.
    assert!(decider.next_wake().is_none_or(|wake| wake >= now));
}

#[test]
fn an_absence_is_noticed_all_the_same() {
    let (mut decider, now) = with_strikes(mission(), 2);
    decider.reconfigure(now + s(45), mission(), Probing::AsBefore);
    assert_eq!(decider.strikes(), []);
}

#[test]
fn nothing_is_known_of_another_primary_and_a_gateway_that_runs_goes_on() {
    let world = Script::mission().primary([(s(0), REFUSES)]).play(s(100));
    let (mut decider, now) = world.decider();
    assert_eq!(
        (decider.state(), decider.strikes().len()),
        (State::Active, 3)
    );
    assert!(decider.persistent_state().flap_history.taken_over);
    let actions = decider.reconfigure(now, mission(), Probing::OfAnother);
    assert_eq!(
        decider.persistent_state().flap_history,
        FlapHistory::default()
    );
    assert!(
        actions
            .iter()
            .all(|action| matches!(action, Action::Probe { .. }))
    );
    assert_eq!(
        (decider.state(), decider.strikes().len()),
        (State::Active, 0)
    );
}

#[test]
fn what_was_seen_healthy_says_nothing_of_another_question() {
    let needs_arming = || Settings {
        needs_arming: true,
        ..mission()
    };
    for (probing, armed) in [
        (Probing::AsBefore, true),
        (Probing::Anew, true),
        (Probing::SomethingElse, false),
        (Probing::OfAnother, false),
    ] {
        let (mut decider, now) = Script {
            settings: needs_arming(),
            ..Script::mission()
        }
        .play(s(10))
        .decider();
        assert!(decider.is_armed());
        decider.reconfigure(now, needs_arming(), probing);
        assert_eq!(decider.is_armed(), armed, "{probing:?}");
        // Where nobody asks for that, it is armed for anything.
        decider.reconfigure(now, mission(), probing);
        assert!(decider.is_armed(), "{probing:?}");
    }
}

#[test]
fn strikes_of_one_question_are_none_of_another() {
    let (mut decider, now) = with_strikes(mission(), 2);
    decider.reconfigure(now, mission(), Probing::Anew);
    assert_eq!(decider.strikes().len(), 2);
    decider.reconfigure(now, mission(), Probing::SomethingElse);
    assert_eq!(decider.strikes(), []);
}

#[test]
fn the_answer_to_a_probe_that_was_given_up_says_nothing() {
    let mut decider = Decider::new(mission(), at(s(0)));
    let given_up =
        probe_in(&decider.handle(at(s(0)), [Event::Port(PortObservation::Absent)])).unwrap();
    let changed = Settings {
        timeout: s(2),
        ..mission()
    };
    decider.reconfigure(at(s(1)), changed, Probing::Anew);
    let outcome = refused();
    decider.handle(
        at(s(3)),
        [Event::ProbeEnded {
            probe: given_up,
            outcome,
        }],
    );
    assert_eq!(decider.strikes(), []);
    assert!(probe_in(&decider.handle(at(s(30)), [Event::Woke])).is_some());
}

proptest! {
    #![proptest_config(cases(192))]

    #[test]
    fn whatever_the_new_numbers_are_nothing_seems_missed_and_no_strike_is_invented(
        script in script(),
        new in settings(),
        part in 0..100u32,
    ) {
        let (mut decider, now) = script.clone().play_one_by_one(horizon(&script.settings) * part / 100).decider();
        let before = decider.clone();
        let actions = decider.reconfigure(now, new, Probing::AsBefore);
        prop_assert!(decider.next_wake().is_none_or(|wake| wake >= now), "{:?}", decider.next_wake());
        // Without witnesses the strikes for want of a path go, from between the others as well.
        let mut earlier = before.strikes().iter();
        let is_earlier = |strike| earlier.any(|one| one == strike);
        prop_assert!(decider.strikes().iter().all(is_earlier), "{:?} {:?}", before.strikes(), decider.strikes());
        let runs = actions.iter().filter(|action| matches!(action, Action::Run(_)));
        prop_assert!(runs.count() <= 1);
        // By its own numbers nothing more is to be done at this moment.
        prop_assert_eq!(decider.handle(now, [Event::Woke]), []);
    }
}
