//! The local port: when to look who listens there, which is whenever something may have changed. Who that is, is
//! [`listeners`]'.
//!
//! Kernel events say when to look; sock_diag says what is true. So a lost event costs time, never
//! truth.

pub(crate) mod cross_check;
pub(crate) mod debounce;
pub(crate) mod foreign;
pub(crate) mod holder;
pub(crate) mod holder_search;
pub(crate) mod home;
pub(crate) mod identity;
pub(crate) mod invocation;
pub(crate) mod listeners;
pub(crate) mod looker;
pub(crate) mod started;
pub(crate) mod terminating;
pub(crate) mod tunnel;
pub(crate) mod view;

use std::{collections::VecDeque, net::SocketAddr, num::NonZeroU16, time::Duration};

use tokio::time::sleep;
use tracing::warn;

use failover_decide::{PortObservation, Time};
use failover_linux::{
    bpf::event::TcpStateChange,
    clock,
    sock_diag::{
        bound::Bound,
        destroyed::Destroyed,
        listeners::{Listener, ListenersError, Listening},
    },
};

use crate::gateway::{
    port::{
        cross_check::CrossCheck,
        foreign::ForeignListeners,
        holder::first_of,
        invocation::InvocationMark,
        listeners::Listeners,
        looker::{Answer, HANGS, Looker, Pace},
    },
    spec::LocalGateway,
};

/// Poll interval without kernel events, while something depends on the port.
const POLL: Duration = Duration::from_secs(1);
/// Poll interval with kernel events in quiet times, to verify that no event was lost.
const CROSS_CHECK: Duration = Duration::from_secs(10);
/// Limit for process IDs from events, far more than ever listen on one port; others are found by a full search.
const MOST_ANNOUNCERS: usize = 64;
/// A look takes less than a millisecond, and the loop waits for it so that the next decision uses the
/// current listeners. It doesn't wait for one that takes longer.
const PATIENCE: Duration = Duration::from_millis(100);
/// The first look, before anything is decided.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
/// A look that took longer is slow: the loop doesn't wait for the next one at all.
const SLOW: Duration = Duration::from_millis(50);
/// Time between checks of a look that hangs.
const AWAITED: Duration = Duration::from_millis(100);
/// Pause after a look that failed.
const FAILED: Duration = Duration::from_secs(1);
/// Limit for listeners and holders in one text.
const MOST_WRITTEN: usize = 8;
/// LISTEN is reported before the socket can be found (inet_csk_listen_start, net/ipv4/
/// inet_connection_sock.c, 6.18), by about a microsecond: so look again, soon and then later.
const LOOK_AGAIN: [Duration; 4] = [
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(50),
    Duration::from_millis(500),
];

pub(crate) struct LocalPort {
    port: NonZeroU16,
    listeners: Listeners,
    looker: Looker,
    pace: Pace,
    /// The last look was slow.
    is_slow: bool,
    /// Something may have changed since the pending look was requested, or the last look was postponed.
    is_wanted: bool,
    /// The last look failed.
    has_failed: bool,
    foreign: ForeignListeners,
    kernel_events: bool,
    cross_check: CrossCheck,
    /// A LISTEN event came and no socket was found yet: the number of looks since.
    announced: Option<usize>,
    /// Processes that were reported to listen since the port was free.
    announcers: VecDeque<u32>,
    looked: Option<Time>,
    /// When the kernel was queried last, whether it answered or not.
    asked: Option<Time>,
    /// Reports closed listeners without kernel events.
    destroyed: Option<Destroyed>,
}

impl LocalPort {
    pub(crate) fn new(
        port: NonZeroU16,
        kernel_events: bool,
        gateway: &LocalGateway,
        mark: InvocationMark,
        bound: Vec<Bound>,
    ) -> Self {
        Self {
            port,
            listeners: Listeners::new(gateway, mark, bound),
            looker: Looker::new(port.get()),
            pace: Pace::default(),
            is_slow: false,
            is_wanted: false,
            has_failed: false,
            foreign: ForeignListeners::default(),
            kernel_events,
            cross_check: CrossCheck::default(),
            announced: None,
            announcers: VecDeque::new(),
            looked: None,
            asked: None,
            destroyed: None,
        }
    }

