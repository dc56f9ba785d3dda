//! When a gateway may be parked, that a parked one is discarded when it is no longer wanted, and that parking
//! never delays a takeover.

use super::{
    books::{Books, InFlight, SLACK},
    violation::{Invariant, Violations},
};
use crate::{
    Action, CommandResult, Decider, Event, ParkingObservation, PortObservation, StandbyMode, Step,
    Time,
};

impl Books {
    pub(super) fn standby_changes(&mut self, mode: StandbyMode, can_park: bool) {
        self.parking.mode = mode;
        self.parking.can_park = can_park;
    }

    /// While a command changes it, observations don't count.
    pub(super) fn parking_seen(&mut self, seen: ParkingObservation, before: &Decider) {
        let changes = self
            .command
            .is_some_and(|in_flight| in_flight.command != Step::FENCE);
        if !changes && !before.awaits_start() {
            self.parking.there = seen != ParkingObservation::Absent;
        }
    }

    pub(super) fn parking_command_ended(&mut self, now: Time, step: Step, result: &CommandResult) {
        if step.is_of_standby() {
            self.parking.changed = Some(now);
            self.parking.there = step == Step::PARK || !result.is_success();
        }
    }

    pub(super) fn drill_begins(&mut self) {
        self.parking.drill = true;
    }

    pub(super) fn drill_ends(&mut self, violations: &mut Violations) {
        let under_way = std::mem::take(&mut self.parking.drill);
        violations.unless(under_way, Invariant::DrillEnds, || "none was under way");
    }

    /// A start continues a parked gateway, or takes its place.
    pub(super) fn parked_is_used(&mut self) {
        self.parking.there = false;
    }

    pub(super) fn park_runs(&mut self, after: &Decider, violations: &mut Violations) {
        self.may_run(Step::PARK, violations);
        violations.unless(
            self.wants_parked(after) && self.isolated.is_none(),
            Invariant::ParkingReason,
            || format!("{:?}, {:?}", self.parking, self.orders),
        );
        violations.unless(
            matches!(self.gateway, Some((PortObservation::Absent, _))),
            Invariant::PortFree,
            || format!("park, and the local port is {:?}", self.gateway),
        );
        self.parking.there = true;
        self.standby_runs(Step::PARK);
    }

    pub(super) fn discard_runs(&mut self, after: &Decider, violations: &mut Violations) {
        violations.unless(self.command.is_none(), Invariant::OneCommand, || {
            format!("discard beside {:?}", self.command)
        });
        violations.unless(
            self.parking.there && !(self.listens() && self.is_lost(after)),
            Invariant::DiscardReason,
            || format!("{:?}, {:?}", self.parking, self.gateway),
        );
        self.standby_runs(Step::DISCARD);
    }

    fn standby_runs(&mut self, command: Step) {
        self.command = Some(InFlight {
            command,
            killed: false,
        });
    }

    fn wants_parked(&self, after: &Decider) -> bool {
        let by_mode = match self.parking.mode {
            StandbyMode::Cold => false,
            StandbyMode::Warm => after.primary_answers() == Some(false) || self.guard_warns(),
            StandbyMode::Hot => true,
        };
        // Whether a release is over is left to the decider: a failed start may have left nothing behind.
        let may_be_needed = self.armed && self.orders.hold.is_none();
        self.parking.can_park
            && self.orders.pause.is_none()
            && (self.parking.drill || (by_mode && may_be_needed))
    }

    fn is_lost(&self, after: &Decider) -> bool {
        after.loss_is_proven() || after.strikes().len() == self.settings.strikes.get() as usize
    }

    /// A parked gateway that isn't wanted is discarded, except that a takeover that is due may still use it, a
    /// start is undone first, and a failed attempt is followed by a pause.
    pub(super) fn parked_is_discarded(
        &self,
        now: Time,
        after: &Decider,
        violations: &mut Violations,
    ) {
        let takes_over = self.is_lost(after) || self.orders.takeover.is_some();
        let pause = self.settings.interval.max(self.settings.recovery_interval);
        let waits = self
            .parking
            .changed
            .is_some_and(|changed| now.since(changed) <= pause + SLACK);
        // A stop that is due comes first.
        let stops = self.started || self.listens();
        let busy = self.command.is_some() || stops || self.gateway.is_none();
        violations.unless(
            !self.parking.there || self.wants_parked(after) || takes_over || waits || busy,
            Invariant::Discarded,
            || format!("{:?}", self.parking),
        );
    }

    /// If a takeover would begin once the command that parks has ended, that command delays it.
    pub(super) fn parking_delays_nothing(
        &self,
        now: Time,
        after: &Decider,
        violations: &mut Violations,
    ) {
        let parks = self
            .command
            .is_some_and(|in_flight| in_flight.command == Step::PARK && !in_flight.killed);
        if !parks {
            return;
        }
        let ended = Event::CommandEnded {
            command: Step::PARK,
            result: CommandResult::Succeeded,
        };
        let actions = after.clone().handle(now, [ended]);
        let begins = |step| actions.contains(&Action::Run(step));
        violations.unless(
            !begins(Step::START) && !begins(Step::FENCE),
            Invariant::ParkingDelaysNothing,
            || format!("{actions:?}"),
        );
    }
}
