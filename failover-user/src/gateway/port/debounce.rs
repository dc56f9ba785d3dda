//! Ignores listeners that exist only for a moment. OpenClaw's commands test whether the port is free by
//! listening on it briefly (`tryListenOnPort`, infra/ports-probe.ts, 2026.9.6). Without debouncing, a
//! command that is about to start the gateway would be taken for the gateway, and one that runs beside
//! a healthy primary for a second gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use failover_decide::Time;
use failover_linux::sock_diag::listeners::Listener;

/// A socket that has listened for this long is no test of the port, which takes one or two
/// milliseconds, and a few more on a busy machine.
const STABLE_AFTER: Duration = Duration::from_millis(200);

/// Sockets that began to listen a moment ago: their inodes, and since when.
#[derive(Debug, Default)]
pub struct Debounce {
    young: BTreeMap<u32, Time>,
}

impl Debounce {
    /// The stable ones of the sockets seen now: all that were already `known`, and the others
    /// once they have been seen for long enough.
    pub fn stable(&mut self, now: Time, seen: &[Listener], known: &[Listener]) -> Vec<Listener> {
        let before = std::mem::take(&mut self.young);
        let known: BTreeSet<&Listener> = known.iter().collect();
        let mut stable = Vec::with_capacity(seen.len());
        for listener in seen {
            let since = before.get(&listener.inode).copied().unwrap_or(now);
            if known.contains(listener) || now.since(since) >= STABLE_AFTER {
                stable.push(*listener);
            } else {
                self.young.insert(listener.inode, since);
            }
        }
        stable
    }

    /// Is any socket not stable yet?
    pub fn has_young(&self) -> bool {
        !self.young.is_empty()
    }

    /// Time until the next socket is stable.
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
            assert_eq!(debounce.stable(now, &[listener(attempt)], &[]), []);
            assert_eq!(debounce.stable(now, &[], &[]), []);
            assert_eq!(debounce.remaining(now), None);
        }
    }

    #[test]
    fn a_socket_that_stays_is_believed_as_soon_as_it_has_stayed_for_long_enough() {
        let mut debounce = Debounce::default();
        assert_eq!(debounce.stable(at(0), &[listener(1)], &[]), []);
        let wait = debounce.remaining(at(50)).unwrap();
        assert_eq!(wait, Duration::from_millis(150));
        assert_eq!(debounce.stable(at(199), &[listener(1)], &[]), []);
        let stable = debounce.stable(at(200), &[listener(1)], &[]);
        assert_eq!(stable, [listener(1)]);
        assert_eq!(debounce.remaining(at(200)), None);
    }

    #[test]
    fn one_that_is_believed_stays_so_while_another_comes_and_goes() {
        let mut debounce = Debounce::default();
        let known = [listener(1)];
        let both = [listener(1), listener(2)];
        assert_eq!(debounce.stable(at(0), &both, &known), known);
        assert_eq!(debounce.stable(at(100), &known, &known), known);
        assert_eq!(debounce.stable(at(300), &both, &known), known);
        assert_eq!(debounce.stable(at(500), &both, &known), both);
    }
}
