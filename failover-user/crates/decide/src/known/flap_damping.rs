//! Is the primary flapping? The first release takes one success; after a primary has failed again soon
//! after its return, the next release takes more.
//!
//! A return is a release after a takeover, and also a restart of the primary's process before a takeover
//! was due: a process that crashes in a loop is rarely down for three strikes, and serves nobody. Only a
//! failure that the primary's host itself reported counts as such a crash. One that the network may have
//! caused has to lead to a takeover first.
//!
//! What operators do isn't flapping: a takeover by order, and an outage that begins while an order is in
//! force or after the primary has reported that it is draining, are ignored, and so is the return from
//! them.
//!
//! How often it failed can't be observed again, so [`FlapHistory`] is part of the persistent state.

use std::{num::NonZeroU32, time::Duration};

use crate::{
    settings::{Flapping, Settings},
    time::Time,
};

/// How often the primary failed again soon after it was back.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FlapHistory {
    /// Number of failures that came too soon, capped: index into
    /// [`Flapping::successes`](crate::Flapping::successes).
    pub level: usize,
    /// When it returned, if it ever failed.
    pub back: Option<Back>,
    /// It has crashed and not answered since.
    pub crashed: bool,
    /// A takeover has begun and no release since.
    pub taken_over: bool,
    /// The current outage has raised the level.
    pub raised: bool,
    /// The current outage was caused by an operator: it is ignored.
    pub expected: bool,
}

/// Since when the primary is back: at a time of this boot, it had been back for `before`, which may be
/// longer than this boot has lasted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Back {
    /// A time of this boot.
    pub at: Time,
    /// How long it had been back then.
    pub before: Duration,
}

impl Back {
    fn just(now: Time) -> Self {
        Self {
            at: now,
            before: Duration::ZERO,
        }
    }

    /// How long it has been back.
    fn lasts(self, now: Time) -> Duration {
        self.before.saturating_add(now.since(self.at))
    }
}

/// [`FlapHistory`], by these rules.
#[derive(Clone, Debug)]
pub(crate) struct FlapDamping {
    rules: Option<Flapping>,
    history: FlapHistory,
}

impl FlapDamping {
    /// Restores the history from the persistent state. A level above the highest is reduced to it, and a
    /// time in the future to now.
    pub(crate) fn new(settings: &Settings, history: FlapHistory, now: Time) -> Self {
        let mut damping = Self {
            rules: None,
            history: FlapHistory {
                back: history.back.map(|back| Back {
                    at: back.at.min(now),
                    ..back
                }),
                ..history
            },
        };
        damping.reconfigure(settings);
        damping
    }

    /// Applies new rules; the history stays.
    pub(crate) fn reconfigure(&mut self, settings: &Settings) {
        self.rules.clone_from(&settings.flapping);
        let levels = self.rules.as_ref().map_or(0, |rules| rules.successes.len());
        self.history.level = self.history.level.min(levels.saturating_sub(1));
    }

    /// The history, for the persistent state.
    pub(crate) fn history(&self) -> FlapHistory {
        self.history
    }

    /// It is another primary.
    pub(crate) fn forget(&mut self) {
        self.history = FlapHistory::default();
    }

    /// An outage begins that an operator has caused or expected.
    pub(crate) fn expected(&mut self) {
        self.history.expected = true;
    }

    /// An operator orders a takeover. A failure right before it belongs to the order: a test of the takeover
    /// often begins by stopping the primary.
    pub(crate) fn ordered(&mut self) {
        if !self.history.taken_over {
            let raised = usize::from(std::mem::take(&mut self.history.raised));
            self.history.level = self.history.level.saturating_sub(raised);
            self.history.crashed = false;
            self.history.expected = true;
        }
    }

    /// It answered before, and now its host reports that the process is gone.
    pub(crate) fn crashed(&mut self, now: Time) {
        if !self.history.crashed && !self.history.expected {
            self.history.crashed = true;
            self.failed(now);
        }
    }

    /// A start begins in an outage that began at this time. Only the first start of an outage counts, and
    /// only if no crash has been counted.
    pub(crate) fn takeover(&mut self, failed: Time) {
        if !self.history.taken_over && !self.history.expected {
            self.history.taken_over = true;
            if !self.history.crashed {
                self.failed(failed);
            }
        }
    }

    fn failed(&mut self, now: Time) {
        let (Some(rules), Some(back)) = (&self.rules, self.history.back) else {
            return;
        };
        if back.lasts(now) < rules.window {
            let level = (self.history.level + 1).min(rules.successes.len().saturating_sub(1));
            self.history.raised = level > self.history.level;
            self.history.level = level;
        }
    }

    /// The primary answers.
    pub(crate) fn answered(&mut self, now: Time) {
        self.history.raised = false;
        self.history.expected = false;
        if self.history.crashed {
            self.history.crashed = false;
            self.history.back = Some(Back::just(now));
        }
    }

    /// The primary is trusted again.
    pub(crate) fn release(&mut self, now: Time) {
        if self.history.taken_over {
            self.history.taken_over = false;
            self.history.raised = false;
            self.history.back = Some(Back::just(now));
        }
    }

