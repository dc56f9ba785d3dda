//! Forged histories: each breaks one rule, and is caught.

use std::time::Duration;

use super::*;
use failover_decide::Failure;

use crate::config::Configuration;

struct Forged {
    watch: Watch,
    decider: Decider,
    probe: ProbeId,
    interval: Duration,
}

impl Forged {
    fn new() -> Self {
        let mut forged = Self::unarmed(|_| {});
        forged.watch.sees(at(0), &Event::Armed);
        forged
    }

    /// With other settings than usual, for a primary that nobody has seen.
    fn unarmed(change: impl FnOnce(&mut Settings)) -> Self {
        let options = "primary = '192.0.2.1'\ndry-run = true".parse().unwrap();
        let mut settings = Configuration::load(options).unwrap().decide;
        change(&mut settings);
        let mut decider = Decider::new(settings.clone(), at(0));
        let actions = decider.handle(at(0), [Event::Port(PortObservation::Absent)]);
        let [Action::Probe { probe, .. }] = actions[..] else {
            panic!("{actions:?}");
        };
        Self {
            watch: Watch::new(&settings),
            decider,
            probe,
            interval: settings.interval,
        }
    }

    /// The decider is said to have done this.
    fn does(&mut self, second: u64, actions: &[Action]) {
        let wake = Some(at(second) + self.interval);
        self.watch.checks(at(second), actions, wake, &self.decider);
    }

    /// A probe begins, and ends a second later.
    fn probed(&mut self, second: u64, outcome: Outcome) {
        let probe = self.probe;
        let cause = Cause::Scheduled;
        self.does(second, &[Action::Probe { probe, cause }]);
        let ended = Event::ProbeEnded { probe, outcome };
        self.watch.sees(at(second + 1), &ended);
    }

    /// Strikes enough for a takeover.
    fn fails(&mut self) {
        for second in [100, 130, 160] {
            self.probed(second, failed());
        }
    }

    fn says(self) -> Vec<String> {
        self.watch.into_violations()
    }
}

fn at(second: u64) -> Time {
    Time::from_boot(Duration::from_secs(second))
}

fn failed() -> Outcome {
    Outcome::Failed {
        failure: Failure::Refused,
        took: Duration::from_secs(1),
    }
}

fn connected() -> Outcome {
    Outcome::Connected {
        took: Duration::from_secs(1),
    }
}

#[test]
fn a_good_history_is_none_of_its_business() {
    let mut forged = Forged::new();
    forged.fails();
    forged.does(161, &[Action::Run(Command::Start)]);
    assert_eq!(forged.says(), [""; 0]);
}

#[test]
fn a_start_needs_a_primary_that_was_seen_and_the_fence_where_there_is_one() {
    let mut forged = Forged::unarmed(|_| {});
    forged.fails();
    forged.does(161, &[Action::Run(Command::Start)]);
    assert!(forged.says()[0].contains("never seen healthy"));

    for (result, expected) in [
        (CommandResult::Failed { code: 1 }, 1),
        (CommandResult::Succeeded, 0),
    ] {
        let mut forged = Forged::unarmed(|settings| settings.fence = Fence::Required);
        forged.watch.sees(at(0), &Event::Armed);
        forged.fails();
        forged.does(161, &[Action::Run(Command::Fence)]);
        let command = Command::Fence;
        let ended = Event::CommandEnded { command, result };
        forged.watch.sees(at(162), &ended);
        forged.does(162, &[Action::Run(Command::Start)]);
        assert_eq!(forged.says().len(), expected);
    }
}

#[test]
fn orders_forbid_and_allow() {
    let said = |order, command| {
        let mut forged = Forged::new();
        forged.watch.sees(at(50), &Event::Operator(order));
        forged.fails();
        forged.does(161, &[Action::Run(command)]);
        forged.says().concat()
    };
    let until = |second| Some(at(second));
    let pause = |until| Order::Pause { until };
    assert!(said(pause(None), Command::Stop).contains("pause"));
    assert!(said(pause(until(200)), Command::Start).contains("pause"));
    assert_eq!(said(pause(until(150)), Command::Start), "");
    let release = |hold| Order::Release { hold_until: hold };
    assert!(said(release(until(200)), Command::Start).contains("holds"));
    assert_eq!(said(release(until(200)), Command::Stop), "");
    assert_eq!(said(release(until(150)), Command::Start), "");

    // Without a strike.
    for (force, answers, expected) in [(true, true, 0), (false, false, 0), (false, true, 1)] {
        let mut forged = Forged::new();
        forged.probed(100, if answers { connected() } else { failed() });
        let order = Order::TakeOver { force };
        forged.watch.sees(at(110), &Event::Operator(order));
        forged.does(111, &[Action::Run(Command::Start)]);
        assert_eq!(forged.says().len(), expected, "{force} {answers}");
    }
}

#[test]
fn a_start_needs_failures_that_are_fresh_apart_and_in_a_row() {
    let histories: [&[(u64, bool)]; 5] = [
        &[],
        &[(100, false), (130, false)],
        &[(100, false), (115, false), (130, false)],
        &[(100, false), (130, true), (150, false), (160, false)],
        &[(20, false), (130, false), (160, false)],
    ];
    for history in histories {
        let mut forged = Forged::new();
        for &(second, answered) in history {
            forged.probed(second, if answered { connected() } else { failed() });
        }
        forged.does(161, &[Action::Run(Command::Start)]);
        let said = forged.says();
        assert!(
            said[0].contains("fresh consecutive"),
            "{history:?} {said:?}"
        );
    }
}

#[test]
fn two_commands_or_probes_at_a_time_are_one_too_many() {
    let mut forged = Forged::new();
    forged.does(1, &[Action::Run(Command::Stop), Action::Run(Command::Stop)]);
    assert!(forged.says()[0].contains("two commands"));

    let mut forged = Forged::new();
    forged.probed(1, connected());
    let (probe, cause) = (forged.probe, Cause::Scheduled);
    let begin = Action::Probe { probe, cause };
    forged.does(31, &[begin.clone(), begin]);
    assert!(forged.says()[0].contains("two probes"));
}

#[test]
fn a_local_gateway_is_not_kept_beside_a_primary_that_answers() {
    let mut forged = Forged::new();
    forged
        .watch
        .sees(at(1), &Event::Port(PortObservation::Listening));
    for second in 2..60 {
        forged.probed(second, connected());
    }
    assert!(forged.says()[0].contains("kept"));
}

#[test]
fn a_decision_is_due_within_an_interval() {
    for wake in [None, Some(at(32))] {
        let mut forged = Forged::new();
        forged.watch.checks(at(1), &[], wake, &forged.decider);
        assert!(forged.says()[0].contains("no decision"));
    }
}

#[test]
fn a_state_that_is_never_left_is_seen() {
    let mut forged = Forged::new();
    // The decider was never told that somebody listens, and so never stops him.
    forged.watch.listening = true;
    forged.watch.end(at(1), &forged.decider);
    let said = forged.says();
    assert!(said[0].contains("never left, answers: true"), "{said:?}");
}
