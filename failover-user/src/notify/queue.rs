//! The queue of notices: bounded, first in, first out. When it is full, the oldest notice is dropped.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::{sync::Notify, time::timeout};
use tracing::warn;

use failover_decide::Time;
use failover_linux::clock;

use crate::notify::{Notice, delivery::Delivery};

/// A queued notice.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) notice: Notice,
    /// When it was queued, and its age then.
    since: Time,
    before: Duration,
}

impl Waiting {
    /// A persisted notice. Its age is by the wall clock, because no other clock survives a restart of the machine.
    fn kept(notice: Notice) -> Self {
        let age = Timestamp::now().duration_since(notice.time);
        Self {
            notice,
            since: clock::now(),
            before: Duration::try_from(age).unwrap_or_default(),
        }
    }

    /// Its age. Not affected when the clock is set meanwhile.
    pub(super) fn age(&self, now: Time) -> Duration {
        now.since(self.since).saturating_add(self.before)
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    /// The channel's name, for the log.
    channel: &'static str,
    most: usize,
    delivery: Delivery,
    waiting: Mutex<VecDeque<Waiting>>,
    changed: Notify,
}

impl Queue {
    pub(super) fn new(channel: &'static str, most: usize, delivery: Delivery) -> Self {
        Self {
            channel,
            most,
            delivery,
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a notice.
    pub(super) fn push(&self, notice: Notice) {
        let mut waiting = self.waiting();
        waiting.push_back(Waiting {
            notice,
            since: clock::now(),
            before: Duration::ZERO,
        });
        self.bound(&mut waiting);
        drop(waiting);
        self.changed.notify_waiters();
    }

    /// Persisted notices go before those in the queue.
    pub(super) fn put_first(&self, notices: Vec<Notice>) {
        let mut waiting = self.waiting();
        for notice in notices.into_iter().rev() {
            // If a restarted sender reads it again, it may be queued already.
            if waiting.iter().all(|one| one.notice.id != notice.id) {
                waiting.push_front(Waiting::kept(notice));
            }
        }
        self.bound(&mut waiting);
    }

    fn bound(&self, waiting: &mut VecDeque<Waiting>) {
        let dropped = waiting.len().saturating_sub(self.most);
        if dropped > 0 {
            waiting.drain(..dropped);
            self.delivery.dropped(dropped);
            warn!(
                channel = self.channel,
                dropped, "the queue is full; the oldest notification is dropped"
            );
        }
    }

    /// Waits for the first notice, which stays in the queue. Cancel-safe.
    pub(super) async fn first(&self) -> Waiting {
        loop {
            let changed = self.changed.notified();
            if let Some(first) = self.waiting().front() {
                return first.clone();
            }
            changed.await;
        }
    }

    /// The results so far.
    pub(super) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Removes a notice that is sent, or given up.
    pub(super) fn remove(&self, id: &str) {
        self.waiting().retain(|one| one.notice.id != id);
        self.changed.notify_waiters();
    }

    /// All queued notices.
    pub(super) fn all(&self) -> Vec<Notice> {
        let waiting = self.waiting();
        waiting.iter().map(|one| one.notice.clone()).collect()
    }

    /// Waits until the queue is empty, but no longer than this.
    pub(super) async fn emptied(&self, patience: Duration) {
        let empty = async {
            loop {
                let changed = self.changed.notified();
                if self.waiting().is_empty() {
                    return;
                }
                changed.await;
            }
        };
        let _ = timeout(patience, empty).await;
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::notify::notice;

    fn ids(queue: &Queue) -> Vec<String> {
        queue.all().into_iter().map(|notice| notice.id).collect()
    }

    #[tokio::test]
    async fn the_oldest_comes_first_and_goes_where_there_is_no_room() {
        let queue = Queue::new("nobody", 2, Delivery::default());
        for id in ["a", "b", "c"] {
            queue.push(notice(id));
        }
        assert_eq!(queue.first().await.notice.id, "b");
        queue.put_first(vec![notice("x"), notice("y")]);
        assert_eq!(ids(&queue), ["b", "c"]);
        assert_eq!(queue.delivery.so_far().dropped, 3);
        queue.remove("b");
        assert_eq!(queue.first().await.notice.id, "c");
        queue.remove("c");
        queue.emptied(Duration::from_secs(10)).await;
        assert_eq!(ids(&queue), [""; 0]);
    }

    #[tokio::test]
    async fn the_age_is_measured_by_a_clock_that_nobody_sets_but_for_what_was_kept() {
        const HOUR: Duration = Duration::from_secs(3600);
        let year = SignedDuration::from_hours(365 * 24);
        let queue = Queue::new("nobody", 2, Delivery::default());
        let mut early = notice("early");
        // The clock was set after it happened: ahead, as on a machine without one of its own.
        early.time -= year;
        queue.push(early.clone());
        let waiting = queue.first().await;
        assert_eq!(waiting.age(waiting.since + HOUR), HOUR);
        let mut late = notice("late");
        // Or back.
        late.time += year;
        queue.put_first(vec![late]);
        let waiting = queue.first().await;
        assert_eq!(waiting.age(waiting.since + HOUR), HOUR);
        queue.remove("late");
        queue.remove("early");
        queue.put_first(vec![early]);
        let waiting = queue.first().await;
        assert!(waiting.age(clock::now()) > 300 * 24 * HOUR);
    }
}
