//! What has happened, from events and actions alone: it must not rely on the decider, whose mistakes it would
//! share.
//!
//! It asks the decider only what no event shows: whether an order is followed, how many successes a release
//! takes now, and whether a probe was late by less than the schedule's slack.

use std::{num::NonZeroU32, time::Duration};

use super::{
    heard::{self, Guard},
    orders::Orders,
    parked::Parking,
    successes::Successes,
};
use crate::{
    Begun, Cause, CommandResult, Decider, DefaultRouter, Demand, Event, Failure, GatewayProbeId,
    Gone, Order, Outcome, PortObservation, ProbeId, RoundId, RouterId, Settings, Step, Time,
};

/// A call that is later than this follows an absence.
const ABSENCE: Duration = Duration::from_secs(2);
/// A timer may be this late without a probe counting as late.
pub(super) const SLACK: Duration = Duration::from_millis(2);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Books {
    pub(super) settings: Settings,
    /// From one probe to the next, at any pace.
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    /// From one success to the next, at most, for both to count.
    spacing: Duration,
    /// The most successes in a row that a release ever takes.
    pub(super) most_successes: u32,
    pub(super) probe: Option<(ProbeId, Cause, Time)>,
    /// When the failed probes in a row began, oldest first.
    pub(super) failures: Vec<Time>,
    /// When the last conclusive probe was answered, if it was.
    pub(super) success: Option<Time>,
    /// When a probe was last answered, whatever came after.
    pub(super) answered: Option<Time>,
    /// Successes in a row, by the strictest count and by the most lenient.
    pub(super) certainly: Successes,
    pub(super) possibly: Successes,
    pub(super) command: Option<InFlight>,
    /// When the last stop command ended.
    pub(super) stopped: Option<Time>,
    pub(super) gateway: Option<(PortObservation, Time)>,
    /// The last round of witness queries, when it began, and how many answered.
    pub(super) witnesses: Option<(RoundId, Time, Option<u32>)>,
    /// When enough of them answered last.
    pub(super) connected: Option<Time>,
    /// When the last probe began that found no path to the primary.
    pub(super) pathless: Option<Time>,
    /// The default routers, as they were looked up last.
    pub(super) routers: Vec<DefaultRouter>,
    /// Those that have answered pings while the primary was healthy.
    pub(super) proven: Vec<RouterId>,
    /// Other routers have taken their place.
    pub(super) replaced: bool,
    /// They were silent when they were pinged last.
    pub(super) doubted: bool,
    /// Since when too few witnesses answer.
    pub(super) isolated: Option<Time>,
    /// The fence command has ended as required, and what was seen before it still counts.
    pub(super) fenced: bool,
    /// What was seen before the last fence command began no longer counts.
    pub(super) outdated: bool,
    /// The probe that was in flight during an absence.
    pub(super) distrusted: Option<ProbeId>,
    pub(super) guard: Guard,
    /// When another program's connection last showed the primary alive.
    seen_alive: Option<Time>,
    /// A probe for bad news was answered: later bad news may be a false alarm, too.
    pub(super) false_alarm: bool,
    /// A start has run since the last stop: there may be something to undo.
    pub(super) started: bool,
    /// The primary was seen healthy once.
    pub(super) armed: bool,
    pub(super) orders: Orders,
    pub(super) parking: Parking,
    /// The check of the local gateway in flight, and how many failed in a row.
    pub(super) gateway_probe: Option<GatewayProbeId>,
    pub(super) gateway_failures: u32,
    /// It has answered since it began to listen, or its time for that is over.
    pub(super) gateway_answered: bool,
    /// When the last start command was run, or the absence ended during which it ran.
    pub(super) start: Option<Time>,
    /// What it started was last seen alive, and nothing has changed since.
    pub(super) comes_up: bool,
    /// The gateway's time to answer first counts from here, at the earliest.
    pub(super) first_answer_from: Option<Time>,
    pub(super) last_early: Option<Time>,
    pub(super) last_for_guard: Option<Time>,
    pub(super) last_on_schedule: Option<Time>,
    /// The last known next wake of the decider.
    pub(super) wake: Option<Time>,
    /// The current second, and how often the timer fired in it.
    pub(super) fired: (u64, u32),
}

/// A command in flight.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) command: Step,
    pub(super) killed: bool,
}

