//! Another step of a takeover, the step of a release that undoes it, and another gate: an address that moves
//! to the serving gateway, and a lease that must be held. They are defined completely in this file.

use std::time::Duration;

use super::{
    mission, ms, s,
    script::{ANSWERS, REFUSES, Script},
    world::World,
};
use crate::{
    Action, CommandResult, Decider, Demand, Event, Failure, Order, Outcome, PersistentState,
    PortObservation, ProbeId, Settings, State, Step, Time,
    gate::{Gate, Gates, Passage, Shown, Wait},
    invariants::Invariants,
    known::situation::Situation,
    step::{self, Definition, End, Steps},
};

const ADDRESS_UP: Step = Step::further("address-up");
const ADDRESS_DOWN: Step = Step::further("address-down");

const TAKE_ADDRESS: Definition = Definition {
    step: ADDRESS_UP,
    end: End::Success,
    demand: |_| Demand::Required,
    limit: |_| s(2),
    backoff: step::backoff,
    state: Some(|attempt| State::Starting { attempt }),
    undone_by: Some(ADDRESS_DOWN),
};

const GIVE_ADDRESS_BACK: Definition = Definition {
    step: ADDRESS_DOWN,
    state: Some(|attempt| State::Stopping { attempt }),
    undone_by: None,
    ..TAKE_ADDRESS
};

const STEPS: Steps = Steps {
    takeover: &[step::FENCE, TAKE_ADDRESS, step::START],
    release: &[step::STOP, GIVE_ADDRESS_BACK],
    ..Steps::STANDARD
};

/// The lease is held from then on.
const LEASED: Time = Time::from_boot(Duration::from_secs(1100));

#[derive(Debug)]
struct Lease;

impl Gate for Lease {
    fn check(&self, situation: &Situation, _: Step) -> Passage {
        if situation.now >= LEASED || situation.orders.forces() {
            return Passage::Open;
        }
        Passage::Waits(Wait {
            until: Some(LEASED),
            question: None,
            shown: Shown::Suspect,
        })
    }
}

/// The gates that there are, and the lease.
fn gates() -> Gates {
    let gates: Vec<&'static dyn Gate> = Gates::STANDARD
        .0
        .iter()
        .copied()
        .chain([&Lease as _])
        .collect();
    Gates(gates.leak())
}

fn settings() -> Settings {
    Settings {
        fence: Demand::Required,
        ..mission()
    }
}

fn decider(now: Time) -> Decider {
    Decider::with(STEPS, gates(), PersistentState::default(), settings(), now)
}

/// A world with these steps and gates.
fn played(script: Script, until: Duration) -> World {
    let decider = decider(Time::from_boot(script.boot));
    let invariants = Invariants::new(script.settings.clone());
    World::around(decider, invariants, script)
        .together()
        .played(until)
}

#[test]
fn a_takeover_waits_at_the_gate_and_takes_every_step_and_the_release_undoes_them_in_its_order() {
    let script = Script::new(settings()).primary([(s(0), REFUSES), (s(200), ANSWERS)]);
    let world = played(script, s(300));
    assert_eq!(
        world.journal().states(),
        [
            "0 suspect 1",
            "30 suspect 2",
            "60 suspect 3",
            "100 fencing 1",
            "100.5 starting 1",
            "102.8 active",
            "200 stopping 1",
            "201.3 standby",
        ]
    );
    assert_eq!(
        world.journal().runs(),
        [
            "100 run fence",
            "100.5 run address-up",
            "100.8 run start",
            "200 run stop",
            "201 run address-down",
        ]
    );
}

#[test]
fn a_gate_stays_closed_for_every_step_and_an_order_passes_the_gates_that_say_so() {
    let script = || Script::new(settings()).primary([(s(0), REFUSES)]);
    let waiting = played(script(), s(99));
    assert_eq!(waiting.journal().runs(), [""; 0]);
    let forced = played(
        script().orders([(s(70), Order::TakeOver { force: true })]),
        s(99),
    );
    assert_eq!(
        forced.journal().runs(),
        ["70 run fence", "70.5 run address-up", "70.8 run start"]
    );
}

/// Three strikes, the lease, and a fence that succeeded: the address is next.
fn fenced() -> (Decider, Time) {
    let mut now = LEASED + s(1000);
    let mut decider = decider(now);
    let mut actions = decider.handle(now, [Event::Port(PortObservation::Absent)]);
    for _ in 0..10 {
        if runs(&actions, Step::FENCE) {
            break;
        }
        let ended = probe_in(&actions).map(|probe| Event::ProbeEnded {
            probe,
            outcome: Outcome::Failed {
                failure: Failure::Refused,
                took: ms(0),
            },
        });
        if ended.is_none() {
            now = decider.next_wake().unwrap();
        }
        actions = decider.handle(now, ended);
    }
    let actions = decider.handle(now, [ended(Step::FENCE, CommandResult::Succeeded)]);
    assert!(runs(&actions, ADDRESS_UP), "{actions:?}");
    (decider, now)
}

fn runs(actions: &[Action], step: Step) -> bool {
    actions.contains(&Action::Run(step))
}

fn probe_in(actions: &[Action]) -> Option<ProbeId> {
    actions.iter().find_map(|action| match action {
        Action::Probe { probe, .. } => Some(*probe),
        _ => None,
    })
}

fn ended(command: Step, result: CommandResult) -> Event {
    Event::CommandEnded { command, result }
}

#[test]
fn a_step_that_fails_is_tried_again_after_growing_pauses_and_no_start_comes_before_it() {
    let (mut decider, mut now) = fenced();
    let failed = || ended(ADDRESS_UP, CommandResult::Failed { code: 1 });
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let before = now;
        let mut actions = decider.handle(now, [failed()]);
        for _ in 0..10 {
            if runs(&actions, ADDRESS_UP) {
                break;
            }
            assert!(!runs(&actions, Step::START) && !runs(&actions, Step::FENCE));
            now = decider.next_wake().unwrap();
            actions = decider.handle(now, []);
        }
        pauses.push(now.since(before));
    }
    assert_eq!(pauses, [s(1), s(2), s(4)]);
    assert_eq!(decider.state(), State::Starting { attempt: 4 });
    let actions = decider.handle(now, [ended(ADDRESS_UP, CommandResult::Succeeded)]);
    assert!(runs(&actions, Step::START), "{actions:?}");
}

#[test]
fn a_step_has_its_limit_and_what_it_left_is_undone_once_the_primary_is_back() {
    let (mut decider, begun) = fenced();
    let late = begun + s(2);
    let mut actions = decider.handle(late, []);
    assert!(actions.contains(&Action::Kill(ADDRESS_UP)), "{actions:?}");
    let killed = CommandResult::Signalled { signal: 9 };
    actions.extend(decider.handle(late, [ended(ADDRESS_UP, killed)]));
    let probe = probe_in(&actions).unwrap();
    let outcome = Outcome::Connected { took: ms(0) };
    let actions = decider.handle(late, [Event::ProbeEnded { probe, outcome }]);
    assert!(runs(&actions, ADDRESS_DOWN), "{actions:?}");
    assert_eq!(decider.state(), State::Stopping { attempt: 1 });
    let undone = ended(ADDRESS_DOWN, CommandResult::Succeeded);
    let actions = decider.handle(late, [undone]);
    assert!(!runs(&actions, ADDRESS_DOWN), "{actions:?}");
    assert_eq!(decider.state(), State::Standby);
}
