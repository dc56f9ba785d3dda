//! When the primary and the local gateway are probed: one probe at a time, and no more often than the
//! settings allow.

use std::time::Duration;

use super::{
    books::{Books, SLACK},
    violation::{Invariant, Violations},
};
use crate::{Cause, Decider, GatewayProbeId, Order, PortObservation, ProbeId, Refusal, Time};

/// From one early probe to the next.
const EARLY_GAP: Duration = Duration::from_secs(1);
/// More than a timer is ever due in a second, with the shortest intervals.
const MOST_A_SECOND: u32 = 25;

impl Books {
    /// The timer fired.
    pub(super) fn timer_fires(&mut self, now: Time, violations: &mut Violations) {
        let second = now.as_duration().as_secs();
        let before = match self.fired {
            (last, times) if last == second => times,
            _ => 0,
        };
        self.fired = (second, before.saturating_add(1));
        violations.unless(before < MOST_A_SECOND, Invariant::ComesToRest, || {
            format!("{before} times within a second")
        });
    }

    pub(super) fn probe_begins(
        &mut self,
        now: Time,
        (probe, cause): (ProbeId, Cause),
        violations: &mut Violations,
    ) {
        violations.unless(self.probe.is_none(), Invariant::OneProbe, || {
            format!("{:?} and {probe:?}", self.probe)
        });
        self.probe = Some((probe, cause, now));
        if cause == Cause::Scheduled {
            let gap = self.last_on_schedule.map(|last| now.since(last));
            violations.unless(
                gap.is_none_or(|gap| gap + SLACK >= self.shortest),
                Invariant::ProbesSpaced,
                || format!("{gap:?} apart"),
            );
        } else if cause == Cause::Guard {
            let gap = self.last_for_guard.map(|last| now.since(last));
            violations.unless(
                gap.is_none_or(|gap| gap >= EARLY_GAP),
                Invariant::EarlyProbesSpaced,
                || format!("{gap:?} apart, for the guard"),
            );
            self.last_for_guard = Some(now);
        } else {
            let gap = self.last_early.map(|last| now.since(last));
            violations.unless(
                gap.is_none_or(|gap| gap >= EARLY_GAP),
                Invariant::EarlyProbesSpaced,
                || format!("{gap:?} apart"),
            );
            self.last_early = Some(now);
        }
        // A probe for what may be another false alarm doesn't change the schedule, unless it is answered.
        if matches!(cause, Cause::Scheduled | Cause::Ordered)
            || (cause == Cause::BadNews && !self.false_alarm)
        {
            self.last_on_schedule = Some(now);
        }
    }

    pub(super) fn gateway_probe_begins(
        &mut self,
        probe: GatewayProbeId,
        violations: &mut Violations,
    ) {
        let wanted = self.settings.watch_gateway && self.gateway_probe.is_none();
        let listens = matches!(self.gateway, Some((PortObservation::Listening, _)));
        violations.unless(wanted && listens, Invariant::GatewayChecks, || {
            format!("{:?}, in flight {:?}", self.gateway, self.gateway_probe)
        });
        self.gateway_probe = Some(probe);
    }

    /// A probe is in flight, or something is due within an interval.
    pub(super) fn decision_is_due(
        &self,
        now: Time,
        wake: Option<Time>,
        violations: &mut Violations,
    ) {
        let due = || wake.is_some_and(|wake| wake <= now + self.longest + SLACK);
        violations.unless(
            self.probe.is_some() || due(),
            Invariant::DecisionDue,
            || format!("due {wake:?}, and now it is {now:?}"),
        );
    }

    /// An order is refused because the primary answers only if it has answered within an interval; otherwise
    /// the primary is probed first.
    pub(super) fn refusals_are_fresh(
        &self,
        now: Time,
        after: &Decider,
        violations: &mut Violations,
    ) {
        let order = Order::TakeOver { force: false };
        let age = self.answered.map(|answered| now.since(answered));
        let objection = after.objection(now, order);
        violations.unless(
            objection != Some(Refusal::PrimaryAnswers)
                || age.is_some_and(|age| age < self.settings.interval),
            Invariant::FreshRefusal,
            || format!("refused by an answer of {age:?} ago"),
        );
        let known = after.primary_answers() == Some(false)
            || age.is_some_and(|age| age < self.settings.recovery_interval);
        violations.unless(
            known || objection.is_some() || after.must_probe_first(now, order),
            Invariant::FreshRefusal,
            || format!("accepted, and the last answer was {age:?} ago"),
        );
    }
}
