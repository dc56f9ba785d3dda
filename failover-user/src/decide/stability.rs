//! Is the primary flapping? One success releases the first time; a primary that fails again soon
//! after a release has to prove itself for longer the next time.

use std::num::NonZeroU32;

use super::{Settings, Time, settings::Flapping};

/// How often the primary failed again soon after it was believed.
#[derive(Clone, Debug)]
pub(super) struct Stability {
    rules: Option<Flapping>,
    /// Index into the rules' successes.
    level: usize,
    released: Option<Time>,
    /// A takeover has begun and no release since.
    taken_over: bool,
}

impl Stability {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            rules: settings.flapping.clone(),
            level: 0,
            released: None,
            taken_over: false,
        }
    }

    /// Other rules; what happened under the old ones counts.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        self.rules.clone_from(&settings.flapping);
        let levels = self.rules.as_ref().map_or(0, |rules| rules.successes.len());
        self.level = self.level.min(levels.saturating_sub(1));
    }

    /// A start begins; only the first of an outage counts.
    pub(super) fn takeover(&mut self, now: Time) {
        let Some(rules) = &self.rules else { return };
        if self.taken_over {
            return;
        }
        self.taken_over = true;
        let Some(quiet) = self.released.map(|released| now.since(released)) else {
            return;
        };
        if quiet < rules.window {
            self.level = (self.level + 1).min(rules.successes.len().saturating_sub(1));
        } else if quiet >= rules.quiet {
            self.level = 0;
        }
    }

    /// The primary is believed again.
    pub(super) fn release(&mut self, now: Time) {
        if self.taken_over {
            self.taken_over = false;
            self.released = Some(now);
        }
    }

    /// How many successes in a row the next release takes.
    pub(super) fn needed(&self) -> u32 {
        let rules = self.rules.as_ref();
        let needed = rules.and_then(|rules| rules.successes.get(self.level));
        needed.copied().map_or(1, NonZeroU32::get)
    }
}