    /// Clears the history once the primary has been healthy for the quiet time.
    pub(crate) fn forget_old(&mut self, now: Time) {
        let well = self.history.back.filter(|_| {
            !self.history.crashed && !self.history.taken_over && !self.history.expected
        });
        if let (Some(rules), Some(back)) = (&self.rules, well)
            && back.lasts(now) >= rules.quiet
        {
            self.history.level = 0;
            self.history.raised = false;
            self.history.back = None;
        }
    }

    /// Shortest time from one success that counts to the next.
    pub(crate) fn spacing(&self) -> Duration {
        let rules = self.rules.as_ref().filter(|_| self.needed() > 1);
        rules.map_or(Duration::ZERO, |rules| rules.interval)
    }

    /// How many successes in a row the next release takes.
    pub(crate) fn needed(&self) -> u32 {
        let rules = self.rules.as_ref();
        let needed = rules.and_then(|rules| rules.successes.get(self.history.level));
        needed.copied().map_or(1, NonZeroU32::get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::mission;

    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    /// Three levels, ten minutes and an hour.
    fn settings() -> Settings {
        let successes = [1, 3, 10].map(|needed| NonZeroU32::new(needed).unwrap());
        Settings {
            flapping: Some(Flapping {
                window: Duration::from_secs(10 * MINUTE),
                quiet: Duration::from_secs(HOUR),
                successes: successes.to_vec(),
                interval: Duration::from_secs(3),
            }),
            ..mission()
        }
    }

    fn fresh() -> FlapDamping {
        FlapDamping::new(&settings(), FlapHistory::default(), at(0))
    }

    /// The same in the next daemon.
    fn restarted(before: &FlapDamping, now: u64) -> FlapDamping {
        FlapDamping::new(&settings(), before.history(), at(now))
    }

    #[test]
    fn who_goes_on_from_what_was_handed_out_asks_for_as_many_successes_at_every_point() {
        let mut of_one = fresh();
        let mut of_many = fresh();
        let mut now = 0;
        let mut needed = Vec::new();
        for _ in 0..4 {
            let steps: [fn(&mut FlapDamping, Time); 4] = [
                FlapDamping::takeover,
                FlapDamping::release,
                FlapDamping::crashed,
                FlapDamping::answered,
            ];
            for step in steps {
                now += MINUTE;
                step(&mut of_one, at(now));
                of_many = restarted(&of_many, now);
                step(&mut of_many, at(now));
                assert_eq!(of_one.history(), of_many.history());
                needed.push(of_many.needed());
            }
        }
        assert_eq!(needed[..6], [1, 1, 3, 3, 10, 10]);
    }

    #[test]
    fn quiet_that_nobody_watched_is_quiet_and_an_outage_is_not() {
        let mut damping = fresh();
        damping.takeover(at(0));
        damping.release(at(MINUTE));
        damping.takeover(at(2 * MINUTE));
        let mut still = restarted(&damping, 10 * HOUR);
        still.forget_old(at(10 * HOUR));
        assert_eq!(still.needed(), 3);
        damping.release(at(3 * MINUTE));
        // The machine was restarted, and its clock with it.
        let mut flaps = damping.history();
        flaps.back = Some(Back {
            at: at(0),
            before: Duration::from_secs(30 * MINUTE),
        });
        let mut rebooted = FlapDamping::new(&settings(), flaps, at(0));
        rebooted.forget_old(at(30 * MINUTE - 1));
        assert_eq!(rebooted.needed(), 3);
        // Back for too long for a failure to be one more.
        rebooted.takeover(at(1));
        assert_eq!(rebooted.needed(), 3);
        let mut quiet = restarted(&damping, HOUR + 3 * MINUTE);
        assert_eq!(quiet.needed(), 3);
        quiet.forget_old(at(HOUR + 3 * MINUTE));
        assert_eq!(
            (quiet.needed(), quiet.history()),
            (1, FlapHistory::default())
        );
    }

    #[test]
    fn whatever_is_handed_in_it_is_forgotten_after_the_quiet_time_at_the_latest() {
        let nonsense = FlapHistory {
            level: usize::MAX,
            back: Some(Back::just(at(u64::MAX))),
            ..FlapHistory::default()
        };
        let mut damping = FlapDamping::new(&settings(), nonsense, at(5));
        assert_eq!((damping.needed(), damping.history().level), (10, 2));
        damping.forget_old(at(4 + HOUR));
        assert_eq!(damping.needed(), 10);
        damping.forget_old(at(5 + HOUR));
        assert_eq!(damping.needed(), 1);
        let long = FlapHistory {
            back: Some(Back {
                at: at(5),
                before: Duration::MAX,
            }),
            ..nonsense
        };
        let mut damping = FlapDamping::new(&settings(), long, at(5));
        damping.forget_old(at(5));
        assert_eq!(damping.needed(), 1);
        let off = Settings {
            flapping: None,
            ..settings()
        };
        assert_eq!(FlapDamping::new(&off, nonsense, at(5)).needed(), 1);
    }
}
