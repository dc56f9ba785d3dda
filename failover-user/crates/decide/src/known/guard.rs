//! What a guard on the primary's host says, or no longer says.
//!
//! Its silence alone proves nothing, for a guard can be stopped beside a healthy gateway. What counts is silence, or
//! what the guard has said, **and** a probe that failed and that began after it: two sources that fail for different
//! reasons.

use crate::{
    input::event::{GuardObservation, PrimaryGateway},
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
    pub(super) fn observe(&mut self, now: Time, seen: GuardObservation) -> bool {
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
    pub(super) fn confirm(&mut self, began: Time) {
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
