//! Is an order followed? That depends on how the primary and the local port are now.

use crate::{
    input::order::{Order, Refusal},
    known::situation::{Attempt, PortState, Primary, Situation},
    time::Time,
};

impl Situation {
    /// Why this order would be refused now, if so. Called before the order is handed in.
    pub(crate) fn objection(&self, now: Time, order: Order) -> Option<Refusal> {
        let mut orders = self.orders;
        orders.expire(now);
        let failing = matches!(self.primary, Primary::Failing(_));
        match order {
            Order::TakeOver { .. } | Order::Release { .. } | Order::Drill
                if orders.pause().is_some() =>
            {
                Some(Refusal::Paused)
            }
            Order::TakeOver { .. } if self.port == Some(PortState::Foreign) => {
                Some(Refusal::ForeignListener)
            }
            Order::TakeOver { .. } if self.listening() && failing => Some(Refusal::AlreadyActive),
            Order::TakeOver { force: false } if self.healthy() => Some(self.why_not(now)),
            Order::TakeOver { force: false } if !failing => Some(Refusal::NotAsked),
            Order::TakeOver { force: false } if !self.armed => Some(Refusal::Unarmed),
            Order::Release { .. } => {
                let is_unused = self.attempt == Attempt::Idle || self.attempt.is_of_standby();
                let idle = is_unused && !orders.takes_over() && self.owed().is_none();
                (idle && !self.listening()).then_some(Refusal::NothingToRelease)
            }
            Order::Drill => self.drill_objection(),
            Order::TakeOver { .. } | Order::Pause { .. } | Order::Resume => None,
        }
    }

    /// Does this order depend on the primary's present health, and is that unknown or out of date? Then the
    /// primary must be probed first: [`Event::ProbeWanted`].
    pub(crate) fn must_probe_first(&self, now: Time, order: Order) -> bool {
        let depends = matches!(order, Order::TakeOver { .. })
            && !matches!(
                self.objection(now, order),
                Some(Refusal::Paused | Refusal::ForeignListener | Refusal::AlreadyActive)
            );
        let known = matches!(self.primary, Primary::Failing(_)) || self.answered_lately(now);
        depends && !known
    }

    /// Has the primary answered so lately that nothing is gained by asking it again?
    fn answered_lately(&self, now: Time) -> bool {
        matches!(self.primary, Primary::Healthy { at, .. }
            if now.since(at) < self.settings.recovery_interval)
    }

    /// Why a takeover isn't made although no probe of a primary that answered has counted as failed since.
    fn why_not(&self, now: Time) -> Refusal {
        let lately = |seen: Time| now.since(seen) < self.settings.interval;
        if self.answered_lately(now) {
            Refusal::PrimaryAnswers
        } else if self.seen_alive.is_some_and(lately) {
            Refusal::OthersAnswered
        } else {
            Refusal::CannotTell
        }
    }

    /// Why no drill is made now, where none is paused.
    fn drill_objection(&self) -> Option<Refusal> {
        if self.port == Some(PortState::Foreign) {
            Some(Refusal::ForeignListener)
        } else if self.listening() || self.attempt.is_start() {
            Some(Refusal::AlreadyActive)
        } else if matches!(self.primary, Primary::Failing(_)) {
            Some(Refusal::PrimaryFails)
        } else if !self.parking.is_possible {
            Some(Refusal::CannotPark)
        } else {
            self.parking.drill.map(|_| Refusal::DrillRuns)
        }
    }
}
