//! What the guard on the primary's host has said, and whether that and a failed probe together prove a loss.

use std::time::Duration;

use super::{
    books::{Books, SLACK},
    heard::Guard,
    successes::Successes,
};
use crate::{Failure, GuardObservation, HostLoss, OnCrash, PrimaryGateway, Time};

impl Books {
    pub(super) fn guard_observed(&mut self, now: Time, seen: GuardObservation) {
        let before = self.guard;
        let guard = &mut self.guard;
        guard.hearing = Some(seen);
        match seen {
            GuardObservation::None => *guard = Guard::default(),
            GuardObservation::Heard(gateway) => guard.heard = gateway,
            GuardObservation::Missing | GuardObservation::Silent => {}
        }
        let is_silent = matches!(seen, GuardObservation::Missing | GuardObservation::Silent);
        let is_doubted = is_silent || guard.says_gone();
        let is_other_word = !is_silent && guard.heard != before.heard;
        if !is_doubted {
            (guard.doubted, guard.failed, guard.certainly_failed) = (None, None, None);
        } else if guard.doubted.is_none() || is_other_word {
            (guard.doubted, guard.failed, guard.certainly_failed) = (Some(now), None, None);
        }
        self.loss_is_noted(now);
    }

    /// A probe has failed. `excused`: the decider may have disregarded it.
    pub(super) fn failed_for_guard(
        &mut self,
        now: Time,
        failure: Failure,
        began: Time,
        excused: bool,
    ) {
        if matches!(failure, Failure::Gone(_)) {
            return;
        }
        let guard = &mut self.guard;
        if let Some(doubted) = guard.doubted {
            if began + SLACK >= doubted {
                guard.failed = Some(began);
            }
            if began >= doubted && !excused {
                guard.certainly_failed = Some(began);
            }
        }
        self.loss_is_noted(now);
    }

    pub(super) fn guard_answered(&mut self) {
        (self.guard.failed, self.guard.certainly_failed) = (None, None);
    }

    /// A primary that is lost doesn't answer any longer.
    fn loss_is_noted(&mut self, now: Time) {
        let lifetime = self.settings.strike_lifetime();
        if self.is_proven_by(now, self.guard.certainly_failed, lifetime) {
            self.success = None;
            self.certainly = Successes::default();
        }
    }

    pub(super) fn loss_is_proven(&self, now: Time) -> bool {
        let lifetime = self.settings.strike_lifetime() + SLACK;
        self.is_proven_by(now, self.guard.failed, lifetime)
    }

    /// Does a probe that began then, and failed, prove it, for this long?
    fn is_proven_by(&self, now: Time, failed: Option<Time>, lifetime: Duration) -> bool {
        let rules = &self.settings.guard;
        let failed = failed.is_some_and(|began| now.since(began) <= lifetime);
        let word = match self.guard.heard {
            PrimaryGateway::Ended | PrimaryGateway::Stopped => true,
            PrimaryGateway::Restarting => rules.on_crash == OnCrash::TakeOver,
            PrimaryGateway::Ends => self.guard.hearing == Some(GuardObservation::Silent),
            PrimaryGateway::Unknown | PrimaryGateway::Serves => false,
        };
        let silence = self.guard.hearing == Some(GuardObservation::Silent)
            && rules.host_loss == HostLoss::Fast
            && self.needed() > 0;
        failed && (word || silence)
    }

    /// Does the primary's own service manager still have time to restart it?
    pub(super) fn is_being_restarted(&self, now: Time) -> bool {
        let heard = GuardObservation::Heard(PrimaryGateway::Restarting);
        let rules = &self.settings.guard;
        self.guard.hearing == Some(heard)
            && rules.on_crash == OnCrash::Wait
            && self
                .guard
                .doubted
                .is_some_and(|doubted| now < doubted + rules.restart_time)
    }

    /// Is there reason to be ready?
    pub(super) fn guard_warns(&self) -> bool {
        self.guard.hearing == Some(GuardObservation::Silent)
            || !matches!(
                self.guard.heard,
                PrimaryGateway::Unknown | PrimaryGateway::Serves
            )
    }
}
