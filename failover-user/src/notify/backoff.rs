//! Exponential backoff between failed attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(600);

/// The backoff of one notice, or of several in a row that failed.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Backoff {
    /// No attempt has failed yet.
    pub(crate) fn is_first(&self) -> bool {
        self.next == FIRST
    }

    /// The current delay; the next one is longer.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (2 * pause).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_to_ten_minutes_and_begin_anew() {
        let mut backoff = Backoff::default();
        let is_first = backoff.is_first();
        let seconds: Vec<u64> = (0..12).map(|_| backoff.next().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
        assert!(is_first && !backoff.is_first());
        assert!(Backoff::default().is_first());
    }
}
