//! When whoever has the port and isn't the gateway is told of: once, again as soon as a start waits
//! for it, and then each minute for as long as one does.

use std::time::Duration;

use failover_decide::Time;

/// While they keep the gateway from being started, they are told of this often.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What was told of the strangers that have the port now.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    told: Option<Told>,
    block: bool,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Time,
    /// That a start waits for them.
    blocking: bool,
}

impl Strangers {
    /// The port is free, or the gateway's.
    pub(crate) fn are_gone(&mut self) {
        *self = Self::default();
    }

    /// They have the port; `block` tells whether a start waits for it. Are they to be told of now?
    pub(crate) fn are_there(&mut self, now: Time, block: bool) -> bool {
        self.block = block;
        let told = self.told.filter(|told| {
            let is_recent = now.since(told.at) < TELL_AGAIN;
            is_recent && (told.blocking || !block)
        });
        let is_due = told.is_none() && (block || self.told.is_none());
        if is_due {
            self.told = Some(Told {
                at: now,
                blocking: block,
            });
        }
        is_due
    }

    /// Does a start wait for them?
    pub(crate) fn block(&self) -> bool {
        self.block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which seconds they are told of, when they are looked at each second.
    fn told(strangers: &mut Strangers, seconds: std::ops::Range<u64>, blocks: bool) -> Vec<u64> {
        seconds
            .filter(|second| {
                let now = Time::from_boot(Duration::from_secs(*second));
                strangers.are_there(now, blocks)
            })
            .collect()
    }

    #[test]
    fn they_are_told_of_once_while_nobody_waits_for_the_port() {
        let mut strangers = Strangers::default();
        assert_eq!(told(&mut strangers, 0..600, false), [0]);
        assert!(!strangers.block());
    }

    #[test]
    fn they_are_told_of_at_once_and_each_minute_while_a_start_waits() {
        let mut strangers = Strangers::default();
        assert_eq!(told(&mut strangers, 0..10, false), [0]);
        assert_eq!(told(&mut strangers, 10..200, true), [10, 70, 130, 190]);
        assert!(strangers.block());
        assert_eq!(told(&mut strangers, 200..300, false), [0; 0]);
        assert_eq!(told(&mut strangers, 300..301, true), [300]);
        // A start that comes and goes is nothing new each time.
        assert_eq!(told(&mut strangers, 301..302, false), [0; 0]);
        assert_eq!(told(&mut strangers, 302..303, true), [0; 0]);
    }

    #[test]
    fn those_that_come_after_others_are_told_of_anew() {
        let mut strangers = Strangers::default();
        assert_eq!(told(&mut strangers, 0..10, false), [0]);
        strangers.are_gone();
        assert!(!strangers.block());
        assert_eq!(told(&mut strangers, 10..20, false), [10]);
    }
}
