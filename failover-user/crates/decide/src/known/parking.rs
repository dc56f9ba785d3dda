//! How ready the local gateway is kept: whether one is to be parked, and whether one is.
//!
//! A parked gateway was started and stopped by the kernel in its own bind(2), before it listens: it serves
//! nobody, and a takeover only lets it go on. It must not know how that is done.

use crate::{
    known::situation::{PortState, Primary, Situation},
    output::action::DrillEnd,
    step::Step,
    time::Time,
};

/// How ready the local gateway is kept while the primary serves.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyMode {
    /// It is started when it is needed.
    #[default]
    Cold,
    /// It is parked from the first strike on, until the primary answers.
    Warm,
    /// It is parked all the time.
    Hot,
}

impl StandbyMode {
    /// Every one, the least ready first.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Warm, Self::Hot];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Hot => "hot",
        }
    }
}

/// What can be seen of a parked gateway.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ParkingObservation {
    /// Nothing.
    Absent,
    /// It is stopped at its bind.
    Parked,
    /// It is, and something that it has read has changed since.
    Outdated,
    /// Something of it is there that can't be let go on: it died, or it isn't stopped any longer.
    Broken,
}

/// How ready the local gateway is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StandbyState {
    /// It has to be started.
    #[default]
    Cold,
    /// It is on its way to its bind.
    Parking,
    /// It is stopped at its bind.
    Parked,
    /// A parked one is being ended.
    Discarding,
}

impl StandbyState {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Cold, Self::Parking, Self::Parked, Self::Discarding];

    /// Its name, for logs and tools.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Parking => "parking",
            Self::Parked => "parked",
            Self::Discarding => "discarding",
        }
    }
}

/// What is known and wanted of a parked gateway.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parking {
    pub(crate) mode: StandbyMode,
    /// This machine can park this gateway.
    pub(crate) is_possible: bool,
    pub(crate) parked: Parked,
    pub(crate) drill: Option<Drill>,
    /// How the last drill ended, until people are told.
    pub(crate) drill_end: Option<DrillEnd>,
    /// As people were told last, and since when.
    pub(crate) state: StandbyState,
    pub(crate) since: Time,
}

/// What there is of a parked gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Parked {
    #[default]
    Absent,
    /// Its parking was cut short: it may be at its bind by now, or on its way.
    Begun,
    Whole {
        since: Time,
        /// Something that it has read has changed since.
        is_outdated: bool,
    },
    /// Something that can't be let go on.
    Broken,
}

/// A drill: a gateway is parked and ended again, to show that it could serve.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Drill {
    /// A gateway that is parked already is ended first: a drill shows the whole way.
    Clearing,
    Parking,
}

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
            StandbyMode::Warm => matches!(self.primary, Primary::Failing(_)),
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
            // Beginning anew takes a while: not while it may be needed any moment.
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

    /// Before a start, what can't be let go on is ended, unless that has just failed.
    pub(crate) fn must_discard_first(&self) -> bool {
        self.parking.parked == Parked::Broken && self.now >= self.not_before(Step::DISCARD)
    }

    /// A drill that has lost its reason ends without a result.
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

    /// Somebody looked for a parked gateway. While a command changes what there is, its end says more.
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
            // One that keeps dying is begun anew after longer and longer pauses.
            let uptime = now.since(since);
            self.back_off(Step::PARK, |pause| pause.vanished(now, uptime));
        }
        self.go_on_with_drill();
    }

    fn end_drill(&mut self, end: DrillEnd) {
        if self.parking.drill.take().is_some() {
            self.parking.drill_end = Some(end);
        }
    }

    fn go_on_with_drill(&mut self) {
        if self.parking.parked == Parked::Absent
            && let Some(drill) = &mut self.parking.drill
        {
            *drill = Drill::Parking;
        }
    }

    /// A drill is ordered.
    pub(crate) fn begin_drill(&mut self, now: Time) {
        self.parking.drill = Some(Drill::Clearing);
        self.go_on_with_drill();
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
            self.go_on_with_drill();
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
