//! When the primary's loss is proven by its guard and a failed probe, whatever the strikes say; and how long its own
//! service manager may take to restart it.

use crate::{
    input::{
        event::{GuardObservation, PrimaryGateway},
        outcome::Failure,
    },
    known::{
        guard::{Guard, Hearing},
        situation::{Primary, Situation},
    },
    settings::{HostLoss, OnCrash},
    time::Time,
};

impl Situation {
    /// The guard was heard, or not.
    pub(crate) fn apply_guard(&mut self, now: Time, seen: GuardObservation) {
        if self.guard.observe(now, seen) {
            self.schedule.ask_for_guard(now);
        }
        self.note_loss(now);
    }

    /// A probe that began at this time has failed. What is missing on PC-B itself says nothing of the primary.
    pub(crate) fn confirm_loss(&mut self, now: Time, failure: Failure, began: Time) {
        if !matches!(failure, Failure::Gone(_)) {
            self.guard.confirm(began);
            self.note_loss(now);
        }
    }

    /// A primary that is lost doesn't answer, whatever the strikes say.
    fn note_loss(&mut self, now: Time) {
        if self.loss_is_proven(now) && !matches!(self.primary, Primary::Failing(_)) {
            if self.is_expected() || self.guard.heard == PrimaryGateway::Stopped {
                self.flap_damping.expected();
            } else if self.healthy() && self.guard.hearing == Hearing::Beats {
                self.flap_damping.crashed(now);
            }
            self.fails_from(now);
        }
    }

    /// Do the guard's words, or its silence, and a failed probe together prove that the primary is gone?
    pub(crate) fn loss_is_proven(&self, now: Time) -> bool {
        let rules = &self.settings.guard;
        let lifetime = self.settings.strike_lifetime();
        let is_confirmed = self
            .guard
            .confirmed
            .is_some_and(|began| now.since(began) <= lifetime);
        let by_word = match self.guard.heard {
            PrimaryGateway::Ended | PrimaryGateway::Stopped => true,
            PrimaryGateway::Restarting => rules.on_crash == OnCrash::TakeOver,
            // A machine that is being switched off falls silent before its gateway was seen to stop.
            PrimaryGateway::Ends => self.guard.hearing == Hearing::Silence,
            PrimaryGateway::Unknown | PrimaryGateway::Serves => false,
        };
        // Without witnesses nothing tells a lost host from a cut cable: strikes do no better, but take longer, in which
        // a cut may end.
        let by_silence = self.guard.hearing == Hearing::Silence
            && rules.host_loss == HostLoss::Fast
            && self.isolation.has_judges();
        is_confirmed && (by_word || by_silence)
    }

    /// Until when the primary's own service manager has time to restart its gateway.
    pub(crate) fn restarts_until(&self) -> Option<Time> {
        let Guard {
            hearing,
            heard,
            doubted,
            ..
        } = self.guard;
        let rules = &self.settings.guard;
        let waits = heard == PrimaryGateway::Restarting
            && hearing == Hearing::Beats
            && rules.on_crash == OnCrash::Wait;
        doubted
            .filter(|_| waits)
            .map(|doubted| doubted + rules.restart_time)
            .filter(|until| self.now < *until)
    }

    /// Does the guard give reason to be ready?
    pub(crate) fn guard_warns(&self) -> bool {
        self.guard.hearing == Hearing::Silence
            || (self.guard.heard != PrimaryGateway::Serves
                && self.guard.heard != PrimaryGateway::Unknown)
    }

    /// After an absence nothing that was heard before counts.
    pub(crate) fn forget_guard(&mut self) {
        self.guard = Guard::default();
    }

    /// What is known of the guard, as an observation.
    pub(crate) const fn guard_observation(&self) -> GuardObservation {
        match self.guard.hearing {
            Hearing::Nothing => GuardObservation::None,
            Hearing::Beats => GuardObservation::Heard(self.guard.heard),
            Hearing::Missing => GuardObservation::Missing,
            Hearing::Silence => GuardObservation::Silent,
        }
    }
}
