//! The local port: who listens there, asked whenever something may have changed.
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
pub(crate) mod looker;
pub(crate) mod started;
pub(crate) mod terminating;
pub(crate) mod tunnel;
pub(crate) mod view;

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    num::NonZeroU16,
    time::Duration,
};

use tokio::time::sleep;
use tracing::{error, info, warn};

use failover_decide::{PortObservation, Time};
use failover_linux::{
    bpf::event::{Origin, TcpStateChange},
    clock,
    escape::Escaped,
    sock_diag::{
        bound::Bound,
        destroyed::Destroyed,
        listeners::{Interest, Listener, ListenersError},
    },
};

use crate::gateway::{
    command::account::Account,
    port::{
        cross_check::CrossCheck,
        debounce::Debounce,
        foreign::ForeignListeners,
        holder::{Holder, first_of},
        identity::Identity,
        invocation::InvocationMark,
        looker::{Answer, HANGS, Looker, Pace, Question},
        started::{Brings, Start},
        terminating::Processes,
    },
    spec::LocalGateway,
};

/// Poll interval without kernel events, while something depends on the port.
const POLL: Duration = Duration::from_secs(1);
/// Poll interval with kernel events in quiet times, to verify that no event was lost.
const CROSS_CHECK: Duration = Duration::from_secs(10);
/// While only foreign listeners have the port, they are identified again this often.
const RECHECK_FOREIGN: Duration = Duration::from_secs(5);
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
    looker: Looker,
    pace: Pace,
    /// The last look was slow.
    is_slow: bool,
    /// Something may have changed since the pending look was requested, or the last look was postponed.
    is_wanted: bool,
    /// The last look failed.
    has_failed: bool,
    /// The stable listeners.
    seen: Vec<Listener>,
    /// Number of listeners that are left out of `seen`.
    left_out: usize,
    /// The holders of all listeners, stable or not.
    held: Vec<Holder>,
    /// The sockets that `held` was searched for.
    searched_for: BTreeSet<u32>,
    /// The last search was incomplete.
    is_unfinished: bool,
    accounts: BTreeSet<u32>,
    /// The listeners that aren't stable yet.
    debounce: Debounce,
    /// The holders of `seen`, and whether each is the gateway.
    holders: Vec<(Holder, bool)>,
    /// Sockets of the gateway whose process isn't visible: their inodes and accounts.
    unseen: BTreeSet<(u32, u32)>,
    /// What the gateway is bound to, or was when it listened last.
    bound: Vec<Bound>,
    /// When the holders were classified last.
    classified: Option<Time>,
    identity: Identity,
    foreign: ForeignListeners,
    /// The listeners on other addresses that were logged last.
    logged_beside: String,
    start: Start,
    processes: Processes,
    kernel_events: bool,
    cross_check: CrossCheck,
    /// A LISTEN event came and no socket was found yet: the number of looks since.
    announced: Option<usize>,
    /// Processes that were reported to listen since the port was free.
    announcers: VecDeque<u32>,
    /// The process that last bound to the port.
    bound_by: Option<String>,
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
            looker: Looker::new(port.get()),
            pace: Pace::default(),
            is_slow: false,
            is_wanted: false,
            has_failed: false,
            seen: Vec::new(),
            left_out: 0,
            held: Vec::new(),
            searched_for: BTreeSet::new(),
            is_unfinished: false,
            accounts: accounts(gateway),
            debounce: Debounce::default(),
            holders: Vec::new(),
            unseen: BTreeSet::new(),
            bound,
            classified: None,
            identity: gateway.identity.clone(),
            foreign: ForeignListeners::default(),
            logged_beside: String::new(),
            start: Start::new(mark, Brings::of(gateway)),
            processes: Processes::default(),
            kernel_events,
            cross_check: CrossCheck::default(),
            announced: None,
            announcers: VecDeque::new(),
            bound_by: None,
            looked: None,
            asked: None,
            destroyed: None,
        }
    }

    /// The addresses that the gateway listens on.
    pub(crate) fn gateways_addresses(&self) -> Vec<SocketAddr> {
        let listeners = self.gateways_listeners();
        listeners.map(|listener| listener.address).collect()
    }

    fn gateways_listeners(&self) -> impl Iterator<Item = &Listener> {
        let listeners = self.seen.iter();
        listeners.filter(|listener| self.is_the_gateways(listener))
    }

    fn is_the_gateways(&self, listener: &Listener) -> bool {
        let mut gateway = self.holders.iter().filter(|(_, is_gateway)| *is_gateway);
        self.unseen.contains(&(listener.inode, listener.uid))
            || gateway.any(|(holder, _)| holder.sockets.contains(&listener.inode))
    }

    /// Would this foreign listener make the gateway's bind fail? It is assumed to bind the same addresses
    /// as last time.
    fn is_in_the_way(&self, listener: &Listener) -> bool {
        Bound::is_blocked_by(&self.bound, listener.bound())
    }

    /// What the gateway is bound to, or was when it listened last.
    pub(crate) fn gateway_bound(&self) -> &[Bound] {
        &self.bound
    }

    /// The port number.
    pub(crate) fn number(&self) -> NonZeroU16 {
        self.port
    }

    /// The visible processes that listen, and whether each is the gateway.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&Holder, bool)> {
        let holders = self.holders.iter();
        holders.map(|(holder, is_gateway)| (holder, *is_gateway))
    }

    /// The addresses of all listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.seen.iter().map(|listener| listener.address).collect()
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

    /// Applies a new definition of the gateway. Processes that were already recognised as it stay so.
    pub(crate) fn identify(&mut self, gateway: &LocalGateway) {
        self.identity = gateway.identity.clone();
        self.accounts = accounts(gateway);
        self.start.brings(Brings::of(gateway));
        // These are the previous gateway's.
        self.bound.clear();
        self.classify();
    }

    /// Does the gateway listen, or a process that blocks it?
    pub(crate) fn is_listening(&self) -> bool {
        self.is_gateways() || self.is_foreign()
    }

    /// Does a process that blocks the gateway listen, and not the gateway?
    pub(crate) fn is_foreign(&self) -> bool {
        let mut seen = self.seen.iter();
        !self.is_gateways() && seen.any(|listener| self.is_in_the_way(listener))
    }

    fn is_gateways(&self) -> bool {
        self.gateways_listeners().next().is_some()
    }

    /// Foreign listeners on other addresses of the port, which don't block the gateway.
    pub(crate) fn beside(&self) -> String {
        self.named(|listener| !self.is_the_gateways(listener) && !self.is_in_the_way(listener))
    }

    /// Logs foreign listeners: once, and each minute while they block a start.
    pub(crate) fn log_foreign(&mut self, blocks: bool) {
        let beside = self.beside();
        if self.logged_beside != beside {
            if !beside.is_empty() {
                info!(
                    held_by = beside,
                    "something that isn't the gateway listens on another address of the port; it doesn't keep the gateway from starting"
                );
            }
            self.logged_beside = beside;
        }
        if !self.is_foreign() {
            self.foreign.clear();
        } else if self.foreign.is_due(clock::now(), blocks) {
            let (held_by, gateway) = (self.held_by(), &self.identity);
            let remedy = "end it, or name it with --owner if it is the gateway";
            if blocks {
                error!(held_by, %gateway, remedy, "the port is held by something that isn't the gateway: no start is tried until it is free");
            } else {
                warn!(held_by, %gateway, remedy, "the port is held by something that isn't the gateway: a takeover would wait until it is free");
            }
        }
    }

    /// The gateway's processes that live on after their sockets are gone, and since when.
    pub(crate) fn terminating(&self) -> impl Iterator<Item = (u32, Time)> {
        self.processes.terminating()
    }

    /// A start command is about to run, with this timeout.
    pub(crate) fn start_begins(&mut self, timeout: Duration) {
        self.start.begin(&self.seen, timeout);
    }

    /// A socket was bound to the port; it may listen later or never.
    pub(crate) fn bound(&mut self, by: &Origin) {
        self.bound_by = Some(format!(
            "pid {}, {}",
            by.pid.unwrap_or(0),
            Escaped(&by.comm)
        ));
    }

    /// Describes the holders of the port: the gateway, or else the processes that block it.
    pub(crate) fn held_by(&self) -> String {
        let is_gateways = self.is_gateways();
        let held_by = self.named(|listener| match is_gateways {
            true => self.is_the_gateways(listener),
            false => self.is_in_the_way(listener),
        });
        match (held_by.is_empty(), &self.bound_by) {
            (false, _) => held_by,
            (true, None) => "nobody who listens".to_owned(),
            (true, Some(by)) => format!("nobody who listens; last bound by {by}"),
        }
    }

    /// Describes the holders of these listeners.
    fn named(&self, wanted: impl Fn(&Listener) -> bool) -> String {
        let wanted: Vec<&Listener> = self.seen.iter().filter(|one| wanted(one)).collect();
        let inodes: BTreeSet<u32> = wanted.iter().map(|one| one.inode).collect();
        let holders = self.holders.iter().map(|(holder, _)| holder);
        let held: BTreeSet<u32> = holders
            .clone()
            .flat_map(|holder| holder.sockets.iter().copied())
            .collect();
        let named = holders
            .filter(|holder| holder.sockets.iter().any(|inode| inodes.contains(inode)))
            .map(Holder::to_string);
        let unseen = wanted
            .iter()
            .filter(|listener| !held.contains(&listener.inode))
            .map(|listener| {
                let Listener { address, uid, .. } = listener;
                format!("a process that isn't visible from here (uid {uid}) on {address}")
            });
        first_of(named.chain(unseen), MOST_WRITTEN, "; ")
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
        match self.debounce.remaining(clock::now()) {
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
                    return Ok(self.gateway());
                }
            }
            if !self.is_wanted {
                return Ok(gateway.unwrap_or_else(|| self.gateway()));
            }
        }
        self.is_wanted = self.pace.pause(clock::now()) > Duration::ZERO;
        if self.is_wanted {
            return Ok(gateway.unwrap_or_else(|| self.gateway()));
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
                Ok(self.gateway())
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
        let young = self.debounce.has_young();
        let held = self.held.iter().map(|holder| holder.pid);
        let mut accounts = self.accounts.clone();
        accounts.insert(0);
        self.looker.ask(Question {
            interest: Interest {
                accounts: accounts.clone(),
                inodes: self.seen.iter().map(|one| one.inode).collect(),
            },
            known: self.searched_for.clone(),
            again: young || self.is_unfinished || self.is_in_doubt(),
            first: self.announcers.iter().copied().chain(held).collect(),
            mark: self.start.mark().clone(),
            trusted: accounts,
        });
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
        let listening = listening?;
        let found = listening.sockets;
        self.left_out = listening.left_out;
        self.check(asked, &found);
        let finds_nobody = found.is_empty();
        let is_searched = holders.is_some();
        if let Some(holders) = holders {
            self.is_unfinished = !holders.is_complete;
            self.searched_for = found.iter().map(|one| one.inode).collect();
            self.hold(holders.held);
        }
        let seen = self.debounce.stable(clock::now(), &found, &self.seen);
        let changed = seen != self.seen;
        if changed || is_searched || self.is_in_doubt() {
            let before = (self.listens(), self.is_foreign());
            self.seen = seen;
            self.classify();
            if changed || before.1 != self.is_foreign() {
                info!(
                    listens = self.listens(),
                    held_by = self.held_by(),
                    foreign = self.is_foreign(),
                    before = before.0,
                    "local port changed"
                );
            }
        }
        self.processes.look();
        self.announced = match self.announced {
            Some(looks) if finds_nobody => Some(looks + 1),
            _ => None,
        };
        if finds_nobody && self.announced.is_none() {
            self.announcers.clear();
        }
        Ok(self.gateway())
    }

    /// The result of the last look.
    fn gateway(&self) -> PortObservation {
        match (self.is_gateways(), self.is_foreign()) {
            (true, _) => PortObservation::Listening,
            (false, true) => PortObservation::Foreign,
            (false, false) if self.terminating().next().is_some() => PortObservation::Terminating,
            (false, false) => PortObservation::Absent,
        }
    }

    /// Records the holders that were found. After an incomplete search, earlier holders are kept unless
    /// another holder of their sockets was found.
    fn hold(&mut self, found: Vec<Holder>) {
        let before = std::mem::replace(&mut self.held, found);
        if !self.is_unfinished {
            return;
        }
        let inodes: BTreeSet<u32> = sockets(&self.held).collect();
        let is_unheld = |inode: &u32| !inodes.contains(inode);
        let still = before.into_iter();
        self.held
            .extend(still.filter(|holder| holder.sockets.iter().all(is_unheld)));
    }

    fn listens(&self) -> String {
        let addresses = self.seen.iter().map(|one| one.address.to_string());
        let mut listens = first_of(addresses, MOST_WRITTEN, ", ");
        if self.left_out > 0 {
            listens.push_str(&format!(", and {} on top", self.left_out));
        }
        match listens.is_empty() {
            true => "nobody".to_owned(),
            false => listens,
        }
    }

    /// Does any process listen, and not the gateway?
    fn has_only_foreign(&self) -> bool {
        !self.seen.is_empty() && !self.is_gateways()
    }

    /// A listener may only look foreign: a process can't be seen in the moment in which it comes.
    fn is_in_doubt(&self) -> bool {
        let again = |sorted: Time| clock::now().since(sorted) >= RECHECK_FOREIGN;
        self.has_only_foreign() && self.classified.is_none_or(again)
    }

    /// Finds out which processes listen, and which of them is the gateway.
    fn classify(&mut self) {
        let listened = self.is_gateways();
        let believed: BTreeSet<u32> = self.seen.iter().map(|one| one.inode).collect();
        let found: Vec<Holder> = self
            .held
            .iter()
            .filter_map(|one| one.of(&believed))
            .collect();
        let held: BTreeSet<u32> = sockets(&found).collect();
        let is_unseen = |listener: &&Listener| !held.contains(&listener.inode);
        let unseen = self.seen.iter().filter(is_unseen);
        self.unseen = unseen
            .filter(|listener| {
                // An inode number may be reused.
                self.unseen.contains(&(listener.inode, listener.uid))
                    || self.identity.is_gateways(listener)
                    || self.start.may_have_made(listener)
            })
            .map(|listener| (listener.inode, listener.uid))
            .collect();
        self.holders = found
            .into_iter()
            .map(|holder| {
                let is_gateway = self.identity.is_gateway(&holder)
                    || self.processes.is_known(holder.key(), holder.uid)
                    || self.start.made(&holder);
                (holder, is_gateway)
            })
            .collect();
        let gateway = self.holders.iter().filter(|(_, is_gateway)| *is_gateway);
        self.processes.hold(gateway.map(|(holder, _)| holder));
        let mut bound: Vec<Bound> = self.gateways_listeners().map(Listener::bound).collect();
        if !bound.is_empty() {
            // One socket may open later than another, and close earlier.
            bound.extend(self.bound.iter().filter(|_| listened));
            bound.sort_unstable();
            bound.dedup();
            self.bound = bound;
        }
        self.classified = Some(clock::now());
    }

    /// Compares the answer with the events.
    fn check(&mut self, asked: Time, seen: &[Listener]) {
        let now = clock::now();
        let answer = seen.iter().map(|listener| listener.address);
        // The events include those that are left out.
        let is_partial = self.left_out > 0;
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
            () = self.processes.ended() => Ok(()),
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
        let since = self.asked.map_or(Duration::MAX, |asked| now.since(asked));
        let after = |pause: Duration| pause.saturating_sub(since);
        let settles = self.cross_check.remaining(now);
        let young = self.debounce.remaining(now);
        let terminating = self.processes.next_look(since);
        let is_blocked = self.foreign.is_blocking();
        let doubt = (matters || is_blocked).then_some(RECHECK_FOREIGN);
        let doubt = doubt.filter(|_| self.has_only_foreign());
        let failed = self.has_failed.then_some(FAILED);
        let unfinished = self.is_unfinished.then_some(RECHECK_FOREIGN);
        let [again, poll, doubt, failed, unfinished] =
            [again, poll, doubt, failed, unfinished].map(|pause| pause.map(after));
        [
            wanted,
            again,
            poll,
            settles,
            young,
            terminating,
            doubt,
            failed,
            unfinished,
        ]
        .into_iter()
        .flatten()
        .min()
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

/// The accounts that the gateway may belong to.
fn accounts(gateway: &LocalGateway) -> BTreeSet<u32> {
    let user = gateway.user.as_ref().map(Account::uid);
    gateway.identity.accounts().chain(user).collect()
}

fn sockets(holders: &[Holder]) -> impl Iterator<Item = u32> {
    holders
        .iter()
        .flat_map(|holder| holder.sockets.iter().copied())
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, net::TcpListener, task::Poll};

    use super::*;
    use crate::config::Configuration;

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
        assert!(port.gateway_bound().is_empty());
    }

    #[tokio::test]
    async fn a_process_that_listens_at_start_and_stays_is_the_gateway() {
        let (_listener, port) = listening("127.0.0.1:0");
        let mut port = local_port(port, &[]);
        assert_eq!(port.first_look().await.unwrap(), PortObservation::Listening);
        assert_eq!(port.gateway_bound(), [Bound::LOOPBACK]);
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
            port.identity = Identity::default();
            let seen = port.first_look().await.unwrap();
            assert_eq!(seen, expected, "{address} beside {bound:?}");
            let seen_as = (port.is_listening(), !port.beside().is_empty());
            let harmless = expected == PortObservation::Absent;
            assert_eq!(seen_as, (!harmless, harmless), "{address}");
            assert_eq!(port.gateways_addresses(), [], "{address}");
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
