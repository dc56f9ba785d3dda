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

/// Without kernel events, the port is looked at this often while something matters.
const POLL: Duration = Duration::from_secs(1);
/// With kernel events, nothing changes unnoticed: in quiet times this often is enough to prove it.
const CROSS_CHECK: Duration = Duration::from_secs(10);
/// While only foreign listeners have the port, they are identified again this often.
const RECHECK_FOREIGN: Duration = Duration::from_secs(5);
/// Far more processes than ever listen on one port; the rest is found the long way.
const MOST_ANNOUNCERS: usize = 64;
/// A look takes less than a millisecond, and the loop waits for it, so that what is decided next is
/// decided by who listens now. One that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_millis(100);
/// The first look, before anything is decided.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
/// A look that took longer is slow: the next one isn't waited for at all.
const SLOW: Duration = Duration::from_millis(50);
/// One that hangs is looked after this often.
const AWAITED: Duration = Duration::from_millis(100);
/// After one that failed.
const FAILED: Duration = Duration::from_secs(1);
/// So many are written out, for people.
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
    /// Something may have changed since the look that is awaited was asked for, or could be.
    is_wanted: bool,
    /// The last look failed.
    has_failed: bool,
    /// Those that are believed.
    seen: Vec<Listener>,
    /// So many more listen.
    left_out: usize,
    /// Who holds all that listen, believed or not.
    held: Vec<Holder>,
    /// For whom that was looked up.
    sorted_for: BTreeSet<u32>,
    /// Not everybody could be looked at.
    is_unfinished: bool,
    accounts: BTreeSet<u32>,
    /// Those that are too young.
    debounce: Debounce,
    /// Who holds them, and is it the gateway?
    holders: Vec<(Holder, bool)>,
    /// Sockets whose process can't be seen, and that are the gateway's all the same: their inodes and
    /// accounts.
    unseen: BTreeSet<(u32, u32)>,
    /// What the gateway is bound to, or was when it listened last.
    bound: Vec<Bound>,
    /// When the holders were looked at.
    sorted: Option<Time>,
    identity: Identity,
    foreign: ForeignListeners,
    /// The listeners on other addresses that were logged last.
    logged_beside: String,
    start: Start,
    processes: Processes,
    kernel_events: bool,
    cross_check: CrossCheck,
    /// LISTEN was reported and nothing is found yet: so many looks are left.
    announced: Option<usize>,
    /// Processes that were reported to listen since the port was free.
    announcers: VecDeque<u32>,
    /// Who last bound to the port.
    bound_by: Option<String>,
    looked: Option<Time>,
    /// When the kernel was asked last, whether it answered or not.
    asked: Option<Time>,
    /// Tells of listeners that are gone, where kernel events don't.
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
            sorted_for: BTreeSet::new(),
            is_unfinished: false,
            accounts: accounts(gateway),
            debounce: Debounce::default(),
            holders: Vec::new(),
            unseen: BTreeSet::new(),
            bound,
            sorted: None,
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

    /// Where the gateway listens.
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

    /// Does this listener, which isn't the gateway's, make the gateway's bind fail? What the gateway
    /// will bind is what it bound last.
    fn is_in_the_way(&self, listener: &Listener) -> bool {
        Bound::is_blocked_by(&self.bound, listener.bound())
    }

    /// What the gateway is bound to, or was when it listened last.
    pub(crate) fn gateway_bound(&self) -> &[Bound] {
        &self.bound
    }

    /// Its number.
    pub(crate) fn number(&self) -> NonZeroU16 {
        self.port
    }

    /// Who listens, as far as they can be seen, and whether it is the gateway.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&Holder, bool)> {
        let holders = self.holders.iter();
        holders.map(|(holder, is_gateway)| (holder, *is_gateway))
    }

    /// Where anybody listens.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.seen.iter().map(|listener| listener.address).collect()
    }

    /// Kernel events have ended.
    pub(crate) fn without_events(&mut self) {
        self.kernel_events = false;
    }

    /// They have begun again: what happened before is known only by looking.
    pub(crate) fn with_events(&mut self) {
        self.kernel_events = true;
        self.events_lost();
    }

    pub(crate) fn has_events(&self) -> bool {
        self.kernel_events
    }

    /// How often events and sock_diag disagreed.
    pub(crate) fn disagreements(&self) -> u64 {
        self.cross_check.disagreements()
    }

    /// Something else counts as the gateway from now on; what was known as it stays it.
    pub(crate) fn identify(&mut self, gateway: &LocalGateway) {
        self.identity = gateway.identity.clone();
        self.accounts = accounts(gateway);
        self.start.brings(Brings::of(gateway));
        // Of the one before.
        self.bound.clear();
        self.sort();
    }

    /// Does anybody listen who is the gateway, or is in its way?
    pub(crate) fn is_listening(&self) -> bool {
        self.is_gateways() || self.is_foreign()
    }

    /// Does somebody listen in the gateway's way, and not the gateway?
    pub(crate) fn is_foreign(&self) -> bool {
        let mut seen = self.seen.iter();
        !self.is_gateways() && seen.any(|listener| self.is_in_the_way(listener))
    }

    fn is_gateways(&self) -> bool {
        self.gateways_listeners().next().is_some()
    }

    /// Who listens on the port beside the gateway and not in its way, on another address.
    pub(crate) fn beside(&self) -> String {
        self.named(|listener| !self.is_the_gateways(listener) && !self.is_in_the_way(listener))
    }

    /// Names who has the port that isn't the gateway: once, and each minute while a start is blocked
    /// by it.
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

    /// A start command is about to be run, and may take so long.
    pub(crate) fn start_begins(&mut self, timeout: Duration) {
        self.start.begin(&self.seen, timeout);
    }

    /// Somebody's socket has the port, and may listen later or never.
    pub(crate) fn bound(&mut self, by: &Origin) {
        self.bound_by = Some(format!(
            "pid {}, {}",
            by.pid.unwrap_or(0),
            Escaped(&by.comm)
        ));
    }

    /// Who holds the port, for people: the gateway, or else those that are in its way.
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

    /// Those who hold these listeners, for people.
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

    /// Does the change say that somebody began or ended to listen on the port?
    pub(crate) fn concerns(&mut self, change: &TcpStateChange) -> bool {
        if change.local.port() != self.port.get() {
            return false;
        }
        self.cross_check.event(change);
        if change.begins_to_listen() {
            self.announced = Some(0);
            // The last ones count: others may listen as often as they like.
            if let Some(pid) = change.origin.pid
                && !self.announcers.contains(&pid)
            {
                self.announcers.truncate(MOST_ANNOUNCERS - 1);
                self.announcers.push_front(pid);
            }
        }
        change.begins_to_listen() || change.ends_listening()
    }

    /// Events were lost: what they said is worth nothing until the next look.
    pub(crate) fn events_lost(&mut self) {
        self.looked = None;
    }

    /// Has nobody looked for so long that even quiet times need it?
    pub(crate) fn is_stale(&self) -> bool {
        let fresh = |looked: Time| clock::now().since(looked) < CROSS_CHECK;
        !(self.kernel_events && self.looked.is_some_and(fresh))
    }

    /// Looks for the first time, before anything is decided: it is waited for. Whoever listens then is looked
    /// at once more, for it may only be trying whether the port is free.
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
                // Nothing is started before it is known.
                Ok(PortObservation::Foreign)
            }
        }
    }

    /// Looks who listens. What isn't known in a moment, or would be too often, is looked at beside
    /// everything else: then what was known is returned, and another look is due when it is there.
    pub(crate) fn look(&mut self) -> Result<PortObservation, ListenersError> {
        let mut gateway = None;
        if self.looker.asked().is_some() {
            match self.looker.wait(Duration::ZERO) {
                Some(answer) => gateway = Some(self.apply(answer)?),
                // One that hung was given up.
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

    /// Since when a look is awaited.
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
            sorted: self.sorted_for.clone(),
            again: young || self.is_unfinished || self.is_in_doubt(),
            first: self.announcers.iter().copied().chain(held).collect(),
            mark: self.start.mark().clone(),
            trusted: accounts,
        });
    }

    /// Takes over what was seen.
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
            self.sorted_for = found.iter().map(|one| one.inode).collect();
            self.hold(holders.held);
        }
        let seen = self.debounce.believed(clock::now(), &found, &self.seen);
        let changed = seen != self.seen;
        if changed || is_searched || self.is_in_doubt() {
            let before = (self.listens(), self.is_foreign());
            self.seen = seen;
            self.sort();
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

    /// As it was seen last.
    fn gateway(&self) -> PortObservation {
        match (self.is_gateways(), self.is_foreign()) {
            (true, _) => PortObservation::Listening,
            (false, true) => PortObservation::Foreign,
            (false, false) if self.terminating().next().is_some() => PortObservation::Terminating,
            (false, false) => PortObservation::Absent,
        }
    }

    /// These were found to hold sockets. Where not everybody could be looked at, whoever held one before
    /// holds it still, unless somebody else was found.
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

    /// Does anybody listen, and not the gateway?
    fn has_only_foreign(&self) -> bool {
        !self.seen.is_empty() && !self.is_gateways()
    }

    /// A listener may only look foreign: a process can't be seen in the moment in which it comes.
    fn is_in_doubt(&self) -> bool {
        let again = |sorted: Time| clock::now().since(sorted) >= RECHECK_FOREIGN;
        self.has_only_foreign() && self.sorted.is_none_or(again)
    }

    /// Finds out who listens, and who of them is the gateway.
    fn sort(&mut self) {
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
                // A number may come again.
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
        self.sorted = Some(clock::now());
    }

    /// Compares with what the events said.
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

    /// Waits until a process of the gateway's that lingers has ended; and without kernel events until
    /// a listener may have gone, while that matters. Cancel-safe.
    pub(crate) async fn ended(&mut self, matters: bool) {
        if self.kernel_events || !matters {
            self.destroyed = None;
        } else if self.destroyed.is_none() {
            // A kernel that doesn't tell is looked at all the same.
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

    /// How long until the next look, if one is due before something happens. However often something
    /// else happens meanwhile: it counts from the last look. `pace`: from one probe to the next while
    /// something matters.
    pub(crate) fn next_look(&self, matters: bool, pace: Duration) -> Option<Duration> {
        let now = clock::now();
        if let Some(asked) = self.looker.asked() {
            // The answer itself wakes.
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

/// Accounts that the gateway may belong to.
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
        // Whoever runs the test is the gateway's owner.
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
    async fn who_only_tries_the_port_when_the_daemon_begins_is_not_the_gateway() {
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
    async fn who_listens_when_the_daemon_begins_and_stays_is_the_gateway() {
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
            // Nobody is it.
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
