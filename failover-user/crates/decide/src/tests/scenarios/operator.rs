//! What an operator orders: pauses, takeovers and releases by hand.

use super::super::{
    super::{
        Action, Cause, Decider, Event, Evidence, Failure, GatewayProbeId, Order, Outcome,
        PortObservation, ProbeId, Refusal, Settings, State, Step, Time,
    },
    mission, ms, s,
    script::{ANSWERS, REFUSES, Script, Start, Stop, UNKNOWN},
};
use std::time::Duration;

/// The same moment as the decider knows it: scripts begin at an uptime of 1000 s.
fn at(second: u64) -> Time {
    Time::from_boot(Duration::from_secs(1000 + second))
}

const PAUSE: Order = Order::Pause { until: None };
const TAKE_OVER: Order = Order::TakeOver { force: false };
const FORCE: Order = Order::TakeOver { force: true };
const RELEASE: Order = Order::Release { hold_until: None };

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
fn a_release_does_not_stop_a_gateway_that_comes_up_after_the_released_one_was_gone() {
    // Ordered in the pause before the sixth restart of a gateway that keeps dying: nothing is left of it.
    let world = Script::mission()
        .primary([(s(0), REFUSES), (s(65), UNKNOWN)])
        .starts([Start::works(s(2)).then_dies_after(s(5))])
        .by_hand([(s(300), PortObservation::Listening)])
        .orders([(s(10), FORCE), (s(70), RELEASE)])
        .play(s(600));
    let states = world.journal().states();
    assert_eq!(states[states.len() - 2..], ["70 suspect 0", "300 active"]);
    assert!(world.journal().run_times_of("stop").is_empty());
}

