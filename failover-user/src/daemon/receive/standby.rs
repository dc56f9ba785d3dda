//! How ready the local gateway is kept: looks for a parked one, the mode in force, and drills.

use std::time::Duration;

use jiff::Timestamp;

use failover_decide::{DrillEnd, Event, Order, ParkingObservation, State, Step};
use failover_linux::clock;

use crate::{
    daemon::Daemon,
    gateway::parking::{self, Record, situation::Situation},
    observe::occurrence::{Decided, Occurrence, OrderCourse},
    standby::{
        drill::{self, Drill, DrillResult},
        mode::{Effective, effective},
        watch::Sight,
    },
};

/// Who orders the drills that nobody orders.
const BY_ITSELF: &str = "drill-every";

impl Daemon {
    /// Somebody looked for a parked gateway.
    pub(super) fn standby_seen(&mut self, sight: &Sight) {
        let seen = self.parking_observation(&sight.situation);
        let mode = self.standby_mode();
        self.decide(mode.into_iter().chain(seen.map(Event::Parking)));
        self.drill_if_due(sight);
    }

    fn parking_observation(&self, situation: &Situation) -> Option<ParkingObservation> {
        match situation {
            Situation::Absent | Situation::Continuing => Some(ParkingObservation::Absent),
            // A command is at it, perhaps an earlier daemon's: its end will say more.
            Situation::Parking { .. } => None,
            Situation::Parked(parked) => {
                let age = clock::now().since(parked.since);
                let refresh = self.settings.configuration.standby.hot_refresh;
                let lacks_a_copy = self.inputs.rounds.known().park_anew.is_some()
                    && age >= refresh_with_a_copy(refresh, parked.took);
                let is_outdated = parked.outdated.is_some() && age >= refresh;
                Some(match is_outdated || lacks_a_copy {
                    true => ParkingObservation::Outdated,
                    false => ParkingObservation::Parked,
                })
            }
            Situation::Broken(_) => Some(ParkingObservation::Broken),
        }
    }

    /// The mode in force, if it is another than the decider's.
    pub(in crate::daemon) fn standby_mode(&mut self) -> Option<Event> {
        let effective = self.effective_standby();
        let before = (self.decider.standby_mode(), self.decider.can_park());
        if self.observers.last_seen.standby.as_ref() != Some(&effective) {
            self.observe(&Occurrence::Decided(Decided::StandbyMode(&effective)));
        }
        let Effective { mode, can_park, .. } = effective;
        (before != (mode, can_park)).then_some(Event::Standby { mode, can_park })
    }

    fn effective_standby(&self) -> Effective {
        let mut known = self.inputs.standby.last().map(|sight| sight.known.clone());
        if let Some(known) = &mut known {
            // The look knew the drill before; one that has just ended was of what is there.
            known.drill = self.state_dir.persisted().completed_drill.clone();
        }
        effective(self.settings.configuration.standby.choice, known.as_ref())
    }

    /// A drill has ended like this. What the command that parked has noted is still there.
    pub(in crate::daemon) fn drill_ended(&mut self, end: DrillEnd) {
        let place = self.inputs.standby.place();
        let record = Record::read(place).ok().flatten();
        // Small files below /run and /sys, and the sockets of one port.
        let parked = match parking::look(place) {
            Situation::Parked(parked) => Some(parked),
            Situation::Absent
            | Situation::Parking { .. }
            | Situation::Continuing
            | Situation::Broken(_) => None,
        };
        let parked = parked.as_ref();
        let sent = parked.and_then(|parked| parked.sent);
        let failure = self.observers.last_seen.failures.of(Step::PARK);
        let drill = Drill {
            at: Timestamp::now(),
            result: DrillResult::of(end, sent),
            took_ms: parked.and_then(|parked| parked.took.as_millis().try_into().ok()),
            packets_sent: sent,
            memory_bytes: parked.and_then(|parked| parked.memory),
            read: record.map(|record| record.read).unwrap_or_default(),
            said: failure.and_then(|failure| failure.last_line.clone()),
        };
        self.observe(&Occurrence::Decided(Decided::DrillEnded(&drill)));
        self.state_dir.drilled(drill);
        // It may change the mode.
        self.inputs.standby.hurry();
    }

    /// The drills that nobody orders.
    fn drill_if_due(&mut self, sight: &Sight) {
        let now = clock::now();
        let is_quiet = self.decider.state() == State::Standby
            && self.decider.primary_answers() == Some(true)
            && !self.executor.is_busy()
            && self.decider.objection(now, Order::Drill).is_none();
        if !is_quiet {
            return;
        }
        let due = drill::due_in(
            self.settings.configuration.standby.drill_every,
            self.state_dir.persisted().drill.as_deref(),
            sight.known.drill_is_current,
            now.since(self.decider.since()),
            Timestamp::now(),
        );
        if due.is_some_and(|due| due.is_zero()) {
            self.observe(&Occurrence::Order(
                Order::Drill,
                OrderCourse::Given {
                    by: BY_ITSELF,
                    pause: None,
                },
            ));
            self.decide([Event::Operator(Order::Drill)]);
        }
    }
}

/// How long one that can't take the newest copy stays parked before it is parked again, with that: not as long as after
/// other changes, because conversations are lost with it; but long enough that it is parked nine tenths of the time.
fn refresh_with_a_copy(refresh: Duration, took: Duration) -> Duration {
    took.saturating_mul(9).min(refresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_lacks_a_copy_is_parked_again_soon_and_yet_is_parked_most_of_the_time() {
        let refresh = |took| refresh_with_a_copy(Duration::from_secs(600), took);
        assert_eq!(refresh(Duration::from_secs(10)), Duration::from_secs(90));
        assert_eq!(refresh(Duration::from_secs(300)), Duration::from_secs(600));
    }
}
