//! Who listens on the local port, and which of them is the gateway: from the sockets and holders that a look has found.
//! It must not know when anybody looks.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use tracing::info;

use failover_decide::{PortObservation, Time};
use failover_linux::{
    bpf::event::Origin,
    clock,
    escape::Escaped,
    sock_diag::{
        bound::Bound,
        listeners::{Interest, Listener},
    },
};

use crate::gateway::{
    command::account::Account,
    port::{
        debounce::Debounce,
        holder::{Holder, first_of},
        holder_search::Holders,
        identity::Identity,
        invocation::InvocationMark,
        looker::Question,
        started::{Brings, Start},
        terminating::Processes,
    },
    spec::LocalGateway,
};

/// While only foreign listeners have the port, they are identified again this often.
const RECHECK_FOREIGN: Duration = Duration::from_secs(5);
/// Limit for listeners and holders in one text.
const MOST_WRITTEN: usize = 8;

/// The listeners, as far as they are known.
pub(crate) struct Listeners {
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
    start: Start,
    processes: Processes,
    /// The process that last bound to the port.
    bound_by: Option<String>,
}

impl Listeners {
    pub(super) fn new(gateway: &LocalGateway, mark: InvocationMark, bound: Vec<Bound>) -> Self {
        Self {
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
            start: Start::new(mark, Brings::of(gateway)),
            processes: Processes::default(),
            bound_by: None,
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

    /// The visible processes that listen, and whether each is the gateway.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&Holder, bool)> {
        let holders = self.holders.iter();
        holders.map(|(holder, is_gateway)| (holder, *is_gateway))
    }

    /// The addresses of all listeners.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.seen.iter().map(|listener| listener.address).collect()
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

    /// What the gateway is, for people.
    pub(super) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How long until a listener that was found is stable, if one isn't.
    pub(super) fn settles(&self) -> Option<Duration> {
        self.debounce.remaining(clock::now())
    }

    /// How long to wait for the next look, for what is known so far to be confirmed. `matters`: something depends on
    /// the port. `since`: the last look.
    pub(super) fn next_look(&self, matters: bool, since: Duration) -> Option<Duration> {
        let after = |pause: Duration| pause.saturating_sub(since);
        let doubt = (matters && self.has_only_foreign()).then_some(RECHECK_FOREIGN);
        let unfinished = self.is_unfinished.then_some(RECHECK_FOREIGN);
        let [doubt, unfinished] = [doubt, unfinished].map(|pause| pause.map(after));
        let terminating = self.processes.next_look(since);
        let waits = [self.settles(), terminating, doubt, unfinished];
        waits.into_iter().flatten().min()
    }

    /// Waits until a terminating process of the gateway has ended. Cancel-safe.
    pub(super) async fn ended(&mut self) {
        self.processes.ended().await;
    }

    #[cfg(test)]
    pub(super) fn identity_is(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// What the next look has to find out. `announced`: processes that were reported to listen.
    pub(super) fn question(&self, announced: impl Iterator<Item = u32>) -> Question {
        let held = self.held.iter().map(|holder| holder.pid);
        let mut accounts = self.accounts.clone();
        accounts.insert(0);
        Question {
            interest: Interest {
                accounts: accounts.clone(),
                inodes: self.seen.iter().map(|one| one.inode).collect(),
            },
            known: self.searched_for.clone(),
            again: self.debounce.has_young() || self.is_unfinished || self.is_in_doubt(),
            first: announced.chain(held).collect(),
            mark: self.start.mark().clone(),
            trusted: accounts,
        }
    }

    /// Takes in what a look has found: the listeners, and their holders if those were searched for.
    pub(super) fn find(&mut self, found: &[Listener], left_out: usize, holders: Option<Holders>) {
        self.left_out = left_out;
        let is_searched = holders.is_some();
        if let Some(holders) = holders {
            self.is_unfinished = !holders.is_complete;
            self.searched_for = found.iter().map(|one| one.inode).collect();
            self.hold(holders.held);
        }
        let seen = self.debounce.stable(clock::now(), found, &self.seen);
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
    }

    /// The result, as the decider wants it.
    pub(super) fn observation(&self) -> PortObservation {
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