    /// Who listens, as the last look found it.
    pub(crate) const fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// The same, to be notified of what the daemon does.
    pub(crate) const fn listeners_mut(&mut self) -> &mut Listeners {
        &mut self.listeners
    }

    /// Logs foreign listeners: once, and each minute while they block a start.
    pub(crate) fn log_foreign(&mut self, blocks: bool) {
        self.foreign.log(&self.listeners, blocks);
    }

    /// The port number.
    pub(crate) fn number(&self) -> NonZeroU16 {
        self.port
    }

    /// Kernel events have ended.
    pub(crate) fn without_events(&mut self) {
        self.kernel_events = false;
    }

    /// Kernel events work again. What happened in between is unknown until the next look.
    pub(crate) fn with_events(&mut self) {
        self.kernel_events = true;
        self.events_lost();
    }

    pub(crate) fn has_events(&self) -> bool {
        self.kernel_events
    }

    /// How often kernel events and sock_diag disagreed.
    pub(crate) fn disagreements(&self) -> u64 {
        self.cross_check.disagreements()
    }

    /// Did a process begin or stop listening on the port?
    pub(crate) fn concerns(&mut self, change: &TcpStateChange) -> bool {
        if change.local.port() != self.port.get() {
            return false;
        }
        self.cross_check.event(change);
        if change.begins_to_listen() {
            self.announced = Some(0);
            // Only the latest are kept: other processes may listen as often as they like.
            if let Some(pid) = change.origin.pid
                && !self.announcers.contains(&pid)
            {
                self.announcers.truncate(MOST_ANNOUNCERS - 1);
                self.announcers.push_front(pid);
            }
        }
        change.begins_to_listen() || change.ends_listening()
    }

    /// Events were lost: their view is invalid until the next look.
    pub(crate) fn events_lost(&mut self) {
        self.looked = None;
    }

    /// Is the last look so old that even quiet times need another?
    pub(crate) fn is_stale(&self) -> bool {
        let fresh = |looked: Time| clock::now().since(looked) < CROSS_CHECK;
        !(self.kernel_events && self.looked.is_some_and(fresh))
    }

    /// The first look, before any decision. If a process listens, it looks a second time, because that
    /// process may only be testing whether the port is free.
    pub(crate) async fn first_look(&mut self) -> Result<PortObservation, ListenersError> {
        let gateway = self.look_patiently()?;
        match self.listeners.settles() {
            None => Ok(gateway),
            Some(young) => {
                sleep(young).await;
                self.look_patiently()
            }
        }
    }

    fn look_patiently(&mut self) -> Result<PortObservation, ListenersError> {
        if self.looker.asked().is_none() {
            self.ask();
        }
        match self.looker.wait(FIRST_PATIENCE) {
            Some(answer) => self.apply(answer),
            None => {
                warn!("who listens on the port isn't known yet: looking takes long");
                // Until it is known, nothing is started.
                Ok(PortObservation::Foreign)
            }
        }
    }

