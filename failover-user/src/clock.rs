//! The clocks. Decisions use the boot clock, which neither steps nor stops while the machine
//! sleeps; people read the wall clock, which is only ever printed.

use std::{fs, sync::LazyLock, time::Duration};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::decide::Time;

/// `CLOCK_BOOTTIME`, the clock of the kernel's events.
#[must_use]
pub fn now() -> Time {
    let time = clock_gettime(ClockId::Boottime);
    // The boot clock is never negative (clock_gettime(2)).
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
    Time::from_boot(Duration::new(seconds, nanoseconds))
}

/// Which start of the machine this is, the one whose boot clock this is (random(4)). `None` where the
/// kernel doesn't say.
#[must_use]
pub fn boot() -> Option<&'static str> {
    static BOOT: LazyLock<Option<String>> = LazyLock::new(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(boot.trim().to_owned())
    });
    BOOT.as_deref()
}

/// How long the machine has been suspended since it was switched on: what the boot clock counts and
/// the monotonic one doesn't (clock_gettime(2)).
#[must_use]
pub fn suspended() -> Duration {
    let monotonic = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(monotonic.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(monotonic.tv_nsec).unwrap_or(0);
    now()
        .as_duration()
        .saturating_sub(Duration::new(seconds, nanoseconds))
}

/// The wall-clock time of a point on the boot clock.
#[must_use]
pub fn wall(time: Time) -> Timestamp {
    let ago = SignedDuration::try_from(now().since(time)).unwrap_or_default();
    let ahead = SignedDuration::try_from(time.since(now())).unwrap_or_default();
    Timestamp::now()
        .checked_sub(ago)
        .and_then(|wall| wall.checked_add(ahead))
        .unwrap_or_default()
}
