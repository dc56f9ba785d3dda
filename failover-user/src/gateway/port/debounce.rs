//! Which listeners are there to stay. OpenClaw's commands find out whether the port is free by
//! listening on it themselves for a moment (`tryListenOnPort`, infra/ports-probe.ts, 2026.9.6): whoever
//! believed that at once would take a command that is about to start the gateway for the gateway, and
//! one that is run beside a healthy primary for a second one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use failover_decide::Time;
use failover_linux::sock_diag::listeners::Listener;

/// A socket that listens for so long isn't there to try the port out, which takes a millisecond or
/// two, and some more where the processors are busy.
const STABLE_AFTER: Duration = Duration::from_millis(200);

/// Sockets that listen since a moment ago, by inode, and since when.
#[derive(Debug, Default)]
pub struct Debounce {
    young: BTreeMap<u32, Time>,
}

impl Debounce {
    /// Those of the sockets seen now that are believed: all that were `known` already, and the others
    /// once they have been seen for long enough.
    pub fn believed(&mut self, now: Time, seen: &[Listener], known: &[Listener]) -> Vec<Listener> {
        let before = std::mem::take(&mut self.young);
        let known: BTreeSet<&Listener> = known.iter().collect();
        let mut believed = Vec::with_capacity(seen.len());
        for listener in seen {
            let since = before.get(&listener.inode).copied().unwrap_or(now);
            if known.contains(listener) || now.since(since) >= STABLE_AFTER {
                believed.push(*listener);
            } else {
                self.young.insert(listener.inode, since);
            }
        }
        believed
    }

    /// Are there any that aren't believed yet?
    pub fn has_young(&self) -> bool {
        !self.young.is_empty()
    }

    /// How long until the next of them is believed.
    pub fn remaining(&self, now: Time) -> Option<Duration> {
        let oldest = self.young.values().min()?;
        Some(STABLE_AFTER.saturating_sub(now.since(*oldest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Time {
        Time::from_boot(Duration::from_millis(milliseconds))
    }

    fn listener(inode: u32) -> Listener {
        Listener {
            address: "127.0.0.1:18789".parse().unwrap(),
            uid: 0,
            inode,
            only_v6: false,
        }
    }

    #[test]
    fn a_socket_that_is_closed_again_at_once_is_never_believed() {
        let mut debounce = Debounce::default();
        for attempt in 0..10 {
            let now = at(u64::from(attempt) * 150);
            assert_eq!(debounce.believed(now, &[listener(attempt)], &[]), []);
            assert_eq!(debounce.believed(now, &[], &[]), []);
            assert_eq!(debounce.remaining(now), None);
        }
    }

    #[test]
    fn a_socket_that_stays_is_believed_as_soon_as_it_has_stayed_for_long_enough() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.believed(at(0), &[listener(1)], &[]), []);
        let wait = debounce.remaining(at(50)).unwrap();
        assert_eq!(wait, Duration::from_millis(150));
        assert_eq!(debounce.believed(at(199), &[listener(1)], &[]), []);
        let believed = debounce.believed(at(200), &[listener(1)], &[]);
        assert_eq!(believed, [listener(1)]);
        assert_eq!(debounce.remaining(at(200)), None);
    }

    #[test]
    fn one_that_is_believed_stays_so_while_another_comes_and_goes() {
        let mut debounce = Debounce::default();
        let known = [listener(1)];
        let both = [listener(1), listener(2)];
        assert_eq!(debounce.believed(at(0), &both, &known), known);
        assert_eq!(debounce.believed(at(100), &known, &known), known);
        assert_eq!(debounce.believed(at(300), &both, &known), known);
        assert_eq!(debounce.believed(at(500), &both, &known), both);
    }
}
