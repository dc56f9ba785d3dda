//! Successes in a row, as far as they count.

use std::time::Duration;

use crate::Time;

/// Successes in a row that are far enough apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Successes {
    pub(super) count: u32,
    /// When the probe began that was the last of them.
    last: Option<Time>,
}

impl Successes {
    /// One more, unless there are as many as anybody asks for.
    pub(super) fn add(&mut self, began: Time, spacing: Duration, most: u32) {
        if self.count < most && self.last.is_none_or(|last| began >= last + spacing) {
            self.count = self.count.saturating_add(1);
            self.last = Some(began);
        }
    }
}