impl Books {
    pub(super) fn new(settings: Settings) -> Self {
        let flapping = settings.flapping.as_ref();
        let successes = flapping
            .into_iter()
            .flat_map(|rules| rules.successes.iter().copied());
        let paces = [
            settings.interval,
            settings.recovery_interval,
            settings.confirm_interval,
        ];
        Self {
            spacing: flapping.map_or(settings.recovery_interval, |rules| {
                settings.recovery_interval.max(rules.interval)
            }),
            most_successes: successes.max().map_or(1, NonZeroU32::get),
            shortest: paces.into_iter().min().unwrap_or_default(),
            longest: paces.into_iter().max().unwrap_or_default(),
            probe: None,
            failures: Vec::new(),
            success: None,
            answered: None,
            certainly: Successes::default(),
            possibly: Successes::default(),
            command: None,
            stopped: None,
            gateway: None,
            witnesses: None,
            connected: None,
            pathless: None,
            routers: Vec::new(),
            proven: Vec::new(),
            replaced: false,
            doubted: false,
            isolated: None,
            fenced: false,
            outdated: false,
            distrusted: None,
            guard: Guard::default(),
            seen_alive: None,
            false_alarm: false,
            started: false,
            armed: !settings.needs_arming,
            orders: Orders::default(),
            parking: Parking::default(),
            gateway_probe: None,
            gateway_failures: 0,
            gateway_answered: false,
            start: None,
            comes_up: false,
            first_answer_from: None,
            last_early: None,
            last_for_guard: None,
            last_on_schedule: None,
            wake: None,
            fired: (0, 0),
            settings,
        }
    }

    /// PC-B has booted: nothing is in flight, and only the standing orders and the routers that have answered
    /// are still known.
    pub(super) fn boot(&mut self) {
        let mut orders = self.orders;
        orders.boot();
        *self = Self {
            orders,
            proven: std::mem::take(&mut self.proven),
            ..Self::new(self.settings.clone())
        };
    }

    /// Takes an event in, before the decider gets it.
    pub(super) fn observe(&mut self, now: Time, event: &Event, before: &Decider) {
        if *event == Event::Suspended || self.is_late(now, before) {
            self.note_absence(now);
        }
        self.orders.expire(now);
        match event {
            Event::Woke
            | Event::Suspended
            | Event::GatewayDrains
            | Event::PrimaryDrains(_)
            | Event::ProbeWanted => {}
            Event::Begun(begun) => {
                self.comes_up = *begun == Begun::Alive && before.awaits_start();
            }
            // Its time may have been over long ago.
            Event::GatewayBegan(_) => self.gateway_answered = true,
            Event::Guard(seen) => self.guard_observed(now, *seen),
            Event::Armed => self.armed = true,
            Event::Operator(order) => self.ordered(now, *order, before),
            Event::Parking(seen) => self.parking_seen(*seen, before),
            Event::Standby { mode, can_park } => self.standby_changes(*mode, *can_park),
            Event::GatewayProbed { probe, outcome } => self.gateway_probed(*probe, outcome),
            Event::DefaultRouters(routers) => self.routers_found(routers),
            Event::RoutersPinged { answered } => self.routers_answered(answered),
            Event::Evidence(evidence, seen) => {
                // A sign of life may withdraw the failure that confirmed a loss.
                self.guard.certainly_failed = None;
                if evidence.is_good() {
                    self.seen_alive = self.seen_alive.max(Some(now.min(*seen)));
                }
            }
            Event::Witnesses { round, answered } => self.witnesses_answered(now, *round, *answered),
            Event::ProbeEnded { probe, outcome } => self.probe_ended(now, *probe, outcome, before),
            Event::Port(gateway) => {
                if self.gateway.is_none_or(|(before, _)| before != *gateway) {
                    self.gateway = Some((*gateway, now));
                    self.gateway_probe = None;
                    self.gateway_failures = 0;
                    self.gateway_answered = false;
                    self.comes_up = false;
                }
            }
            Event::CommandEnded { command, result } => self.command_ended(now, *command, result),
        }
        self.release_ends();
    }

    /// A release is over when nothing is left to stop. A start may have left something behind that doesn't
    /// listen, but a gateway that has listened and is gone has not: only the decider can tell them apart.
    fn release_ends(&mut self) {
        let is_busy = self
            .command
            .is_some_and(|in_flight| !in_flight.command.is_of_standby());
        if is_busy || self.listens() {
            return;
        }
        self.orders.must_release = false;
        if !self.started {
            self.orders.end_release();
        }
    }

    fn probe_ended(&mut self, now: Time, probe: ProbeId, outcome: &Outcome, before: &Decider) {
        let Some((_, cause, began)) = self.probe.take_if(|(id, ..)| *id == probe) else {
            return;
        };
        let outcome = self.counted(outcome);
        if !matches!(outcome, Outcome::Connected { .. }) {
            self.doubted = false;
        }
        let distrusted = self.distrusted == Some(probe);
        if let Outcome::Failed { failure, .. } = outcome
            && failure == Failure::Gone(Gone::Path)
            && !distrusted
            && cause != Cause::GoodNews
        {
            self.pathless = Some(began);
        }
        match (outcome, cause) {
            (Outcome::Connected { .. }, _) => self.primary_answered(now, began, cause, before),
            (Outcome::Failed { .. }, _) if distrusted => {}
            (Outcome::Failed { failure, .. }, cause) if heard::is_short(cause, failure) => {
                self.failed_for_guard(now, failure, began, false);
            }
            (
                Outcome::Failed { failure, .. },
                Cause::Scheduled | Cause::BadNews | Cause::Ordered | Cause::Guard,
            ) => {
                // What other connections showed may excuse it, unless TCP connected.
                let rumour = cause == Cause::BadNews && self.false_alarm;
                let excused = rumour && failure.is_silence();
                let counts = self.settings.veto_limit == 0
                    || failure.is_above_tcp()
                    || self.seen_alive.is_none_or(|seen| seen < began);
                self.failed_for_guard(now, failure, began, excused || !counts);
                self.failures.push(began);
                self.certainly = Successes::default();
                if counts && !excused {
                    self.success = None;
                    self.possibly = Successes::default();
                }
            }
            (Outcome::Failed { .. }, Cause::GoodNews) | (Outcome::Unknown { .. }, _) => {}
        }
    }

