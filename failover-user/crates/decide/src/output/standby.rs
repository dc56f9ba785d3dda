//! How ready the local gateway is kept: when one is parked, when a parked one is ended, and how drills end.

use crate::{
    known::{
        parking::{Drill, DrillEnd, Parked, ParkingObservation, StandbyMode, StandbyState},
        situation::{PortState, Primary, Situation},
    },
    step::Step,
    time::Time,
};

impl Situation {
    /// Is a parked gateway of use now?
    pub(crate) fn wants_parked(&self) -> bool {
        let parking = &self.parking;
        let orders = &self.orders;
        if !parking.is_possible || orders.pause().is_some() {
            return false;
        }
        let by_mode = match parking.mode {
            StandbyMode::Cold => false,
            StandbyMode::Warm => matches!(self.primary, Primary::Failing(_)) || self.guard_warns(),
            StandbyMode::Hot => true,
        };
        // Where no takeover can come, there is nothing to be ready for.
        let may_be_needed = self.armed && orders.hold_until().is_none() && !orders.releases();
        parking.drill.is_some() || (by_mode && may_be_needed)
    }

    /// The step that the local gateway's state asks for while it isn't needed.
    pub(crate) fn standby_step(&self, port: PortState) -> Option<Step> {
        let wanted = self.wants_parked();
        let is_clearing = self.parking.drill == Some(Drill::Clearing);
        match self.parking.parked {
            Parked::Broken => Some(Step::DISCARD),
            Parked::Begun | Parked::Whole { .. } if !wanted || is_clearing => Some(Step::DISCARD),
            // Parking a new one takes a while: not when it may be needed at any moment.
            Parked::Whole {
                is_outdated: true, ..
            } if self.healthy() => Some(Step::DISCARD),
            Parked::Whole { .. } => None,
            Parked::Absent | Parked::Begun => {
                let is_free = port == PortState::Absent && !self.isolation.is_isolated();
                (wanted && is_free).then_some(Step::PARK)
            }
        }
    }

    /// Before a start, a gateway that can't be continued is discarded, unless that has just failed.
    pub(crate) fn must_discard_first(&self) -> bool {
        self.parking.parked == Parked::Broken && self.now >= self.not_before(Step::DISCARD)
    }

    /// Ends a drill without a result if it is no longer possible.
    pub(crate) fn interrupt_drill(&mut self) {
        let is_moot = self.orders.pause().is_some()
            || !self.parking.is_possible
            || self.is_failed()
            || !matches!(
                self.port,
                None | Some(PortState::Absent | PortState::Terminating)
            );
        if is_moot {
            self.end_drill(DrillEnd::Interrupted);
        }
    }

    /// The machine was checked for a parked gateway. While a command changes it, only the command's result
    /// counts.
    pub(crate) fn apply_parking(&mut self, now: Time, seen: ParkingObservation) {
        if self.attempt.changes_gateway() {
            return;
        }
        let before = self.parking.parked;
        let whole = |is_outdated| {
            let since = match before {
                Parked::Whole { since, .. } => since,
                Parked::Absent | Parked::Begun | Parked::Broken => now,
            };
            Parked::Whole { since, is_outdated }
        };
        let after = match seen {
            ParkingObservation::Absent => Parked::Absent,
            ParkingObservation::Parked => whole(false),
            ParkingObservation::Outdated => whole(true),
            ParkingObservation::Broken => Parked::Broken,
        };
        self.parking.parked = after;
        if let (Parked::Whole { since, .. }, Parked::Absent | Parked::Broken) = (before, after) {
            // One that keeps dying is parked again after longer and longer pauses.
            let uptime = now.since(since);
            self.back_off(Step::PARK, |pause| pause.vanished(now, uptime));
        }
        self.continue_drill();
    }

    fn end_drill(&mut self, end: DrillEnd) {
        if self.parking.drill.take().is_some() {
            self.parking.drill_end = Some(end);
        }
    }

    fn continue_drill(&mut self) {
        if self.parking.parked == Parked::Absent
            && let Some(drill) = &mut self.parking.drill
        {
            *drill = Drill::Parking;
        }
    }

    /// A drill is ordered.
    pub(crate) fn begin_drill(&mut self, now: Time) {
        self.parking.drill = Some(Drill::Clearing);
        self.continue_drill();
        self.reset_attempts(now, |step| step == Step::PARK || step == Step::DISCARD);
    }

    /// The command that parks has ended, and with it a drill.
    pub(crate) fn parking_ended(&mut self, now: Time, killed: bool, succeeded: bool) {
        let was_cut_short = killed && (self.is_failed() || !self.wants_parked());
        let (parked, end) = if succeeded {
            let whole = Parked::Whole {
                since: now,
                is_outdated: false,
            };
            (whole, DrillEnd::Passed)
        } else if was_cut_short {
            (Parked::Begun, DrillEnd::Interrupted)
        } else {
            self.back_off(Step::PARK, |pause| pause.failed(now));
            (Parked::Broken, DrillEnd::Failed)
        };
        self.parking.parked = parked;
        self.end_drill(end);
    }

    /// The command that ends a parked gateway has ended.
    pub(crate) fn discard_ended(&mut self, now: Time, succeeded: bool) {
        if succeeded {
            self.parking.parked = Parked::Absent;
            self.reset_attempts(now, |step| step == Step::DISCARD);
            self.continue_drill();
        } else {
            self.parking.parked = Parked::Broken;
            self.back_off(Step::DISCARD, |pause| pause.failed(now));
        }
    }

    /// How ready the local gateway is now.
    pub(crate) fn standby_state(&self) -> StandbyState {
        match (self.attempt.step(), self.parking.parked) {
            _ if self.listening() => StandbyState::Cold,
            (Some(Step::PARK), _) => StandbyState::Parking,
            (Some(Step::DISCARD), _) => StandbyState::Discarding,
            (_, Parked::Whole { .. }) => StandbyState::Parked,
            (_, Parked::Absent | Parked::Begun | Parked::Broken) => StandbyState::Cold,
        }
    }
}
