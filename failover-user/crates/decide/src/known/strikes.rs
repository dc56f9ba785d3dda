//! Three strikes: which failed probes count toward a takeover.
//!
//! A failed probe is a strike when it was due at least one confirm-interval after the strike before
//! it, so that N strikes always span N-1 whole intervals, however often the primary is probed. A strike
//! expires after N intervals and timeouts: an older one says nothing about the present.

use std::time::Duration;

use crate::{
    input::outcome::{Failure, Gone},
    settings::Settings,
    time::Time,
};

/// A failed probe that counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Strike {
    /// When the probe was due, which is when it began, give or take the schedule's slack.
    pub due: Time,
    /// How it failed.
    pub failure: Failure,
    /// How long that took.
    pub took: Duration,
}

/// The strikes that count, oldest first, never more than are needed.
#[derive(Clone, Debug)]
pub(crate) struct Strikes {
    needed: u32,
    spacing: Duration,
    lifetime: Duration,
    list: Vec<Strike>,
}

impl Strikes {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            needed: settings.strikes.get(),
            spacing: settings.confirm_interval,
            lifetime: settings.strike_lifetime(),
            list: Vec::new(),
        }
    }

    /// Applies new settings; existing strikes still count.
    pub(crate) fn reconfigure(&mut self, settings: &Settings) {
        let mut list = std::mem::take(&mut self.list);
        let needed = usize::try_from(settings.strikes.get()).unwrap_or(usize::MAX);
        list.drain(..list.len().saturating_sub(needed));
        *self = Self {
            list,
            ..Self::new(settings)
        };
    }

    pub(crate) fn add(&mut self, strike: Strike) {
        let next = self.list.last().map(|last| last.due + self.spacing);
        if next.is_some_and(|next| strike.due < next) {
            return;
        }
        self.list.push(strike);
        if self.count() > self.needed {
            self.list.remove(0);
        }
    }

    /// Withdraws the last strike: the primary was seen alive meanwhile.
    pub(crate) fn take_back(&mut self) {
        self.list.pop();
    }

    /// Does a sign of life at time `seen` on another connection refute the last strike? Not if TCP connected
    /// and only the process failed to answer, not if the strike is later, and not if a sign of life `before`
    /// is later than the strike: each refutes one strike only.
    pub(crate) fn last_can_be_gainsaid(&self, seen: Time, before: Option<Time>) -> bool {
        self.list.last().is_some_and(|last| {
            seen >= last.due
                && !last.failure.is_above_tcp()
                && before.is_none_or(|before| last.due > before)
        })
    }

    /// Removes those that have expired. Were there any?
    pub(crate) fn forget_old(&mut self, now: Time) -> bool {
        let before = self.list.len();
        self.list
            .retain(|strike| now.since(strike.due) <= self.lifetime);
        self.list.len() < before
    }

    /// Does one of them count only because a witness answers? See [`Gone::Path`].
    pub(crate) fn need_witness(&self) -> bool {
        self.list
            .iter()
            .any(|strike| strike.failure == Failure::Gone(Gone::Path))
    }

    /// Removes those that counted for a missing path. Were there any?
    pub(crate) fn forget_lost_path(&mut self) -> bool {
        let before = self.list.len();
        self.list
            .retain(|strike| strike.failure != Failure::Gone(Gone::Path));
        self.list.len() < before
    }

    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.list.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn reached(&self) -> bool {
        self.count() >= self.needed
    }

    pub(crate) fn as_slice(&self) -> &[Strike] {
        &self.list
    }
}
