//! What waits to be told: bounded, the oldest goes first, and goes when there is no room.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};
use tracing::warn;

use super::Notice;

#[derive(Debug)]
pub(super) struct Queue {
    /// Who is told, for the log.
    whom: &'static str,
    most: usize,
    waiting: Mutex<VecDeque<Notice>>,
    changed: Notify,
}

impl Queue {
    pub(super) fn new(whom: &'static str, most: usize) -> Self {
        Self {
            whom,
            most,
            waiting: Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// At the end.
    pub(super) fn push(&self, notice: Notice) {
        let mut waiting = self.waiting();
        waiting.push_back(notice);
        self.bound(&mut waiting);
        drop(waiting);
        self.changed.notify_waiters();
    }

    /// Before whatever waits already.
    pub(super) fn put_first(&self, notices: Vec<Notice>) {
        let mut waiting = self.waiting();
        for notice in notices.into_iter().rev() {
            waiting.push_front(notice);
        }
        self.bound(&mut waiting);
    }

    fn bound(&self, waiting: &mut VecDeque<Notice>) {
        let dropped = waiting.len().saturating_sub(self.most);
        if dropped > 0 {
            waiting.drain(..dropped);
            warn!(
                whom = self.whom,
                dropped, "too many notifications wait; the oldest is dropped"
            );
        }
    }

    /// Waits for the first, which stays where it is. Cancel-safe.
    pub(super) async fn first(&self) -> Notice {
        loop {
            let changed = self.changed.notified();
            if let Some(first) = self.waiting().front() {
                return first.clone();
            }
            changed.await;
        }
    }

    /// It is told, or given up.
    pub(super) fn remove(&self, id: &str) {
        self.waiting().retain(|notice| notice.id != id);
        self.changed.notify_waiters();
    }

    /// All that waits.
    pub(super) fn all(&self) -> Vec<Notice> {
        self.waiting().iter().cloned().collect()
    }

    /// Waits until nothing is left, but no longer than this.
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
    use super::*;
    use crate::notify::notice;

    fn ids(queue: &Queue) -> Vec<String> {
        queue.all().into_iter().map(|notice| notice.id).collect()
    }

    #[tokio::test]
    async fn the_oldest_comes_first_and_goes_where_there_is_no_room() {
        let queue = Queue::new("nobody", 2);
        for id in ["a", "b", "c"] {
            queue.push(notice(id));
        }
        assert_eq!(queue.first().await.id, "b");
        queue.put_first(vec![notice("x"), notice("y")]);
        assert_eq!(ids(&queue), ["b", "c"]);
        queue.remove("b");
        assert_eq!(queue.first().await.id, "c");
        queue.remove("c");
        queue.emptied(Duration::from_secs(10)).await;
        assert_eq!(ids(&queue), [""; 0]);
    }
}
