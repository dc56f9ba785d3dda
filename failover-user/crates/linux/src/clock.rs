//! The clocks. Decisions use the boot clock, which neither steps nor stops while the machine
//! sleeps; people read the wall clock, which is only ever printed.

use std::{
    fs,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use failover_decide::Time;

/// Clocks that are read further apart say nothing of each other: something came in between.
const MOST_APART: Duration = Duration::from_micros(200);
/// So often it is tried.
const ATTEMPTS: u32 = 4;
/// A wall clock that has moved by this much was set.
const STEP: Duration = Duration::from_millis(1);

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

/// The wall-clock time of a point on the boot clock: the same however often it is asked for, until
/// somebody sets the clock.
#[must_use]
pub fn wall(time: Time) -> Timestamp {
    let since_boot = SignedDuration::try_from(time.as_duration()).unwrap_or_default();
    zero()
        .checked_add(since_boot)
        .unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The same as people and tools read it: RFC 3339, in UTC, always three digits after the second.
#[must_use]
pub fn rfc3339(time: Time) -> String {
    format!("{:.3}", wall(time))
}

/// When the boot clock was zero, by the wall clock. Both are slewed alike; only a step, or somebody who
/// sets the clock, changes it (clock_gettime(2)). So what was measured once is kept: two clocks can't be
/// read at the same moment, and each measurement would make another time of every event.
fn zero() -> Timestamp {
    static KEPT: Mutex<Option<Timestamp>> = Mutex::new(None);
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..ATTEMPTS {
        let (measured, error) = measure();
        if error <= MOST_APART {
            let moved = kept.map(|kept| measured.duration_since(kept).unsigned_abs());
            if moved.is_none_or(|moved| moved >= STEP) {
                *kept = Some(measured);
            }
            break;
        }
    }
    kept.unwrap_or_else(|| measure().0)
}

/// When the boot clock was zero, and by how much that may be wrong.
fn measure() -> (Timestamp, Duration) {
    let before = now();
    let wall = Timestamp::now();
    let apart = now().since(before);
    let since_boot = SignedDuration::try_from(before.as_duration() + apart / 2);
    let boot = wall.checked_sub(since_boot.unwrap_or_default());
    (boot.unwrap_or(Timestamp::UNIX_EPOCH), apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_alike_however_often_it_is_asked_for() {
        let moment = now();
        let first = wall(moment);
        let lag = Timestamp::now().duration_since(first);
        assert!(lag.unsigned_abs() < Duration::from_secs(1), "{lag:?}");
        for microseconds in 0..1000 {
            let apart = Duration::from_micros(microseconds);
            let later = wall(moment + apart);
            assert_eq!(later.duration_since(first).unsigned_abs(), apart);
        }
    }

    #[test]
    fn what_people_read_has_always_three_digits_after_the_second() {
        for nanoseconds in [0, 1, 999, 1_000_000, 500_000_000] {
            let text = rfc3339(now() + Duration::from_nanos(nanoseconds));
            assert_eq!(text.len(), "2026-01-01T00:00:00.000Z".len(), "{text}");
            assert!(text.parse::<Timestamp>().is_ok(), "{text}");
        }
    }
}
