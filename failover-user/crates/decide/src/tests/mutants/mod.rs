//! Deciders with one broken rule each: the oracle must catch every one of them.
//!
//! A mutant is a correct decider behind a driver that falsifies its settings, its events, its actions or its
//! timer. So no rule in the product needs a switch for it.

use std::time::Duration;

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};

use super::{
    s,
    script::{ANSWERS, REFUSES, Script},
    strategies::{horizon, script},
    world::World,
};
use crate::{
    Action, Decider, Event, Outcome, PortObservation, ProbeId, Settings, Step, Time,
    invariants::Invariant,
};

/// One test per mutation: the invariants that the oracle must find violated, and what is different.
macro_rules! mutants {
    ($($name:ident: $($violates:ident)+ => { $($field:ident: $value:expr,)* })*) => { $(
        #[test]
        fn $name() {
            let mutation = Mutation {
                violates: &[$(Invariant::$violates),+],
                $($field: $value,)*
                ..SOUND
            };
            mutation.is_caught();
        }
    )* };
}

mod acting;
mod hearing;
mod numbers;

/// One broken rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mutation {
    /// The invariants that the oracle must find violated.
    violates: &'static [Invariant],
    /// The settings that the decider gets.
    settings: fn(&mut Settings),
    /// The events that it gets for an event.
    hears: fn(&mut Mutant, Event) -> Option<Event>,
    /// The actions that are carried out for its actions.
    does: fn(&mut Mutant, &Event, &mut Vec<Action>),
    /// When it is woken.
    wakes: fn(&Mutant, Option<Time>) -> Option<Time>,
    /// A world that shows it, and until when; `None`: random worlds.
    shown_by: Option<fn() -> (Script, Duration)>,
}

/// No rule is broken.
const SOUND: Mutation = Mutation {
    violates: &[],
    settings: |_| {},
    hears: |_, event| Some(event),
    does: |_, _, _| {},
    wakes: |_, wake| wake,
    shown_by: None,
};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    decider: Decider,
    mutation: Option<Mutation>,
    settings: Settings,
    now: Time,
    /// The time that was hidden from it.
    lost: Duration,
    probe: Option<(ProbeId, Time)>,
    command: Option<Step>,
    /// Was the last conclusive probe answered? `None`: there was none.
    answered: Option<bool>,
    listening: bool,
    /// A fence has ended well, and witnesses have answered, once.
    fenced: bool,
    connected: bool,
}

impl Mutant {
    /// A decider with no broken rule.
    pub(super) fn sound(decider: Decider, settings: Settings) -> Self {
        Self {
            decider,
            mutation: None,
            settings,
            now: Time::default(),
            lost: Duration::ZERO,
            probe: None,
            command: None,
            answered: None,
            listening: false,
            fenced: false,
            connected: false,
        }
    }

    fn new(mutation: Mutation, settings: Settings, now: Time) -> Self {
        let mut mutated = settings.clone();
        (mutation.settings)(&mut mutated);
        Self {
            mutation: Some(mutation),
            now,
            ..Self::sound(Decider::new(mutated, now), settings)
        }
    }

    pub(super) fn decider(&self) -> &Decider {
        &self.decider
    }

    pub(super) fn is_mutated(&self) -> bool {
        self.mutation.is_some()
    }

    pub(super) fn next_wake(&self) -> Option<Time> {
        let wake = self.decider.next_wake().map(|wake| wake + self.lost);
        self.mutation
            .map_or(wake, |mutation| (mutation.wakes)(self, wake))
    }

    pub(super) fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        let Some(mutation) = self.mutation else {
            return self.decider.handle(now, [event]);
        };
        self.now = now;
        let heard = (mutation.hears)(self, event.clone()).unwrap_or(Event::Woke);
        self.note(&event);
        let mut actions = self.decider.handle(self.hidden(now), [heard]);
        (mutation.does)(self, &event, &mut actions);
        for action in &actions {
            if let Action::Run(command) = action {
                self.command = Some(*command);
            }
            if let Action::Probe { probe, .. } = action {
                self.probe = Some((*probe, now));
            }
        }
        actions
    }

    /// The decider gets the events unchanged.
    pub(super) fn handle_together(&mut self, now: Time, events: Vec<Event>) -> Vec<Action> {
        self.decider.handle(now, events)
    }

    /// The decider gets this event as well.
    fn tell(&mut self, event: Event, actions: &mut Vec<Action>) {
        let now = self.hidden(self.now);
        actions.extend(self.decider.handle(now, [event]));
    }

    /// Hides the time that passes between calls.
    fn lose_absence(&mut self) {
        let timeout = self.settings.timeout;
        let answer = self.probe.map(|(_, began)| began + timeout);
        let expected = [self.next_wake(), answer].into_iter().flatten().min();
        let late = expected.map_or(Duration::ZERO, |expected| self.now.since(expected));
        if late > s(1) {
            self.lost += late;
        }
    }

    /// The time that the decider is given.
    fn hidden(&self, time: Time) -> Time {
        Time::from_boot(time.as_duration().saturating_sub(self.lost))
    }

    fn note(&mut self, event: &Event) {
        if let Event::ProbeEnded { outcome, .. } = event {
            self.probe = None;
            self.answered = match outcome {
                Outcome::Connected { .. } => Some(true),
                Outcome::Failed { .. } => Some(false),
                Outcome::Unknown { .. } => self.answered,
            };
        }
        if let Event::Port(gateway) = event {
            self.listening = *gateway == PortObservation::Listening;
        }
        if let Event::CommandEnded { command, result } = event {
            self.command = None;
            self.fenced |= *command == Step::FENCE && result.is_success();
        }
    }
}

impl Mutation {
    /// Plays worlds until the oracle has found the violations.
    fn is_caught(self) {
        let mut runner = TestRunner::deterministic();
        let shown_by = self.shown_by.map(|shown_by| shown_by());
        let random = (0..200).map(|_| {
            let tree = script().new_tree(&mut runner);
            let script = tree.map(|tree| tree.current());
            let script = script.unwrap_or_else(|reason| panic!("{reason}"));
            let until = horizon(&script.settings);
            (script, until)
        });
        let mut seen = Vec::new();
        for (number, (script, until)) in shown_by.into_iter().chain(random).enumerate() {
            let mutant = Mutant::new(self, script.settings.clone(), Time::from_boot(script.boot));
            let mut world = World::mutated(mutant, script);
            world.play(until);
            world.calm_down(if number % 2 == 0 { ANSWERS } else { REFUSES });
            world.play(until + s(1000));
            let violated = world.violations();
            seen.extend(violated.iter().map(|violation| violation.invariant));
            if self.violates.iter().all(|violated| seen.contains(violated)) {
                return;
            }
        }
        panic!("not caught: seen is {seen:?}");
    }
}
