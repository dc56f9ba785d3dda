//! Waits for conditions, never for time to pass.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Poll interval of a condition.
pub const POLL: Duration = Duration::from_millis(5);

/// Far longer than anything here takes, for what has no time of its own to keep.
pub const LONG: Duration = Duration::from_secs(15);

/// What `condition` yields first, or `None` when it had yielded nothing by the deadline.
pub fn attempt<T>(timeout: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        // Taken before the look: one that was held up for long still has its say.
        let late = Instant::now() >= deadline;
        if let Some(found) = condition() {
            return Some(found);
        }
        if late {
            return None;
        }
        thread::sleep(POLL);
    }
}

/// What `condition` yields first.
///
/// # Panics
/// With `what` in the message, when it has yielded nothing by the deadline.
pub fn until<T>(what: &str, timeout: Duration, condition: impl FnMut() -> Option<T>) -> T {
    attempt(timeout, condition).unwrap_or_else(|| panic!("not within {timeout:?}: {what}"))
}

/// Asserts that nothing happens for a while: the one case in which time itself is waited for.
///
/// # Panics
/// As soon as `unwanted` yields something.
pub fn nothing_happens<T: std::fmt::Debug>(
    what: &str,
    period: Duration,
    unwanted: impl FnMut() -> Option<T>,
) {
    if let Some(happened) = attempt(period, unwanted) {
        panic!("{what}: {happened:?}");
    }
}
