//! Successes in a row, as far as they count.

use std::time::Duration;

use crate::Time;

/// Successes in a row that are far enough apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Successes {
    pub(super) count: u32,
    /// When the last of their probes began.
    last: Option<Time>,
}

impl Successes {
    /// Counts one more, up to the most that a release takes.
    pub(super) fn add(&mut self, began: Time, spacing: Duration, most: u32) {
        if self.count < most && self.last.is_none_or(|last| began >= last + spacing) {
            self.count = self.count.saturating_add(1);
            self.last = Some(began);
        }
    }
}
