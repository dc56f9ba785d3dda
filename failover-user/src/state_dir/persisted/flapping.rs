//! The persisted flap history. Times are stored by the boot clock, which is never set, for as
//! long as the machine runs, and by the wall clock, for after a restart of the machine.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use failover_decide::{Back, FlapHistory, Time};
use failover_linux::clock;

/// [`FlapHistory`], of one primary.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Flapping {
    /// As it is configured. Of another one it says nothing.
    primary: String,
    level: usize,
    back: Option<Moment>,
    crashed: bool,
    taken_over: bool,
    #[serde(default)]
    raised: bool,
    #[serde(default)]
    expected: bool,
}

/// Since when the primary is back.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Moment {
    /// The start of the machine that the boot clock belongs to.
    boot: Option<String>,
    /// On that clock.
    at: Duration,
    /// How long it had been back then.
    before: Duration,
    /// The same as `at`.
    wall: Timestamp,
}

/// The clocks, when what was kept is read.
struct Clocks<'boot> {
    boot: Option<&'boot str>,
    now: Time,
    wall: Timestamp,
}

impl Flapping {
    /// `None` for a primary that doesn't.
    pub(crate) fn of(primary: &str, flaps: FlapHistory) -> Option<Self> {
        (flaps != FlapHistory::default()).then(|| Self {
            primary: primary.to_owned(),
            level: flaps.level,
            back: flaps.back.map(|back| Moment {
                boot: clock::boot().map(str::to_owned),
                at: back.at.as_duration(),
                before: back.before,
                wall: clock::wall(back.at),
            }),
            crashed: flaps.crashed,
            taken_over: flaps.taken_over,
            raised: flaps.raised,
            expected: flaps.expected,
        })
    }

    /// What was kept of this primary, in this boot's times.
    pub(crate) fn recalled(&self, primary: &str) -> FlapHistory {
        let clocks = Clocks {
            boot: clock::boot(),
            now: clock::now(),
            wall: Timestamp::now(),
        };
        match self.primary == primary {
            true => self.by(&clocks),
            false => FlapHistory::default(),
        }
    }

    fn by(&self, clocks: &Clocks) -> FlapHistory {
        FlapHistory {
            level: self.level,
            back: self.back.as_ref().map(|back| back.by(clocks)),
            crashed: self.crashed,
            taken_over: self.taken_over,
            raised: self.raised,
            expected: self.expected,
        }
    }
}

impl Moment {
    /// A wall clock that was set back since makes it a time of just now, and one that was set forward
    /// ends the patience with the primary early: never is more believed than was seen.
    fn by(&self, clocks: &Clocks) -> Back {
        if self.boot.is_some() && self.boot.as_deref() == clocks.boot {
            return Back {
                at: Time::from_boot(self.at),
                before: self.before,
            };
        }
        let since: SignedDuration = clocks.wall.duration_since(self.wall);
        let since = Duration::try_from(since).unwrap_or_default();
        Back {
            at: clocks.now,
            before: self.before.saturating_add(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "10.0.0.1:18789";

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn flaps() -> FlapHistory {
        FlapHistory {
            level: 2,
            back: Some(Back {
                at: Time::from_boot(seconds(3)),
                before: seconds(600),
            }),
            crashed: false,
            taken_over: true,
            raised: true,
            expected: true,
        }
    }

    /// For how long it is back by now, after a restart of the machine.
    fn lasts(flapping: &Flapping, passed: SignedDuration) -> Duration {
        let kept = flapping.back.as_ref().unwrap();
        let back = kept.by(&Clocks {
            boot: Some("another"),
            now: Time::from_boot(seconds(20)),
            wall: kept.wall.saturating_add(passed).unwrap(),
        });
        assert_eq!(back.at, Time::from_boot(seconds(20)));
        back.before
    }

    #[test]
    fn in_the_same_boot_what_is_recalled_is_what_was_seen_whatever_the_wall_clock_says() {
        let mut flapping = Flapping::of(PRIMARY, flaps()).unwrap();
        flapping.back.as_mut().unwrap().wall = Timestamp::MAX;
        assert_eq!(flapping.recalled(PRIMARY), flaps());
        assert_eq!(flapping.recalled("10.0.0.2:18789"), FlapHistory::default());
        assert_eq!(Flapping::of(PRIMARY, FlapHistory::default()), None);
    }

    #[test]
    fn after_a_restart_of_the_machine_the_wall_clock_tells_how_long_ago_that_was() {
        let flapping = Flapping::of(PRIMARY, flaps()).unwrap();
        let hours = SignedDuration::from_hours;
        assert_eq!(lasts(&flapping, hours(1)), seconds(600 + 3600));
        // It was set back by a year, or isn't set yet.
        assert_eq!(lasts(&flapping, hours(-365 * 24)), seconds(600));
    }

    #[test]
    fn a_boot_without_a_name_is_another_one() {
        let mut flapping = Flapping::of(PRIMARY, flaps()).unwrap();
        flapping.back.as_mut().unwrap().boot = None;
        let kept = flapping.back.as_ref().unwrap();
        let back = kept.by(&Clocks {
            boot: None,
            now: Time::from_boot(seconds(20)),
            wall: kept.wall,
        });
        assert_eq!(back.at, Time::from_boot(seconds(20)));
    }
}
