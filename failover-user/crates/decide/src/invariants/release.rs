//! What a release requires, and that it happens: a stop has a reason, a gateway that is coming up has its time,
//! and one that isn't needed is stopped.

use super::{
    books::{Books, InFlight, SLACK},
    violation::{Invariant, Violations},
};
use crate::{Decider, PortObservation, Step, Time};

impl Books {
    /// A stop has a reason: the last conclusive probe was answered after the listener came up; or it undoes a
    /// start; or the gateway doesn't answer; or an operator has ordered it. A foreign listener is never stopped.
    pub(super) fn stop_runs(&mut self, now: Time, after: &Decider, violations: &mut Violations) {
        self.may_run(Step::STOP, violations);
        self.is_given_its_time(now, violations);
        let answered = matches!(
            (self.gateway, self.success),
            (Some((_, since)), Some(success)) if success >= since
        );
        let believed = self.success.is_some() && (self.listens() && answered || self.started);
        let undoes = self.started && !self.listens();
        let hangs = self.listens() && self.gateway_failures >= self.settings.strikes.get();
        let ordered = self.orders.release && (self.listens() || self.started);
        violations.unless(
            (believed && !self.orders.forces()) || undoes || hangs || ordered,
            Invariant::StopReason,
            || {
                format!(
                    "the local port is {:?}, success {:?}, started {}, {:?}, {} failed checks",
                    self.gateway, self.success, self.started, self.orders, self.gateway_failures
                )
            },
        );
        let needed = self.successes_needed(after);
        violations.unless(
            undoes || hangs || ordered || self.possibly.count >= needed,
            Invariant::PrimaryProven,
            || format!("{:?} of {needed}", self.possibly),
        );
        self.command = Some(InFlight {
            command: Step::STOP,
            killed: false,
        });
        self.started = false;
    }

    pub(super) fn kill_runs(&mut self, now: Time, command: Step, violations: &mut Violations) {
        if command == Step::START {
            self.is_given_its_time(now, violations);
        }
        let in_flight = self.command;
        let running = self
            .command
            .as_mut()
            .filter(|in_flight| in_flight.command == command && !in_flight.killed);
        violations.unless(running.is_some(), Invariant::KillRunning, || {
            format!("{command}, and in flight is {in_flight:?}")
        });
        if let Some(running) = running {
            running.killed = true;
        }
    }

    /// A start whose gateway is coming up, or listens and hasn't answered yet, has its whole timeout: only the
    /// primary's return or an order ends it earlier.
    fn is_given_its_time(&self, now: Time, violations: &mut Violations) {
        let is_over = |start: Time| now.since(start) >= self.settings.start_timeout;
        let is_due = match self.gateway {
            Some((PortObservation::Listening, since)) => {
                let start = self.start.filter(|start| *start <= since);
                let from = self.first_answer_from.or(start).unwrap_or(since);
                self.gateway_answered || is_over(from)
            }
            Some((PortObservation::Absent | PortObservation::Terminating, _)) => {
                !self.comes_up || self.start.is_none_or(is_over)
            }
            Some((PortObservation::Foreign, _)) | None => true,
        };
        violations.unless(
            is_due || self.success.is_some() || self.orders.release,
            Invariant::StartTime,
            || {
                format!(
                    "begun at {:?}, the local port is {:?}",
                    self.start, self.gateway
                )
            },
        );
    }

    /// The successes in a row that a release takes at the decider's flap level.
    fn successes_needed(&self, after: &Decider) -> u32 {
        let flapping = self.settings.flapping.as_ref();
        let needed = flapping.and_then(|rules| rules.successes.get(after.flap_level()));
        needed.map_or(1, |needed| needed.get())
    }

    /// A local gateway that isn't needed is stopped, at the latest after the pause that follows a failed stop:
    /// one that came up during that pause waits for its end. An order to release it counts only if it was given
    /// for this gateway: one that comes up after everything was gone may stay.
    pub(super) fn is_released(&self, now: Time, violations: &mut Violations) {
        let Some((PortObservation::Listening, since)) = self.gateway else {
            return;
        };
        let proven = self.success.is_some_and(|success| success >= since)
            && self.certainly.count >= self.most_successes;
        let unneeded = (proven && !self.orders.forces()) || self.orders.must_release;
        let pause = self
            .settings
            .interval
            .max(self.settings.recovery_interval)
            .max(self.settings.stop_timeout);
        let from = self.stopped.map_or(since, |stopped| stopped.max(since));
        let waits = now.since(from) <= pause + SLACK;
        violations.unless(
            !unneeded || self.command.is_some() || self.orders.pause.is_some() || waits,
            Invariant::Released,
            || {
                format!(
                    "listens since {since:?}, the last stop ended at {:?}, started {}, the primary \
                     answered at {:?}, {:?}, in flight {:?}",
                    self.stopped, self.started, self.success, self.orders, self.command
                )
            },
        );
    }
}
