//! What must never happen, whatever is seen, and what must always happen in the end: the one oracle for the
//! tests and for `failover simulate`.
//!
//! It keeps its own [books](books) from events and actions alone, so that it doesn't share the decider's
//! mistakes. It must not know what drives the decider: a script, random events or a simulated network.
//!
//! Call [`Invariants::before`] before each [`Decider::handle`], and [`Invariants::after`] after it.
//! Violations are collected, not raised.

mod books;
mod copies;
mod guard;
mod heard;
mod liveness;
mod orders;
mod parked;
mod parking;
mod probing;
mod release;
mod successes;
mod takeover;
mod violation;
mod witnesses;

use books::Books;
use violation::Violations;
pub use violation::{Invariant, Violation};

use crate::{
    Action, Decider, Event, GatewayProbeId, ProbeId, RoundId, Settings, State, Step, Time,
};

/// An event causes at most one action of each kind.
const MOST_ACTIONS: usize = 8;

/// How often copies of the decider are run ahead, besides the checks at every event: that takes far longer than
/// everything else.
#[derive(Clone, Copy, Debug)]
struct Copies {
    /// From one event with copies to the next.
    period: u32,
    /// Number of changes of state after each of which a copy is run until it leaves that state.
    changes: u32,
}

impl Copies {
    const EVERY_EVENT: Self = Self {
        period: 1,
        changes: 2,
    };
    const SAMPLED: Self = Self {
        period: 10_000,
        changes: 50,
    };
}

/// The oracle. See the module.
#[derive(Clone, Debug)]
pub struct Invariants {
    books: Books,
    before: Before,
    copies: Copies,
    /// Events until the next one with copies; 0: this one.
    until_copies: u32,
    /// Changes of state after which a copy will still be run.
    changes_left: u32,
    violations: Violations,
}

/// The decider before the last event.
#[derive(Clone, Copy, Debug)]
struct Before {
    state: State,
    primary_answers: Option<bool>,
    /// The flap level of the primary.
    level: usize,
}

impl Before {
    fn of(decider: &Decider) -> Self {
        Self {
            state: decider.state(),
            primary_answers: decider.primary_answers(),
            level: decider.flap_level(),
        }
    }
}