    fn primary_answered(&mut self, now: Time, began: Time, cause: Cause, before: &Decider) {
        self.failures.clear();
        self.guard_answered();
        self.false_alarm |= cause == Cause::BadNews;
        if !self.orders.forces() {
            self.outdate_fence();
        }
        self.nobody_was_asked();
        self.routers_are_judged();
        self.success = Some(now);
        self.answered = Some(now);
        self.armed = true;
        let recovery = self.settings.recovery_interval;
        self.certainly.add(began, self.spacing, self.most_successes);
        let needs = before.release_needs();
        let least = if needs > 1 { self.spacing } else { recovery };
        self.possibly
            .add(began, least.saturating_sub(SLACK * 2), self.most_successes);
        if needs <= 1 || self.certainly.count >= self.most_successes {
            self.orders.primary_is_back();
        }
    }

    fn gateway_probed(&mut self, probe: GatewayProbeId, outcome: &Outcome) {
        if self.gateway_probe.take_if(|id| *id == probe).is_none() {
            return;
        }
        match outcome {
            Outcome::Connected { .. } => {
                self.gateway_failures = 0;
                self.gateway_answered = true;
            }
            Outcome::Failed { .. } => self.gateway_failures += 1,
            Outcome::Unknown { .. } => {}
        }
    }

    fn command_ended(&mut self, now: Time, command: Step, result: &CommandResult) {
        let ended = self
            .command
            .take_if(|in_flight| in_flight.command == command);
        if ended.is_some() {
            self.parking_command_ended(now, command, result);
        }
        match command {
            Step::START => self.comes_up = false,
            Step::STOP => self.stopped = Some(now),
            Step::FENCE => {
                let good = result.is_success() || self.settings.fence == Demand::Optional;
                self.fenced |= ended.is_some() && good && !self.outdated;
            }
            _ => {}
        }
    }

    fn ordered(&mut self, now: Time, order: Order, before: &Decider) {
        let objection = if self.is_late(now, before) {
            let mut judge = before.clone();
            judge.note_absence(now);
            judge.objection(now, order)
        } else {
            before.objection(now, order)
        };
        if objection.is_some() {
            return;
        }
        self.orders.follow(order);
        if order == Order::Drill {
            self.drill_begins();
        }
        if matches!(order, Order::Release { .. }) {
            // The operator knew of the failures until now.
            self.failures.clear();
            self.nobody_was_asked();
            self.outdate_fence();
        }
    }

    pub(super) fn outdate_fence(&mut self) {
        self.fenced = false;
        self.outdated = true;
    }

    /// After an absence, nothing that was seen before counts.
    fn note_absence(&mut self, now: Time) {
        self.failures.clear();
        self.guard = Guard::default();
        self.outdate_fence();
        self.nobody_was_asked();
        self.distrusted = self.probe.map(|(probe, ..)| probe);
        self.gateway_failures = 0;
        self.start = self.start.map(|_| now);
        self.comes_up = false;
        if let Some((PortObservation::Listening, since)) = &mut self.gateway
            && !self.gateway_answered
        {
            // Its time starts again.
            self.first_answer_from = Some(now.max(*since));
        }
    }

    /// Is the decider called later than it asked for, or is a probe's end later than its timeout?
    fn is_late(&self, now: Time, before: &Decider) -> bool {
        let is_absence = |expected: Time| now > expected && now.since(expected) > ABSENCE;
        self.wake.is_some_and(is_absence)
            || self.probe.is_some_and(|(.., began)| {
                // A probe may be due a timer's slack before it begins: only the decider knows when.
                let answer = began + self.settings.timeout;
                is_absence(answer)
                    || (now > answer
                        && before
                            .probe_due()
                            .is_some_and(|due| is_absence(due + self.settings.timeout)))
            })
    }

    /// A probe without a path has failed if a witness can confirm that PC-B's network works.
    pub(super) fn counted(&self, outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Unknown {
                gone: Some(gone), ..
            } if *gone == Gone::Address || self.needed() > 0 => Outcome::Failed {
                failure: Failure::Gone(*gone),
                took: Duration::ZERO,
            },
            outcome => outcome.clone(),
        }
    }

    pub(super) fn listens(&self) -> bool {
        matches!(self.gateway, Some((PortObservation::Listening, _)))
    }
}
