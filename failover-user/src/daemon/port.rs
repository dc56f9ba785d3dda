//! The local port: who listens there, asked whenever something may have changed.
//!
//! Kernel events say when to look; sock_diag says what is true. So a lost event costs time, never
//! truth.

use std::{num::NonZeroU16, time::Duration};

use tracing::info;

use crate::{
    clock,
    decide::{Gateway, Settings, Time},
    gateway::{Listener, Listeners, ListenersError},
    kernel::{TcpState, TcpStateChange},
};

/// Without kernel events, the port is looked at this often while something matters.
const POLL: Duration = Duration::from_secs(1);
/// With kernel events, nothing changes unnoticed: in quiet times this often is enough to prove it.
const CROSS_CHECK: Duration = Duration::from_secs(10);
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
    kernel_events: bool,
    /// LISTEN was told and nothing is found yet: so many looks are left.
    announced: Option<usize>,
    looked: Option<Time>,
}

impl LocalPort {
    pub(super) fn new(port: NonZeroU16, kernel_events: bool) -> Self {
        Self {
            port,
            listeners: Listeners::on(port.get()),
            seen: Vec::new(),
            kernel_events,
            announced: None,
            looked: None,
        }
    }

    /// Kernel events have ended.
    pub(super) fn without_events(&mut self) {
        self.kernel_events = false;
    }

    pub(super) fn is_listening(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Does the change say that somebody began or ended to listen on the port?
    pub(super) fn concerns(&mut self, change: &TcpStateChange) -> bool {
        if change.local.port() != self.port.get() {
            return false;
        }
        if change.new == TcpState::Listen {
            self.announced = Some(0);
        }
        change.new == TcpState::Listen || change.old == TcpState::Listen
    }

    /// Has nobody looked for so long that even quiet times need it?
    pub(super) fn is_stale(&self) -> bool {
        let fresh = |looked: Time| clock::now().since(looked) < CROSS_CHECK;
        !(self.kernel_events && self.looked.is_some_and(fresh))
    }

    /// Asks the kernel.
    pub(super) fn look(&mut self) -> Result<Gateway, ListenersError> {
        let seen = self.listeners.now()?;
        self.looked = Some(clock::now());
        if seen != self.seen {
            let addresses = |list: &[Listener]| {
                let told: Vec<String> = list.iter().map(|one| one.address.to_string()).collect();
                if told.is_empty() {
                    "nobody".to_owned()
                } else {
                    told.join(", ")
                }
            };
            info!(
                listens = addresses(&seen),
                before = addresses(&self.seen),
                "local port changed"
            );
        }
        self.seen = seen;
        self.announced = match self.announced {
            Some(looks) if self.seen.is_empty() => Some(looks + 1),
            _ => None,
        };
        Ok(if self.is_listening() {
            Gateway::Listening
        } else {
            Gateway::Absent
        })
    }

    /// How long until the next look, if one is due before something happens.
    pub(super) fn next_look(&self, matters: bool, settings: &Settings) -> Option<Duration> {
        let again = self
            .announced
            .and_then(|looks| LOOK_AGAIN.get(looks.checked_sub(1)?).copied());
        let poll = (!self.kernel_events && matters).then(|| POLL.min(settings.recovery_interval));
        [again, poll].into_iter().flatten().min()
    }
}