#[test]
fn a_release_that_holds_is_not_followed_by_a_takeover_before_its_time() {
    let release = Order::Release {
        hold_until: Some(at(400)),
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
            "90.6 starting 1",
            "92.6 active"
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
    assert!(decider.must_probe_first(begin, TAKE_OVER));
    let actions = decider.handle(begin, [Event::Woke]);
    let [Action::Probe { probe, .. }] = actions[..] else {
        panic!("{actions:?}");
    };
    let outcome = Outcome::Connected { took: ms(1) };
    decider.handle(begin, [Event::ProbeEnded { probe, outcome }]);
    assert_eq!(refusal(&decider), Some(Refusal::PrimaryAnswers));
}

/// A decider whose probes end as the test says.
struct Probed {
    decider: Decider,
    now: Time,
    probe: Option<(ProbeId, Cause)>,
    check: Option<GatewayProbeId>,
}

const FAILED: Outcome = Outcome::Failed {
    failure: Failure::TimedOut,
    took: ms(0),
};
const ANSWERED: Outcome = Outcome::Connected { took: ms(0) };

fn unknown() -> Outcome {
    Outcome::unknown("no carrier".to_owned())
}

impl Probed {
    fn new(settings: Settings, gateway: PortObservation) -> Self {
        let mut probed = Self {
            decider: Decider::new(settings, at(0)),
            now: at(0),
            probe: None,
            check: None,
        };
        probed.handle(Event::Port(gateway));
        probed
    }

    fn handle(&mut self, event: Event) -> Vec<Action> {
        let actions = self.decider.handle(self.now, [event]);
        for action in &actions {
            match action {
                Action::Probe { probe, cause } => self.probe = Some((*probe, *cause)),
                Action::ProbeGateway { probe } => self.check = Some(*probe),
                _ => {}
            }
        }
        actions
    }

    /// The next probe ends like this; waits for it where none is in flight.
    fn ends(&mut self, outcome: Outcome) -> Cause {
        while self.probe.is_none() {
            self.wakes();
        }
        let (probe, cause) = self.probe.take().unwrap();
        self.handle(Event::ProbeEnded { probe, outcome });
        cause
    }

    fn wakes(&mut self) {
        self.now = self.decider.next_wake().unwrap().max(self.now);
        self.handle(Event::Woke);
    }

    fn refusal(&self) -> Option<Refusal> {
        self.decider.objection(self.now, TAKE_OVER)
    }

    fn must_probe_first(&self, order: Order) -> bool {
        self.decider.must_probe_first(self.now, order)
    }
}

#[test]
fn no_order_is_refused_by_an_answer_of_long_ago() {
    let mut probed = Probed::new(mission(), PortObservation::Absent);
    probed.ends(ANSWERED);
    assert_eq!(probed.refusal(), Some(Refusal::PrimaryAnswers));
    assert!(!probed.must_probe_first(TAKE_OVER));
    // A while later it is probed first, whatever the pace.
    probed.now = probed.now + s(2);
    assert!(probed.must_probe_first(TAKE_OVER) && probed.must_probe_first(FORCE));
    assert_eq!(probed.refusal(), Some(Refusal::CannotTell));
    probed.handle(Event::ProbeWanted);
    assert_eq!(probed.ends(unknown()), Cause::Ordered);
    assert_eq!(probed.refusal(), Some(Refusal::CannotTell));
    // One that fails lets it go on.
    probed.now = probed.now + s(1);
    probed.handle(Event::ProbeWanted);
    assert_eq!(probed.ends(FAILED), Cause::Ordered);
    assert_eq!(probed.refusal(), None);
    let actions = probed.handle(Event::Operator(TAKE_OVER));
    let start = Action::Run(Step::START);
    assert!(actions.contains(&start), "{actions:?}");
}

#[test]
fn a_flood_of_false_news_does_not_keep_an_order_waiting() {
    let mut probed = Probed::new(mission(), PortObservation::Absent);
    for _ in 0..20 {
        probed.ends(ANSWERED);
        probed.handle(Event::Evidence(Evidence::Closed, probed.now));
    }
    // The next early probe would wait for half a minute by now.
    let next = |probed: &Probed| probed.decider.next_wake().unwrap().since(probed.now);
    assert!(next(&probed) > s(10), "{:?}", next(&probed));
    probed.handle(Event::ProbeWanted);
    assert!(probed.probe.is_some() || next(&probed) <= s(1));
}

#[test]
fn others_whose_connections_work_are_the_reason_that_is_told() {
    let settings = Settings {
        veto_limit: 3,
        ..mission()
    };
    let mut probed = Probed::new(settings, PortObservation::Absent);
    probed.ends(ANSWERED);
    while probed.probe.is_none() {
        probed.wakes();
    }
    probed.handle(Event::Evidence(Evidence::Acknowledged, probed.now));
    probed.ends(FAILED);
    assert_eq!(probed.refusal(), Some(Refusal::OthersAnswered));
}

#[test]
fn an_order_that_waits_for_witnesses_has_them_asked_at_once() {
    let settings = Settings {
        witness_quorum: 1,
        ..mission()
    };
    let world = Script::new(settings)
        .primary([(s(0), REFUSES)])
        .witnesses([(s(0), Some(0)), (s(62), Some(1))])
        .orders([(s(65), TAKE_OVER)])
        .play(s(70));
    // Asked at 60, in vain; the next round would be due at 90, and the next probe as well.
    let runs = world.journal().run_times_of("start");
    assert!(runs.len() == 1 && runs[0] < s(67), "{runs:?}");
}

#[test]
fn two_serve_from_the_moment_in_which_the_second_one_does() {
    let mut probed = Probed::new(mission(), PortObservation::Absent);
    probed.handle(Event::Operator(PAUSE));
    probed.ends(ANSWERED);
    assert_eq!(probed.decider.two_serve(), None);
    probed.now = at(10);
    probed.handle(Event::Port(PortObservation::Listening));
    // It has answered before that, and may be gone.
    assert_eq!(probed.decider.two_serve(), None);
    probed.ends(ANSWERED);
    let since = probed.now;
    assert_eq!(probed.decider.two_serve(), Some(since));
    probed.ends(ANSWERED);
    probed.ends(unknown());
    assert_eq!(probed.decider.two_serve(), Some(since));
    for _ in 0..3 {
        probed.ends(FAILED);
        assert_eq!(probed.decider.two_serve(), None);
    }
    probed.ends(ANSWERED);
    assert_eq!(probed.decider.two_serve(), Some(probed.now));
    probed.handle(Event::Port(PortObservation::Absent));
    assert_eq!(probed.decider.two_serve(), None);
}

#[test]
fn a_check_of_the_local_gateway_counts_unless_it_is_being_stopped() {
    let settings = Settings {
        watch_gateway: true,
        ..mission()
    };
    let mut probed = Probed::new(settings, PortObservation::Listening);
    probed.ends(FAILED);
    let check = loop {
        match probed.check {
            Some(check) => break check,
            None if probed.probe.is_some() => drop(probed.ends(FAILED)),
            None => probed.wakes(),
        }
    };
    assert!(probed.decider.counts_gateway_probe(check));
    let mut gone = probed.decider.clone();
    gone.handle(probed.now, [Event::Port(PortObservation::Absent)]);
    assert!(!gone.counts_gateway_probe(check));
    probed.handle(Event::Operator(RELEASE));
    assert!(!probed.decider.counts_gateway_probe(check));
}
