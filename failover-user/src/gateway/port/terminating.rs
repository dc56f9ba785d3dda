//! The gateway's processes: a closed port isn't a finished process. A process that held the port is
//! remembered until it has ended, and logged while it is terminating.

use std::time::Duration;

use tracing::{info, warn};

use failover_decide::Time;
use failover_linux::{
    clock,
    process::{Lifetime, ProcessKey},
};

use crate::gateway::port::holder::Holder;

/// An idle gateway ends within a second after its port has closed.
const PATIENCE: Duration = Duration::from_secs(10);
const WARN_AGAIN: Duration = Duration::from_secs(60);
/// Where the kernel doesn't report a process's end.
const POLL: Duration = Duration::from_secs(1);
/// More than ever share a port.
const MOST: usize = 64;

/// Processes that hold the gateway's listening sockets, and those that did and are still alive.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    known: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    lifetime: Lifetime,
    /// The account that opened its sockets.
    uid: u32,
    /// Its description.
    who: String,
    /// When it was first seen without a listening socket.
    closed: Option<Time>,
    warned: Option<Time>,
}

impl Processes {
    /// Exactly these hold the gateway's sockets now.
    pub(crate) fn hold<'holders>(&mut self, holders: impl Iterator<Item = &'holders Holder>) {
        let now = clock::now();
        let mut closed: Vec<&mut Process> = self.known.iter_mut().collect();
        let mut new = Vec::new();
        for holder in holders {
            let key = holder.key();
            match closed.iter().position(|one| one.lifetime.key() == key) {
                Some(index) => {
                    let process = closed.swap_remove(index);
                    process.closed = None;
                    process.warned = None;
                }
                None => new.push((key, holder)),
            }
        }
        for process in closed {
            process.closed.get_or_insert(now);
        }
        for (key, holder) in new {
            if self.known.len() < MOST
                && let Some(lifetime) = Lifetime::of(key)
            {
                self.known.push(Process {
                    lifetime,
                    uid: holder.uid,
                    who: holder.to_string(),
                    closed: None,
                    warned: None,
                });
            }
        }
    }

    /// Was it seen as the gateway's, with sockets of this account, and is it alive?
    pub(crate) fn is_known(&self, key: ProcessKey, uid: u32) -> bool {
        let mut known = self.known.iter();
        known.any(|known| known.lifetime.key() == key && known.uid == uid)
    }

    /// Forgets those that have ended, and logs those that haven't.
    pub(crate) fn look(&mut self) {
        let now = clock::now();
        self.known.retain_mut(|process| {
            let lives = process.lifetime.is_alive();
            let Some(closed) = process.closed else {
                return lives;
            };
            let after = now.since(closed);
            let process_id = process.lifetime.key().pid;
            if !lives {
                info!(pid = process_id, ?after, "the gateway's process has ended");
            } else if process.warning_due().is_some_and(|due| now >= due) {
                process.warned = Some(now);
                warn!(
                    pid = process_id,
                    process = process.who,
                    ?after,
                    "the gateway's port is closed, but its process is still there"
                );
            }
            lives
        });
    }

    /// Those that are alive without a listening socket, and since when.
    pub(crate) fn terminating(&self) -> impl Iterator<Item = (u32, Time)> {
        self.known
            .iter()
            .filter_map(|process| Some((process.lifetime.key().pid, process.closed?)))
    }

    /// How long until one has to be logged, or looked for, at this time after the last look.
    pub(crate) fn next_look(&self, since: Duration) -> Option<Duration> {
        let now = clock::now();
        let due = |process: &Process| {
            let warning = process.warning_due()?.since(now);
            Some(match process.lifetime.tells() {
                true => warning,
                false => warning.min(POLL.saturating_sub(since)),
            })
        };
        self.known.iter().filter_map(due).min()
    }

    /// Waits until one of those that are terminating has ended. Cancel-safe.
    pub(crate) async fn ended(&self) {
        let terminating = self.known.iter().filter(|one| one.closed.is_some());
        let mut waits: Vec<_> = terminating
            .map(|process| Box::pin(process.lifetime.ended()))
            .collect();
        std::future::poll_fn(|context| {
            let ended = waits
                .iter_mut()
                .any(|wait| wait.as_mut().poll(context).is_ready());
            match ended {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

impl Process {
    fn warning_due(&self) -> Option<Time> {
        Some(due(self.closed?, self.warned))
    }
}

/// When one that has been terminating since then must be logged, for the first time or again.
fn due(closed: Time, warned: Option<Time>) -> Time {
    warned.map_or(closed + PATIENCE, |warned| warned + WARN_AGAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_end_is_logged_after_ten_seconds_and_then_each_minute() {
        let closed = clock::now();
        let after = |seconds: u64| closed + Duration::from_secs(seconds);
        let mut warned = None;
        let mut logged = Vec::new();
        for second in 0..=140 {
            if after(second) >= due(closed, warned) {
                warned = Some(after(second));
                logged.push(second);
            }
        }
        assert_eq!(logged, [10, 70, 130]);
    }
}
