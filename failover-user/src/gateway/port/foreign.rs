//! Logs foreign listeners on the port: once, again as soon as a start waits for the port, and then each minute while one
//! does.

use std::time::Duration;

use tracing::{error, info, warn};

use failover_decide::Time;
use failover_linux::clock;

use crate::gateway::port::listeners::Listeners;

/// While they keep the gateway from being started, they are logged this often.
const LOG_AGAIN: Duration = Duration::from_secs(60);

/// What was logged of the foreign listeners that have the port now.
#[derive(Debug, Default)]
pub(crate) struct ForeignListeners {
    logged: Option<Logged>,
    is_blocking: bool,
    /// Those on other addresses that were logged last.
    beside: String,
}

#[derive(Clone, Copy, Debug)]
struct Logged {
    at: Time,
    /// That a start waits for them.
    is_blocking: bool,
}

impl ForeignListeners {
    /// Logs what is due. `blocks`: a start waits for the port.
    pub(crate) fn log(&mut self, listeners: &Listeners, blocks: bool) {
        let beside = listeners.beside();
        if self.beside != beside {
            if !beside.is_empty() {
                info!(
                    held_by = beside,
                    "something that isn't the gateway listens on another address of the port; it doesn't keep the gateway from starting"
                );
            }
            self.beside = beside;
        }
        if !listeners.is_foreign() {
            self.clear();
        } else if self.is_due(clock::now(), blocks) {
            let (held_by, gateway) = (listeners.held_by(), listeners.identity());
            let remedy = "end it, or name it with --owner if it is the gateway";
            if blocks {
                error!(held_by, %gateway, remedy, "the port is held by something that isn't the gateway: no start is tried until it is free");
            } else {
                warn!(held_by, %gateway, remedy, "the port is held by something that isn't the gateway: a takeover would wait until it is free");
            }
        }
    }

    /// The port is free, or the gateway's.
    fn clear(&mut self) {
        self.logged = None;
        self.is_blocking = false;
    }

    /// They have the port, and a start waits for it or doesn't. Are they to be logged now?
    fn is_due(&mut self, now: Time, is_blocking: bool) -> bool {
        self.is_blocking = is_blocking;
        let logged = self.logged.filter(|logged| {
            let is_recent = now.since(logged.at) < LOG_AGAIN;
            is_recent && (logged.is_blocking || !is_blocking)
        });
        let is_due = logged.is_none() && (is_blocking || self.logged.is_none());
        if is_due {
            self.logged = Some(Logged {
                at: now,
                is_blocking,
            });
        }
        is_due
    }

    /// Does a start wait for the port?
    pub(crate) fn is_blocking(&self) -> bool {
        self.is_blocking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which a line is due, when the port is polled each second.
    fn due(
        foreign: &mut ForeignListeners,
        seconds: std::ops::Range<u64>,
        is_blocking: bool,
    ) -> Vec<u64> {
        seconds
            .filter(|second| {
                let now = Time::from_boot(Duration::from_secs(*second));
                foreign.is_due(now, is_blocking)
            })
            .collect()
    }

    #[test]
    fn they_are_logged_once_while_no_start_waits_for_the_port() {
        let mut foreign = ForeignListeners::default();
        assert_eq!(due(&mut foreign, 0..600, false), [0]);
        assert!(!foreign.is_blocking());
    }

    #[test]
    fn they_are_logged_at_once_and_each_minute_while_a_start_waits() {
        let mut foreign = ForeignListeners::default();
        assert_eq!(due(&mut foreign, 0..10, false), [0]);
        assert_eq!(due(&mut foreign, 10..200, true), [10, 70, 130, 190]);
        assert!(foreign.is_blocking());
        assert_eq!(due(&mut foreign, 200..300, false), [0; 0]);
        assert_eq!(due(&mut foreign, 300..301, true), [300]);
        // A start that comes and goes is nothing new each time.
        assert_eq!(due(&mut foreign, 301..302, false), [0; 0]);
        assert_eq!(due(&mut foreign, 302..303, true), [0; 0]);
    }

    #[test]
    fn those_that_come_after_others_are_logged_again() {
        let mut foreign = ForeignListeners::default();
        assert_eq!(due(&mut foreign, 0..10, false), [0]);
        foreign.clear();
        assert!(!foreign.is_blocking());
        assert_eq!(due(&mut foreign, 10..20, false), [10]);
    }
}
