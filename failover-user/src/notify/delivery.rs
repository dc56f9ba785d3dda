//! The result of notifications: counts of successes and failures, and the last error, for the status and
//! the metrics. It must not know how notifications are sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use failover_decide::Time;
use failover_linux::clock;

use crate::notify::connect::Obstacle;

/// Written by a notifier, read by others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<Mutex<Delivered>>);

/// Results of all notifications.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Delivered {
    /// Successful attempts.
    pub(crate) told: u64,
    /// Failed attempts.
    pub(crate) failed: u64,
    /// Notices dropped without success: the queue was full, or they were too old.
    pub(crate) dropped: u64,
    /// Why the last attempt failed, and since when attempts fail; `None`: the last one succeeded.
    pub(crate) trouble: Option<(Time, Obstacle)>,
}

impl Delivery {
    /// The same counts for a new notifier, without an error.
    pub(crate) fn anew(&self) -> Self {
        let delivered = Delivered {
            trouble: None,
            ..self.so_far()
        };
        Self(Arc::new(Mutex::new(delivered)))
    }

    pub(crate) fn so_far(&self) -> Delivered {
        self.lock().clone()
    }

    pub(super) fn told(&self) {
        let mut delivered = self.lock();
        delivered.told = delivered.told.saturating_add(1);
        delivered.trouble = None;
    }

    pub(super) fn failed(&self, obstacle: Obstacle) {
        let mut delivered = self.lock();
        delivered.failed = delivered.failed.saturating_add(1);
        let since = delivered.trouble.as_ref().map(|(since, _)| *since);
        delivered.trouble = Some((since.unwrap_or_else(clock::now), obstacle));
    }

    pub(super) fn dropped(&self, count: usize) {
        let mut delivered = self.lock();
        delivered.dropped = delivered.dropped.saturating_add(count as u64);
    }

    fn lock(&self) -> MutexGuard<'_, Delivered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn obstacle(what: &str) -> Obstacle {
        Obstacle {
            what: what.to_owned(),
            remedy: "look",
        }
    }

    #[test]
    fn trouble_lasts_from_the_first_failure_until_an_attempt_goes_well() {
        let delivery = Delivery::default();
        delivery.failed(obstacle("first"));
        let since = delivery.so_far().trouble.unwrap().0;
        delivery.failed(obstacle("second"));
        delivery.dropped(3);
        assert_eq!(
            delivery.so_far(),
            Delivered {
                told: 0,
                failed: 2,
                dropped: 3,
                trouble: Some((since, obstacle("second"))),
            }
        );
        delivery.told();
        assert_eq!(delivery.so_far().trouble, None);
    }

    #[test]
    fn who_comes_after_has_the_counts_and_no_trouble_and_the_one_before_changes_neither() {
        let before = Delivery::default();
        before.told();
        before.failed(obstacle("down"));
        let after = before.anew();
        before.failed(obstacle("still down"));
        let delivered = after.so_far();
        assert_eq!((delivered.told, delivered.failed), (1, 1));
        assert_eq!(delivered.trouble, None);
    }
}
