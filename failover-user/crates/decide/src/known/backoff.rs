//! Exponential backoff between failed attempts.

use std::time::Duration;

use crate::time::Time;

/// When the next command may run.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    /// Failed attempts since the last success.
    failures: u32,
    /// Attempts since then, for reports.
    attempts: u32,
    not_before: Time,
}

impl Backoff {
    pub(crate) fn new(first: Duration, longest: Duration, now: Time) -> Self {
        Self {
            first,
            longest: longest.max(first),
            failures: 0,
            attempts: 0,
            not_before: now,
        }
    }

    /// Applies new limits. A pause in progress is cut to the new longest one.
    pub(crate) fn reconfigure(&mut self, first: Duration, longest: Duration, now: Time) {
        self.first = first;
        self.longest = longest.max(first);
        self.not_before = self.not_before.min(now + self.longest);
    }

    /// The number of the current attempt, from 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempts.max(1)
    }

    pub(crate) fn not_before(&self) -> Time {
        self.not_before
    }

    pub(crate) fn begin(&mut self) {
        self.attempts = self.attempts.saturating_add(1);
    }

    pub(crate) fn reset(&mut self, now: Time) {
        *self = Self::new(self.first, self.longest, now);
    }

    /// A command failed: the next waits, each time twice as long.
    pub(crate) fn failed(&mut self, now: Time) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + self.pause();
    }

    /// Delays the next attempt until this time at least.
    pub(crate) fn wait(&mut self, until: Time) {
        self.not_before = self.not_before.max(until);
    }

    /// How long the next attempt would wait if this one failed.
    pub(crate) fn pause(&self) -> Duration {
        match self.failures {
            0 => Duration::ZERO,
            failures => {
                let doublings = (failures - 1).min(16);
                self.first.saturating_mul(1 << doublings).min(self.longest)
            }
        }
    }

    /// An attempt failed after a wait that was as long as the pause: the next one is due at once.
    pub(crate) fn gave_up(&mut self, now: Time) {
        self.failures = self.failures.saturating_add(1);
        self.not_before = now;
    }

    /// The gateway is gone after this uptime. The first time it is restarted at once; one that keeps dying
    /// early waits longer each time.
    pub(crate) fn vanished(&mut self, now: Time, uptime: Duration) {
        if uptime >= self.longest {
            self.reset(now);
        }
        self.not_before = now + self.pause();
        self.failures = self.failures.saturating_add(1);
    }
}
