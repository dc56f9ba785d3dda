//! Is the primary flapping? One success releases the first time; a primary that fails again soon
//! after it was back has to prove itself for longer the next time.
//!
//! It was back when it was let serve after a takeover, and also when its process was restarted before
//! a takeover was due: what crashes in a loop is rarely down for three strikes, and serves nobody.
//! Only a failure that its host answered for counts as such a crash. One that may be the network's
//! has to lead to a takeover first.

use std::{num::NonZeroU32, time::Duration};

use super::{Settings, Time, settings::Flapping};

/// How often the primary failed again soon after it was back.
#[derive(Clone, Debug)]
pub(super) struct Stability {
    rules: Option<Flapping>,
    /// Index into the rules' successes.
    level: usize,
    /// Since when it is back, if it ever failed.
    back: Option<Time>,
    /// It has crashed and not answered since.
    crashed: bool,
    /// A takeover has begun and no release since.
    taken_over: bool,
}

impl Stability {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            rules: settings.flapping.clone(),
            level: 0,
            back: None,
            crashed: false,
            taken_over: false,
        }
    }

    /// Other rules; what happened under the old ones counts.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.rules.clone_from(&settings.flapping);
        let levels = self.rules.as_ref().map_or(0, |rules| rules.successes.len());
        self.level = self.level.min(levels.saturating_sub(1));
    }

    /// It answered before, and now its host says that the process is gone.
    pub(super) fn crashed(&mut self, now: Time) {
        if !self.crashed {
            self.crashed = true;
            self.failed(now);
        }
    }

    /// A start begins; only the first of an outage counts, and only where no crash has counted.
    pub(super) fn takeover(&mut self, now: Time) {
        if !self.taken_over {
            self.taken_over = true;
            if !self.crashed {
                self.failed(now);
            }
        }
    }

    fn failed(&mut self, now: Time) {
        let (Some(rules), Some(back)) = (&self.rules, self.back) else {
            return;
        };
        if now.since(back) < rules.window {
            self.level = (self.level + 1).min(rules.successes.len().saturating_sub(1));
        }
    }

    /// The primary answers.
    pub(super) fn answered(&mut self, now: Time) {
        if self.crashed {
            self.crashed = false;
            self.back = Some(now);
        }
    }

    /// The primary is believed again.
    pub(super) fn release(&mut self, now: Time) {
        if self.taken_over {
            self.taken_over = false;
            self.back = Some(now);
        }
    }

    /// It has been well for so long that what was before says nothing any more.
    pub(super) fn forget_old(&mut self, now: Time) {
        let well = self.back.filter(|_| !self.crashed && !self.taken_over);
        if let (Some(rules), Some(back)) = (&self.rules, well)
            && now.since(back) >= rules.quiet
        {
            self.level = 0;
            self.back = None;
        }
    }

    /// From one success that counts to the next, at least.
    pub(super) fn spacing(&self) -> Duration {
        let rules = self.rules.as_ref().filter(|_| self.needed() > 1);
        rules.map_or(Duration::ZERO, |rules| rules.interval)
    }

    /// How many successes in a row the next release takes.
    pub(super) fn needed(&self) -> u32 {
        let rules = self.rules.as_ref();
        let needed = rules.and_then(|rules| rules.successes.get(self.level));
        needed.copied().map_or(1, NonZeroU32::get)
    }
}
