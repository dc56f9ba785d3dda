//! The result of notifications: counts of successes and failures, and the last error, for the status and
//! the metrics. It must not know how notifications are sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use failover_decide::Time;
use failover_linux::clock;

use crate::notify::DeliveryError;

/// Written by a channel, read by others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<Mutex<Delivered>>);

/// Results of all notifications.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Delivered {
    /// Successful attempts.
    pub(crate) sent: u64,
    /// Failed attempts.
    pub(crate) failed: u64,
    /// Notices dropped without success: the queue was full, or they were too old.
    pub(crate) dropped: u64,
    /// Why the last attempt failed, and since when attempts fail; `None`: the last one succeeded.
    pub(crate) failing: Option<(Time, DeliveryError)>,
}

impl Delivery {
    /// The same counts for a new channel, without an error.
    pub(crate) fn anew(&self) -> Self {
        let delivered = Delivered {
            failing: None,
            ..self.so_far()
        };
        Self(Arc::new(Mutex::new(delivered)))
    }

    pub(crate) fn so_far(&self) -> Delivered {
        self.lock().clone()
    }

    pub(super) fn sent(&self) {
        let mut delivered = self.lock();
        delivered.sent = delivered.sent.saturating_add(1);
        delivered.failing = None;
    }

    pub(super) fn failed(&self, error: DeliveryError) {
        let mut delivered = self.lock();
        delivered.failed = delivered.failed.saturating_add(1);
        let since = delivered.failing.as_ref().map(|(since, _)| *since);
        delivered.failing = Some((since.unwrap_or_else(clock::now), error));
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

    fn error(what: &str) -> DeliveryError {
        DeliveryError {
            what: what.to_owned(),
            remedy: "look",
        }
    }

    #[test]
    fn it_fails_from_the_first_failure_until_an_attempt_succeeds() {
        let delivery = Delivery::default();
        delivery.failed(error("first"));
        let since = delivery.so_far().failing.unwrap().0;
        delivery.failed(error("second"));
        delivery.dropped(3);
        assert_eq!(
            delivery.so_far(),
            Delivered {
                sent: 0,
                failed: 2,
                dropped: 3,
                failing: Some((since, error("second"))),
            }
        );
        delivery.sent();
        assert_eq!(delivery.so_far().failing, None);
    }

    #[test]
    fn the_next_channel_has_the_counts_and_no_failure_and_the_one_before_changes_neither() {
        let before = Delivery::default();
        before.sent();
        before.failed(error("down"));
        let after = before.anew();
        before.failed(error("still down"));
        let delivered = after.so_far();
        assert_eq!((delivered.sent, delivered.failed), (1, 1));
        assert_eq!(delivered.failing, None);
    }
}
