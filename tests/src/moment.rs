//! One time line for everything: the times of log lines, kernel events, command runs and actions of the lab all become
//! a [`Moment`], so that they can be compared.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// A point in time: `CLOCK_BOOTTIME`, in nanoseconds.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Moment(u64);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
        Self(seconds * 1_000_000_000 + nanoseconds)
    }

    /// Nanoseconds since the machine started.
    #[must_use]
    pub fn nanoseconds(self) -> u64 {
        self.0
    }

    /// The moment of a time of day (RFC 3339), unless it isn't one.
    #[must_use]
    pub fn of_day(text: &str) -> Option<Self> {
        let then: Timestamp = text.parse().ok()?;
        let (day, now) = (Timestamp::now(), Self::now());
        let ago = i64::try_from(day.as_nanosecond() - then.as_nanosecond()).ok()?;
        now.0.checked_add_signed(ago.checked_neg()?).map(Self)
    }

    /// From `earlier` to this; nothing if it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_found_on_the_same_line() {
        let before = Moment::now();
        let parsed = Moment::of_day(&Timestamp::now().to_string()).unwrap();
        let after = Moment::now();
        // Two clocks are read one after the other, and one of them is adjusted now and then.
        let slack = Duration::from_millis(5);
        assert!(before - slack <= parsed && parsed <= after + slack);
    }

    #[test]
    fn what_is_no_time_of_day_is_refused() {
        assert_eq!(Moment::of_day("yesterday"), None);
    }
}
