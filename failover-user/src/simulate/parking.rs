//! A parked local gateway, modelled: parking takes as long as a start, and what is parked serves at once. It must not
//! know when the decider wants one.

use std::time::Duration;

use failover_decide::{Event, StandbyMode, Time};

use crate::simulate::environment::Environment;

/// From SIGCONT to LISTEN: 11 to 57 ms were measured, and a command is run for it.
const GOES_ON: Duration = Duration::from_millis(60);
/// Killing and stopping a parked one.
const ENDS: Duration = Duration::from_millis(300);

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parking {
    mode: StandbyMode,
    parked: Parked,
}

#[derive(Clone, Copy, Debug, Default)]
enum Parked {
    #[default]
    Not,
    /// It reaches its bind then, whether or not its command is killed.
    Coming(Time),
    AtItsBind,
}

impl Parking {
    pub(super) const fn of(mode: StandbyMode) -> Self {
        Self {
            mode,
            parked: Parked::Not,
        }
    }

    /// The standby event for the decider at each boot; `None`: it is cold by default.
    pub(super) fn standby(&self) -> Option<Event> {
        (self.mode != StandbyMode::Cold).then_some(Event::Standby {
            mode: self.mode,
            can_park: true,
        })
    }

    /// PC-B was rebooted.
    pub(super) fn forget(&mut self) {
        self.parked = Parked::Not;
    }

    /// Timers stood still for this time.
    pub(super) fn slept(&mut self, slept: Duration) {
        if let Parked::Coming(at) = &mut self.parked {
            *at = *at + slept;
        }
    }

    /// How long parking takes, and whether it works.
    pub(super) fn begins(&mut self, environment: &mut Environment) -> (Duration, bool) {
        let start = environment.draw_start();
        if start.works {
            self.parked = Parked::Coming(environment.now + start.takes);
        }
        (start.takes, start.works)
    }

    pub(super) fn parked(&mut self) {
        self.parked = Parked::AtItsBind;
    }

    /// How long ending it takes, which works.
    pub(super) fn ends(&mut self) -> (Duration, bool) {
        self.parked = Parked::Not;
        (ENDS, true)
    }

    /// How long it takes to listen once it is continued; `None`: none is parked.
    pub(super) fn goes_on(&mut self, now: Time) -> Option<Duration> {
        match std::mem::take(&mut self.parked) {
            Parked::Not => None,
            Parked::Coming(at) => Some(at.since(now).max(GOES_ON)),
            Parked::AtItsBind => Some(GOES_ON),
        }
    }
}