impl Invariants {
    /// For a decider with these settings that has seen nothing. Cheap enough for years of simulated time.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self::with(settings, Copies::SAMPLED)
    }

    /// The same with copies at every event: for tests.
    #[must_use]
    pub fn thorough(settings: Settings) -> Self {
        Self::with(settings, Copies::EVERY_EVENT)
    }

    fn with(settings: Settings, copies: Copies) -> Self {
        Self {
            books: Books::new(settings),
            before: Before {
                state: State::Standby,
                primary_answers: None,
                level: 0,
            },
            copies,
            until_copies: 1,
            changes_left: copies.changes,
            violations: Violations::default(),
        }
    }

    /// PC-B has booted, and the next event goes to a new decider: nothing is in flight, nothing listens.
    pub fn boot(&mut self) {
        self.books.boot();
    }

    /// Takes in an event that `decider` is about to handle.
    pub fn before(&mut self, now: Time, event: &Event, decider: &Decider) {
        let goes_on = now >= self.violations.now;
        self.violations.now = now;
        self.violations.unless(goes_on, Invariant::TimeGoesOn, || {
            format!("now it is {now:?}")
        });
        self.until_copies = match self.until_copies {
            0 => self.copies.period - 1,
            left => left - 1,
        };
        if self.until_copies == 0 {
            self.books
                .changes_nothing(now, event, decider, &mut self.violations);
        }
        if matches!(event, Event::Woke) && self.books.wake.is_some_and(|wake| wake <= now) {
            self.books.timer_fires(now, &mut self.violations);
        }
        self.before = Before::of(decider);
        self.books.observe(now, event, decider);
    }

    /// Takes in the actions that `decider` has returned, and its next wake.
    pub fn after(&mut self, now: Time, actions: &[Action], wake: Option<Time>, decider: &Decider) {
        let Self {
            books, violations, ..
        } = self;
        books.wake = wake;
        if self.before.primary_answers == Some(false) && decider.primary_answers().is_none() {
            // The last strike has expired.
            books.outdate_fence();
        }
        for action in actions {
            match action {
                Action::Probe { probe, cause } => {
                    books.probe_begins(now, (*probe, *cause), violations);
                }
                Action::Run(step) => match *step {
                    Step::START => books.start_runs(now, decider, violations),
                    Step::STOP => books.stop_runs(now, decider, violations),
                    Step::FENCE => books.fence_runs(now, decider, violations),
                    Step::PARK => books.park_runs(decider, violations),
                    Step::DISCARD => books.discard_runs(decider, violations),
                    step => books.other_runs(step),
                },
                Action::Kill(command) => books.kill_runs(now, *command, violations),
                Action::AskWitnesses { round } => books.witnesses_asked(now, *round),
                Action::PingRouters => books.routers_pinged(now, violations),
                Action::ProbeGateway { probe } => books.gateway_probe_begins(*probe, violations),
                Action::Withhold(command) => {
                    violations.unless(books.orders.pause.is_some(), Invariant::Withheld, || {
                        command
                    });
                }
                Action::DrillEnded(_) => books.drill_ends(violations),
                Action::Record(_) | Action::Standby(_) => {}
            }
        }
        books.is_released(now, violations);
        books.parked_is_discarded(now, decider, violations);
        books.strikes_are_failures(now, decider, violations);
        books.decision_is_due(now, wake, violations);
        self.changes_are_recorded(actions, decider);
        self.orders_are_no_flaps(decider);
        if self.until_copies == 0 {
            let Self {
                books, violations, ..
            } = self;
            books.refusals_are_fresh(now, decider, violations);
            books.timer_moves(now, decider, violations);
            books.parking_delays_nothing(now, decider, violations);
        }
        if decider.state() != self.before.state && self.changes_left > 0 {
            self.changes_left -= 1;
            self.end(now, decider);
        }
    }

    /// Nothing more will come: can this state be left?
    pub fn end(&mut self, now: Time, decider: &Decider) {
        self.books.state_is_left(now, decider, &mut self.violations);
    }

    /// What did not hold: the first violation of each invariant.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations.first
    }

    /// Number of violations.
    #[must_use]
    pub fn violated(&self) -> u64 {
        self.violations.count
    }

    /// The probe in flight.
    #[must_use]
    pub fn probe(&self) -> Option<ProbeId> {
        self.books.probe.map(|(probe, ..)| probe)
    }

    /// The round of witness queries in flight.
    #[must_use]
    pub fn round(&self) -> Option<RoundId> {
        self.books.round()
    }

    /// The check of the local gateway in flight.
    #[must_use]
    pub fn gateway_probe(&self) -> Option<GatewayProbeId> {
        self.books.gateway_probe
    }

    /// The command in flight.
    #[must_use]
    pub fn command(&self) -> Option<Step> {
        self.books.command.map(|in_flight| in_flight.command)
    }

    fn changes_are_recorded(&mut self, actions: &[Action], after: &Decider) {
        let before = self.before.state;
        let recorded = actions.iter().filter_map(|action| {
            let Action::Record(change) = action else {
                return None;
            };
            Some((change.from, change.to))
        });
        let changed = (before != after.state()).then_some((before, after.state()));
        self.violations
            .unless(recorded.eq(changed), Invariant::ChangeRecorded, || {
                format!("{changed:?}, and recorded is {actions:?}")
            });
        self.violations
            .unless(actions.len() <= MOST_ACTIONS, Invariant::FewActions, || {
                format!("{actions:?}")
            });
    }

    /// While an operator's order is in force, nothing raises the flap level.
    fn orders_are_no_flaps(&mut self, after: &Decider) {
        let Before {
            primary_answers,
            level,
            ..
        } = self.before;
        // A configured level may require fewer successes than the one below it.
        if after.flap_level() <= level {
            return;
        }
        let began = primary_answers != Some(false) && after.primary_answers() == Some(false);
        let raised = after.flap_level();
        let inhibited = after.pause().is_some() || after.hold_until().is_some();
        self.violations.unless(
            !(after.takes_over_by_order() || inhibited && began),
            Invariant::OrdersAreNoFlaps,
            || format!("from level {level} to {raised}"),
        );
    }
}
