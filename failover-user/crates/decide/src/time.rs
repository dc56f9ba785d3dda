//! A point in time, so that no clock is needed to reason about one.

use std::{ops::Add, time::Duration};

/// A point in time, counted from the machine's boot, suspends included (`CLOCK_BOOTTIME`).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Time(Duration);

impl Time {
    /// The time at this distance from boot.
    #[must_use]
    pub const fn from_boot(distance: Duration) -> Self {
        Self(distance)
    }

    /// Distance from boot.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it wasn't.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, distance: Duration) -> Self {
        Self(self.0.saturating_add(distance))
    }
}

/// The earliest of these, if any. Taken by reference: this runs for each event, and moving the times would take
/// longer than comparing them.
pub(crate) fn earliest(times: &[Option<Time>]) -> Option<Time> {
    times.iter().flatten().min().copied()
}
