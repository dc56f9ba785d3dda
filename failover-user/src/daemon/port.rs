//! The local port: who listens there, asked whenever something may have changed.
//!
//! Kernel events say when to look; sock_diag says what is true. So a lost event costs time, never
//! truth.

use std::{collections::BTreeSet, net::SocketAddr, num::NonZeroU16, time::Duration};

use tokio::time::sleep;
use tracing::{info, warn};

use super::agreement::Agreement;
use crate::{
    clock,
    decide::{Gateway, Settings, Time},
    escape::Escaped,
    gateway::{Destroyed, Holder, Listener, Listeners, ListenersError, holders},
    kernel::{Origin, TcpState, TcpStateChange},
};

/// Without kernel events, the port is looked at this often while something matters.
const POLL: Duration = Duration::from_secs(1);
/// With kernel events, nothing changes unnoticed: in quiet times this often is enough to prove it.
const CROSS_CHECK: Duration = Duration::from_secs(10);
/// Far more processes than ever listen on one port; the rest is found the long way.
const MOST_TOLD: usize = 64;
/// LISTEN is told before the socket can be found (inet_csk_listen_start, net/ipv4/
/// inet_connection_sock.c, 6.18), by about a microsecond: so look again, soon and then later.
const LOOK_AGAIN: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(50),
    Duration::from_millis(500),
];

pub(super) struct LocalPort {
    port: NonZeroU16,
    listeners: Listeners,
    seen: Vec<Listener>,
    holders: Vec<Holder>,
    kernel_events: bool,
    agreement: Agreement,
    /// LISTEN was told and nothing is found yet: so many looks are left.
    announced: Option<usize>,
    /// Who was told to listen since nobody did.
    told: BTreeSet<u32>,
    /// Who last bound to the port.
    bound_by: Option<String>,
    looked: Option<Time>,
    /// Tells of listeners that are gone, where kernel events don't.
    destroyed: Option<Destroyed>,
}

impl LocalPort {
    pub(super) fn new(port: NonZeroU16, kernel_events: bool) -> Self {
        Self {
            port,
            listeners: Listeners::on(port.get()),
            seen: Vec::new(),
            holders: Vec::new(),
            kernel_events,
            agreement: Agreement::default(),
            announced: None,
            told: BTreeSet::new(),
            bound_by: None,
            looked: None,
            destroyed: None,
        }
    }

    /// Kernel events have ended.
    pub(super) fn without_events(&mut self) {
        self.kernel_events = false;
    }

    pub(super) fn has_events(&self) -> bool {
        self.kernel_events
    }

    /// How often events and sock_diag disagreed.
    pub(super) fn disagreements(&self) -> u64 {
        self.agreement.disagreements()
    }

    pub(super) fn is_listening(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Somebody's socket has the port, and may listen later or never.
    pub(super) fn bound(&mut self, by: &Origin) {
        self.bound_by = Some(format!(
            "pid {}, {}",
            by.pid.unwrap_or(0),
            Escaped(&by.comm)
        ));
    }

    /// Who holds the port, for people.
    pub(super) fn held_by(&self) -> String {
        let told: Vec<String> = self.holders.iter().map(Holder::to_string).collect();
        match (told.is_empty(), self.is_listening(), &self.bound_by) {
            (false, _, _) => told.join("; "),
            (true, true, _) => "a process that isn't visible from here".to_owned(),
            (true, false, None) => "nobody who listens".to_owned(),
            (true, false, Some(by)) => format!("nobody who listens; last bound by {by}"),
        }
    }

    /// Does the change say that somebody began or ended to listen on the port?
    pub(super) fn concerns(&mut self, change: &TcpStateChange) -> bool {
        if change.local.port() != self.port.get() {
            return false;
        }
        self.agreement.event(change);
        if change.new == TcpState::Listen {
            self.announced = Some(0);
            if self.told.len() < MOST_TOLD {
                self.told.extend(change.origin.pid);
            }
        }
        change.new == TcpState::Listen || change.old == TcpState::Listen
    }

    /// Events were lost: what they said is worth nothing until the next look.
    pub(super) fn events_lost(&mut self) {
        self.looked = None;
    }

    /// Has nobody looked for so long that even quiet times need it?
    pub(super) fn is_stale(&self) -> bool {
        let fresh = |looked: Time| clock::now().since(looked) < CROSS_CHECK;
        !(self.kernel_events && self.looked.is_some_and(fresh))
    }

    /// Asks the kernel.
    pub(super) fn look(&mut self) -> Result<Gateway, ListenersError> {
        let seen = self.listeners.now()?;
        self.check(&seen);
        if seen != self.seen {
            self.holders = holders(&seen, &self.told);
            let before = addresses(&self.seen);
            self.seen = seen;
            info!(
                listens = addresses(&self.seen),
                held_by = self.held_by(),
                before,
                "local port changed"
            );
        }
        self.announced = match self.announced {
            Some(looks) if self.seen.is_empty() => Some(looks + 1),
            _ => None,
        };
        if self.seen.is_empty() && self.announced.is_none() {
            self.told.clear();
        }
        Ok(if self.is_listening() {
            Gateway::Listening
        } else {
            Gateway::Absent
        })
    }

    /// Compares with what the events said.
    fn check(&mut self, seen: &[Listener]) {
        let now = clock::now();
        let answer = seen.iter().map(|listener| listener.address);
        if self.looked.replace(now).is_none() || !self.kernel_events {
            self.agreement.adopt(answer);
        } else if let Some(disagreement) = self.agreement.compare(now, answer) {
            let events: Vec<String> = disagreement
                .events
                .iter()
                .map(SocketAddr::to_string)
                .collect();
            warn!(
                events = events.join(", "),
                sock_diag = addresses(seen),
                disagreements = disagreement.count,
                "kernel events and sock_diag disagree on who listens; sock_diag is believed"
            );
        }
    }

    /// Without kernel events: waits until a listener may have gone, while that matters. Cancel-safe.
    pub(super) async fn told_of_end(&mut self, matters: bool) {
        if self.kernel_events || !matters {
            self.destroyed = None;
        } else if self.destroyed.is_none() {
            // A kernel that doesn't tell is looked at all the same.
            self.destroyed = Destroyed::on(self.port.get()).ok();
        }
        let told = match &mut self.destroyed {
            Some(destroyed) => destroyed.next().await,
            None => std::future::pending().await,
        };
        if told.is_err() {
            self.destroyed = None;
            sleep(POLL).await;
        }
    }

    /// How long until the next look, if one is due before something happens.
    pub(super) fn next_look(&self, matters: bool, settings: &Settings) -> Option<Duration> {
        let again = self
            .announced
            .and_then(|looks| LOOK_AGAIN.get(looks.checked_sub(1)?).copied());
        let poll = (!self.kernel_events && matters).then(|| POLL.min(settings.recovery_interval));
        let settles = self.agreement.settles_in(clock::now());
        [again, poll, settles].into_iter().flatten().min()
    }
}

fn addresses(listeners: &[Listener]) -> String {
    let told: Vec<String> = listeners
        .iter()
        .map(|one| one.address.to_string())
        .collect();
    match told.is_empty() {
        true => "nobody".to_owned(),
        false => told.join(", "),
    }
}
