//! Since when a request waits for the daemon's main loop. Each request has a ticket until there is
//! an answer, or until the request is dropped.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use failover_decide::Time;
use failover_linux::clock;

/// Those who wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<Mutex<Tickets>>);

#[derive(Debug, Default)]
struct Tickets {
    next: u64,
    /// By number, so that the first is the oldest.
    since: BTreeMap<u64, Time>,
}

/// One who waits, until it is dropped.
#[derive(Debug)]
pub(crate) struct Ticket {
    number: u64,
    waiting: Waiting,
}

impl Waiting {
    /// One more waits from now on.
    pub(crate) fn begin(&self) -> Ticket {
        let mut tickets = self.tickets();
        let number = tickets.next;
        tickets.next += 1;
        tickets.since.insert(number, clock::now());
        Ticket {
            number,
            waiting: self.clone(),
        }
    }

    /// Since when the one that waits longest does.
    pub(crate) fn since(&self) -> Option<Time> {
        self.tickets().since.values().next().copied()
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.waiting.tickets().since.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_wait_counts_until_it_is_over() {
        let waiting = Waiting::default();
        assert_eq!(waiting.since(), None);
        let first = waiting.begin();
        let since = waiting.since().unwrap();
        let second = waiting.begin();
        assert_eq!(waiting.since(), Some(since));
        drop(first);
        assert!(waiting.since().unwrap() >= since);
        drop(second);
        assert_eq!(waiting.since(), None);
    }
}
