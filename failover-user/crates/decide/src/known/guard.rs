//! What a guard on the primary's host says, or no longer says.
//!
//! Its silence alone proves nothing, for a guard can be stopped beside a healthy gateway. What counts is silence, or
//! what the guard has said, **and** a probe that failed and that began after it: two sources that fail for different
//! reasons.

use std::time::Duration;

use crate::{
    input::{
        event::{GuardObservation, PrimaryGateway},
        outcome::Failure,
    },
    known::situation::{Primary, Situation},
    settings::{HostLoss, OnCrash},
    time::Time,
};

/// What is known of the guard.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Guard {
    pub(crate) hearing: Hearing,
    /// What it said last of its gateway.
    pub(crate) heard: PrimaryGateway,
    /// Since when there is reason to doubt that the primary serves; `None`: there is none.
    pub(crate) doubted: Option<Time>,
    /// When the last probe began that failed, of those that began after that.
    pub(crate) confirmed: Option<Time>,
}

/// Is the guard heard?
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Hearing {
    /// There is none, or it was never heard.
    #[default]
    Nothing,
    /// Its beats arrive.
    Beats,
    /// The second beat in a row is missing.
    Missing,
    /// It is silent beyond the limit: its host may be gone.
    Silence,
}

impl Guard {
    /// Applies an observation. Is there new reason for doubt?
    fn observe(&mut self, now: Time, seen: GuardObservation) -> bool {
        let before = *self;
        match seen {
            GuardObservation::None => *self = Self::default(),
            GuardObservation::Heard(gateway) => {
                self.hearing = Hearing::Beats;
                self.heard = gateway;
            }
            GuardObservation::Missing => self.hearing = Hearing::Missing,
            GuardObservation::Silent => self.hearing = Hearing::Silence,
        }
        let is_silent = matches!(self.hearing, Hearing::Missing | Hearing::Silence);
        if !is_silent && !self.heard.is_gone() {
            (self.doubted, self.confirmed) = (None, None);
            return false;
        }
        let says_something_else = self.hearing == Hearing::Beats && self.heard != before.heard;
        if self.doubted.is_none() || says_something_else {
            (self.doubted, self.confirmed) = (Some(now), None);
            return true;
        }
        // The silence is complete, and no probe has said anything yet.
        self.confirmed.is_none() && self.hearing != before.hearing
    }

    /// A probe that began at this time has failed.
    fn confirm(&mut self, began: Time) {
        if self.doubted.is_some_and(|doubted| began >= doubted) {
            self.confirmed = self.confirmed.max(Some(began));
        }
    }
}

impl PrimaryGateway {
    /// Does it no longer serve?
    pub(crate) const fn is_gone(self) -> bool {
        match self {
            Self::Unknown | Self::Serves | Self::Ends => false,
            Self::Restarting | Self::Ended | Self::Stopped => true,
        }
    }
}

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
            if self.guard.heard == PrimaryGateway::Stopped {
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

/// The time that a service manager gets to restart its gateway: OpenClaw's takes 13 s, of which 5 s are its unit's
/// pause (measured with 2026.9.6).
pub(crate) const RESTART_TIME: Duration = Duration::from_secs(20);