    /// Looks who listens. A look that takes long, or would come too soon, happens in the background: then
    /// the last result is returned, and another look is due when the new one is there.
    pub(crate) fn look(&mut self) -> Result<PortObservation, ListenersError> {
        let mut gateway = None;
        if self.looker.asked().is_some() {
            match self.looker.wait(Duration::ZERO) {
                Some(answer) => gateway = Some(self.apply(answer)?),
                // A look that hung was given up.
                None if self.looker.asked().is_none() => self.is_wanted = true,
                None => {
                    self.is_wanted = true;
                    return Ok(self.listeners.observation());
                }
            }
            if !self.is_wanted {
                return Ok(gateway.unwrap_or_else(|| self.listeners.observation()));
            }
        }
        self.is_wanted = self.pace.pause(clock::now()) > Duration::ZERO;
        if self.is_wanted {
            return Ok(gateway.unwrap_or_else(|| self.listeners.observation()));
        }
        self.ask();
        let patience = match self.is_slow {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        match self.looker.wait(patience) {
            Some(answer) => self.apply(answer),
            None => {
                self.is_slow = true;
                Ok(self.listeners.observation())
            }
        }
    }

    /// As if looks hung.
    #[cfg(test)]
    pub(crate) fn hang(&mut self) {
        self.looker.hang();
    }

    /// Since when a look is pending.
    pub(crate) fn looks_since(&self) -> Option<Time> {
        self.looker.asked()
    }

    pub(crate) fn ask(&mut self) {
        self.asked = Some(clock::now());
        let question = self.listeners.question(self.announcers.iter().copied());
        self.looker.ask(question);
    }

    /// Applies what a look found.
    fn apply(&mut self, answer: Answer) -> Result<PortObservation, ListenersError> {
        let Answer {
            asked,
            listening,
            holders,
            took,
        } = answer;
        self.pace.took(clock::now(), took);
        self.is_slow = took > SLOW;
        self.has_failed = listening.is_err();
        let Listening { sockets, left_out } = listening?;
        self.check(asked, &sockets, left_out > 0);
        self.listeners.find(&sockets, left_out, holders);
        let finds_nobody = sockets.is_empty();
        self.announced = match self.announced {
            Some(looks) if finds_nobody => Some(looks + 1),
            _ => None,
        };
        if finds_nobody && self.announced.is_none() {
            self.announcers.clear();
        }
        Ok(self.listeners.observation())
    }

    /// Compares the answer with the events, which include those that a partial one leaves out.
    fn check(&mut self, asked: Time, seen: &[Listener], is_partial: bool) {
        let now = clock::now();
        let answer = seen.iter().map(|listener| listener.address);
        if self.looked.replace(now).is_none() || !self.kernel_events || is_partial {
            self.cross_check.adopt(asked, answer);
        } else if let Some(disagreement) = self.cross_check.compare(now, answer) {
            let events = disagreement.events.iter().map(SocketAddr::to_string);
            warn!(
                events = first_of(events, MOST_WRITTEN, ", "),
                sock_diag = addresses(seen),
                disagreements = disagreement.count,
                "kernel events and sock_diag disagree on who listens; sock_diag is believed"
            );
        }
    }

    /// Waits until a terminating process of the gateway has ended; and without kernel events, until a
    /// listener may have closed, while that matters. Cancel-safe.
    pub(crate) async fn ended(&mut self, matters: bool) {
        if self.kernel_events || !matters {
            self.destroyed = None;
        } else if self.destroyed.is_none() {
            // Where the kernel can't report them, polling finds closed listeners.
            self.destroyed = Destroyed::on(self.port.get()).ok();
        }
        let destroyed = async {
            match &mut self.destroyed {
                Some(destroyed) => destroyed.next().await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = destroyed => ended,
            () = self.listeners.ended() => Ok(()),
            () = self.looker.answered() => Ok(()),
        };
        if ended.is_err() {
            self.destroyed = None;
            sleep(POLL).await;
        }
    }

    /// Time until the next look, if one is due without an event. It counts from the last look, however
    /// often this is called. `pace`: the probe interval while something matters.
    pub(crate) fn next_look(&self, matters: bool, pace: Duration) -> Option<Duration> {
        let now = clock::now();
        if let Some(asked) = self.looker.asked() {
            // The answer itself wakes the loop.
            return Some(HANGS.saturating_sub(now.since(asked)).max(AWAITED));
        }
        let due = self.due_look(matters, pace, now)?;
        Some(due.max(self.pace.pause(now)))
    }

    fn due_look(&self, matters: bool, pace: Duration, now: Time) -> Option<Duration> {
        let wanted = self.is_wanted.then_some(Duration::ZERO);
        let again = self
            .announced
            .and_then(|looks| LOOK_AGAIN.get(looks.checked_sub(1)?).copied());
        let poll = (!self.kernel_events && matters).then(|| POLL.min(pace));
        let failed = self.has_failed.then_some(FAILED);
        let since = self.asked.map_or(Duration::MAX, |asked| now.since(asked));
        let after = |pause: Duration| pause.saturating_sub(since);
        let [again, poll, failed] = [again, poll, failed].map(|pause| pause.map(after));
        let settles = self.cross_check.remaining(now);
        let matters = matters || self.foreign.is_blocking();
        let listeners = self.listeners.next_look(matters, since);
        let waits = [wanted, again, poll, failed, settles, listeners];
        waits.into_iter().flatten().min()
    }
}

fn addresses(listeners: &[Listener]) -> String {
    match listeners {
        [] => "nobody".to_owned(),
        listeners => {
            let addresses = listeners
                .iter()
                .map(|listener| listener.address.to_string());
            first_of(addresses, MOST_WRITTEN, ", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::TcpListener, task::Poll};

    use super::*;
    use crate::{config::Configuration, gateway::port::identity::Identity};

    fn local_port(port: NonZeroU16, bound: &[&str]) -> LocalPort {
        let nowhere = tempfile::tempdir().unwrap();
        // The account that runs the test is the gateway's owner.
        let options = "primary = '192.0.2.1'\ndry-run = true\ngateway = 'command'\nstart = 'true'\nstop = 'true'";
        let configuration = Configuration::load(options.parse().unwrap());
        let bound = bound.iter().map(|ip| Bound {
            ip: ip.parse().unwrap(),
            only_v6: false,
        });
        LocalPort::new(
            port,
            false,
            &configuration.unwrap().gateway,
            InvocationMark::of(nowhere.path()),
            bound.collect(),
        )
    }

    fn listening(address: &str) -> (TcpListener, NonZeroU16) {
        let listener = TcpListener::bind(address).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, NonZeroU16::new(port).unwrap())
    }

    #[tokio::test]
    async fn a_process_that_only_tests_the_port_at_start_is_not_the_gateway() {
        let (listener, port) = listening("127.0.0.1:0");
        let mut port = local_port(port, &[]);
        let mut look = Box::pin(port.first_look());
        let waits = poll_fn(|context| Poll::Ready(look.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        drop(listener);
        assert_eq!(look.await.unwrap(), PortObservation::Absent);
        assert!(port.listeners().gateway_bound().is_empty());
    }

    #[tokio::test]
    async fn a_process_that_listens_at_start_and_stays_is_the_gateway() {
        let (_listener, port) = listening("127.0.0.1:0");
        let mut port = local_port(port, &[]);
        assert_eq!(port.first_look().await.unwrap(), PortObservation::Listening);
        assert_eq!(port.listeners().gateway_bound(), [Bound::LOOPBACK]);
    }

    #[tokio::test]
    async fn foreign_listeners_are_in_the_way_where_the_gateway_bound_last_or_binds_by_default() {
        for (address, bound, expected) in [
            ("127.0.0.1:0", &[][..], PortObservation::Foreign),
            ("0.0.0.0:0", &[], PortObservation::Foreign),
            ("[::]:0", &[], PortObservation::Foreign),
            ("127.0.0.2:0", &[], PortObservation::Absent),
            ("[::1]:0", &[], PortObservation::Absent),
            ("127.0.0.2:0", &["0.0.0.0"], PortObservation::Foreign),
            ("127.0.0.2:0", &["127.0.0.2"], PortObservation::Foreign),
            ("127.0.0.1:0", &["127.0.0.2"], PortObservation::Absent),
            ("[::1]:0", &["127.0.0.1", "::1"], PortObservation::Absent),
            ("[::1]:0", &["::"], PortObservation::Foreign),
        ] {
            let (_listener, port) = listening(address);
            let mut port = local_port(port, bound);
            // No process is the gateway.
            port.listeners_mut().identity_is(Identity::default());
            let seen = port.first_look().await.unwrap();
            assert_eq!(seen, expected, "{address} beside {bound:?}");
            let seen_as = (
                port.listeners().is_listening(),
                !port.listeners().beside().is_empty(),
            );
            let harmless = expected == PortObservation::Absent;
            assert_eq!(seen_as, (!harmless, harmless), "{address}");
            assert_eq!(port.listeners().gateways_addresses(), [], "{address}");
        }
    }

    #[test]
    fn the_next_look_is_as_far_from_the_last_one_however_often_it_is_asked_for() {
        const LATER: Duration = Duration::from_millis(30);
        let mut port = local_port(NonZeroU16::MIN, &[]);
        // Nobody has looked yet.
        assert_eq!(port.next_look(true, POLL), Some(Duration::ZERO));
        port.look_patiently().unwrap();
        assert_eq!(port.next_look(false, POLL), None);
        let first = port.next_look(true, POLL).unwrap();
        assert!(first > POLL / 2, "{first:?}");
        std::thread::sleep(LATER);
        let second = port.next_look(true, POLL).unwrap();
        assert!(second <= first - LATER, "{first:?}, then {second:?}");
        // LISTEN was reported, and nothing is found yet.
        port.announced = Some(LOOK_AGAIN.len());
        let third = port.next_look(false, POLL).unwrap();
        assert!(third <= LOOK_AGAIN[3] - LATER, "{third:?}");
    }
}
