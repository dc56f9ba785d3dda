//! What a takeover requires: failed probes, witnesses, the fence, a free port, and no order against it.

use std::time::Duration;

use super::{
    books::{Books, InFlight, SLACK},
    violation::{Invariant, Violations},
};
use crate::{Decider, Demand, Failure, Gone, PortObservation, Step, Time};

impl Books {
    pub(super) fn start_runs(&mut self, now: Time, after: &Decider, violations: &mut Violations) {
        self.takeover_begins(now, Step::START, after, violations);
        violations.unless(
            self.fenced || self.settings.fence == Demand::None,
            Invariant::Fenced,
            || "the fence hasn't ended well since the primary answered",
        );
        self.started = true;
        self.parked_is_used();
        self.orders.end_release();
        self.start = Some(now);
        self.comes_up = false;
    }

    pub(super) fn fence_runs(&mut self, now: Time, after: &Decider, violations: &mut Violations) {
        violations.unless(
            self.settings.fence != Demand::None && !self.fenced,
            Invariant::FencedOnce,
            || format!("{:?}, fenced {}", self.settings.fence, self.fenced),
        );
        self.takeover_begins(now, Step::FENCE, after, violations);
        self.outdated = false;
    }

    fn takeover_begins(
        &mut self,
        now: Time,
        command: Step,
        after: &Decider,
        violations: &mut Violations,
    ) {
        self.may_run(command, violations);
        violations.unless(self.orders.hold.is_none(), Invariant::Held, || {
            format!(
                "{command}, and the release holds until {:?}",
                self.orders.hold
            )
        });
        let forced = self.orders.forces();
        violations.unless(self.armed || forced, Invariant::Armed, || command);
        violations.unless(
            self.orders.takeover.is_some() || !self.is_being_restarted(now),
            Invariant::RestartWaits,
            || format!("{command}, and {:?}", self.guard),
        );
        self.network_is_there(now, command, violations);
        violations.unless(
            matches!(
                self.gateway,
                Some((PortObservation::Absent | PortObservation::Terminating, _))
            ),
            Invariant::PortFree,
            || format!("{command}, and the local port is {:?}", self.gateway),
        );
        self.has_failed(now, command, after, violations);
        self.path_is_still_missing(after, violations);
        self.other_runs(command);
    }

    /// A step without rules of its own.
    pub(super) fn other_runs(&mut self, command: Step) {
        self.command = Some(InFlight {
            command,
            killed: false,
        });
    }

    /// What holds for every command.
    pub(super) fn may_run(&self, command: Step, violations: &mut Violations) {
        violations.unless(self.command.is_none(), Invariant::OneCommand, || {
            format!("{command} beside {:?}", self.command)
        });
        violations.unless(self.orders.pause.is_none(), Invariant::Paused, || command);
    }

    /// Enough witnesses were queried within an interval, and have answered.
    fn network_is_there(&self, now: Time, command: Step, violations: &mut Violations) {
        let fresh = self.witnesses.is_some_and(|(_, asked, answered)| {
            now.since(asked) <= self.settings.interval
                && answered.is_some_and(|answered| answered >= self.needed())
        });
        violations.unless(
            fresh || self.needed() == 0 || self.orders.forces(),
            Invariant::Connected,
            || format!("{command}, and the witnesses: {:?}", self.witnesses),
        );
    }

    /// Enough failures in a row, none of them old, none too close to the next; one is enough for an
    /// ordered takeover, and none for a forced one.
    fn has_failed(&self, now: Time, command: Step, after: &Decider, violations: &mut Violations) {
        let mut spaced: Vec<Time> = Vec::new();
        for began in &self.failures {
            let is_fresh = now.since(*began) <= self.settings.strike_lifetime() + SLACK;
            let is_apart = spaced
                .last()
                .is_none_or(|last| began.since(*last) + SLACK >= self.settings.confirm_interval);
            if is_fresh && is_apart {
                spaced.push(*began);
            }
        }
        let strikes = self.settings.strikes.get() as usize;
        let needed = match self.orders.takeover {
            Some(true) => 0,
            Some(false) => 1,
            None => strikes,
        };
        let counted = self.orders.takeover.is_some() || after.strikes().len() == strikes;
        violations.unless(
            self.loss_is_proven(now) || (spaced.len() >= needed && counted),
            Invariant::Failures,
            || format!("{command}, and failed probes began at {:?}", self.failures),
        );
    }

    /// If strikes count for a missing path, a witness has answered, and the path was still missing after that.
    fn path_is_still_missing(&self, after: &Decider, violations: &mut Violations) {
        let for_want_of_a_path = after
            .strikes()
            .iter()
            .any(|strike| strike.failure == Failure::Gone(Gone::Path));
        if !for_want_of_a_path || self.orders.forces() {
            return;
        }
        let in_turn = self.connected.zip(self.pathless);
        violations.unless(
            self.needed() > 0
                && in_turn.is_some_and(|(connected, pathless)| pathless + SLACK >= connected),
            Invariant::PathMissing,
            || {
                format!(
                    "no path at {:?}, witnesses at {:?}",
                    self.pathless, self.connected
                )
            },
        );
    }

    /// What the decider calls strikes are failures that really happened, in a row, apart, and not old.
    pub(super) fn strikes_are_failures(
        &self,
        now: Time,
        after: &Decider,
        violations: &mut Violations,
    ) {
        let strikes = after.strikes();
        let mut last = None;
        for strike in strikes {
            let known = |began: &Time| began.since(strike.due) <= SLACK;
            let is_fresh = now.since(strike.due) <= self.settings.strike_lifetime();
            let apart: Option<Duration> = last.map(|last| strike.due.since(last));
            let is_apart = apart.is_none_or(|apart| apart >= self.settings.confirm_interval);
            violations.unless(
                self.failures.iter().any(known) && is_fresh && is_apart,
                Invariant::Strikes,
                || format!("{strike:?} of {:?}", self.failures),
            );
            last = Some(strike.due);
        }
    }
}
