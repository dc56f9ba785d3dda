//! Attributes an answer to the primary or to the local gateway. While the local gateway listens, an answer
//! counts as the primary's only if it can't have come from the local gateway: the processes differ, or nothing
//! reached the local port during the probe. Addresses prove nothing: a load balancer in front of both has its
//! own.
//!
//! An ambiguous answer is unknown. On a busy port many probes may be ambiguous; but each is short, so one without
//! a coincidence comes soon, unless the answers are PC-B's own.
//!
//! It must not know what an answer means, nor what sends the probes.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use tracing::debug;

use failover_decide::{Outcome, Time};
use failover_linux::{
    bpf::event::{TcpState, TcpStateChange},
    clock,
    process::ProcessKey,
};

use crate::{
    gateway::port::LocalPort,
    primary::{
        check::readiness::Readiness,
        origin::{Accepted, Inbound, is_own_check, passive_opens},
    },
};

/// Limit for connections during one probe, more than a quiet port gets; on a busier one the last are enough.
const MOST_ACCEPTED: usize = 256;
/// The kernel counts the ages of connections in ticks of at most 10 ms (HZ=100): an age may be too high by
/// this much.
const TICK: Duration = Duration::from_millis(20);

const REMEDY: &str = "the answer of the primary can't be distinguished from that of PC-B's own gateway: name an address with --primary that leads to PC-A alone, or give both gateways a token (check-token); `failover release` stops the local gateway";

/// What happens on the local port during a probe of the primary.
#[derive(Debug, Default)]
pub(crate) struct Attribution {
    accepted: VecDeque<Accepted>,
    probe: Option<Begun>,
    /// The last readiness of the local gateway, and its processes.
    local: Option<(Readiness, Vec<ProcessKey>)>,
}

/// The situation when a probe began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Time,
    listened: bool,
    /// The count of accepted connections, where kernel events don't list them.
    opens: Option<u64>,
    /// Number of lost kernel events until then.
    lost: u64,
}

/// The connections to the local port during a probe.
#[derive(Debug, Default)]
struct Seen {
    /// Their remote addresses, as far as they are known.
    from: Vec<SocketAddr>,
    /// There may be others.
    more: bool,
}

impl Attribution {
    /// Records a state change of a connection on the local port.
    pub(crate) fn changed(&mut self, change: &TcpStateChange) {
        let is_child = change.old != TcpState::Listen
            && change.new != TcpState::Listen
            && change.new != TcpState::SynSent;
        if is_child && !is_own_check(change.remote) {
            if self.accepted.len() == MOST_ACCEPTED {
                self.accepted.pop_front();
            }
            self.accepted.push_back(Accepted {
                at: Time::from_boot(change.origin.time),
                from: change.remote,
            });
        }
    }

    /// Records the readiness of the local gateway, which is these processes.
    pub(crate) fn local_says(&mut self, readiness: Option<&Readiness>, holders: Vec<ProcessKey>) {
        if let Some(readiness) = readiness.filter(|readiness| readiness.started.is_some()) {
            self.local = Some((readiness.clone(), holders));
        }
    }

    /// Are the primary and the local gateway, which is these processes now, the same process? `None`: not
    /// known.
    fn is_same(&self, primary: Option<&Readiness>, holders: &[ProcessKey]) -> Option<bool> {
        let (local, were) = self.local.as_ref()?;
        let is_the_one = were == holders && !holders.is_empty();
        primary
            .filter(|_| is_the_one)
            .and_then(|primary| primary.is_same_process(local))
    }
}

/// The current state of this machine.
pub(crate) struct Here<'now> {
    pub(crate) port: &'now LocalPort,
    /// Kernel events list the connections to the local port.
    pub(crate) has_events: bool,
    /// Number of lost kernel events.
    pub(crate) lost: u64,
    /// The local gateway is being started.
    pub(crate) is_starting: bool,
}

impl Here<'_> {
    /// Without kernel events a new listener is noticed with a delay.
    fn may_listen(&self) -> bool {
        self.port.listeners().is_listening() || (!self.has_events && self.is_starting)
    }
}

impl Attribution {
    /// Records that a probe begins.
    pub(crate) fn probe_begins(&mut self, here: &Here) {
        let listened = here.may_listen();
        self.accepted.clear();
        self.probe = Some(Begun {
            at: clock::now(),
            listened,
            opens: (listened && !here.has_events).then(passive_opens).flatten(),
            lost: here.lost,
        });
    }

    /// The outcome of the probe of this address if it can be the primary's, else unknown. Call it after all
    /// pending kernel events are handled.
    pub(crate) fn attribute(
        &mut self,
        outcome: Outcome,
        peer: Option<SocketAddr>,
        readiness: Option<&Readiness>,
        here: &Here,
    ) -> Outcome {
        let Some(begun) = self.probe.take() else {
            return outcome;
        };
        if !begun.listened && !here.may_listen() && self.accepted.is_empty() {
            return outcome;
        }
        let holders: Vec<ProcessKey> = here
            .port
            .listeners()
            .holders()
            .map(|(one, _)| one.key())
            .collect();
        let same = self.is_same(readiness, &holders);
        let seen = || self.seen_since(begun, here);
        let unknown = match &outcome {
            Outcome::Connected { .. } => own_answer(same, seen),
            Outcome::Failed { failure, .. } if failure.is_above_tcp() => own_failure(peer, &seen()),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => None,
        };
        unknown.map_or(outcome, Outcome::unknown)
    }

    fn seen_since(&self, begun: Begun, here: &Here) -> Seen {
        let accepted = self.accepted.iter();
        let mut from: Vec<SocketAddr> = accepted
            .filter(|accepted| accepted.at >= begun.at)
            .map(|accepted| accepted.from)
            .collect();
        let mut more = match here.has_events {
            true => here.lost != begun.lost,
            // On any port.
            false => begun.opens.is_none() || passive_opens() != begun.opens,
        };
        // Proxies reuse connections.
        match Inbound::on(here.port.number()) {
            Ok(inbound) => {
                let during = clock::now().since(begun.at) + TICK;
                let fresh = inbound.iter().filter(|one| one.idle <= during);
                from.extend(fresh.map(|one| one.from));
            }
            Err(error) => {
                debug!(%error, "the connections on the local port aren't known");
                more = true;
            }
        }
        Seen { from, more }
    }
}

/// Why a good answer may not be the primary's.
fn own_answer(same: Option<bool>, seen: impl FnOnce() -> Seen) -> Option<String> {
    match same {
        Some(true) => {
            return Some(format!(
                "the answer is PC-B's own gateway's: it is the same process; {REMEDY}"
            ));
        }
        Some(false) => return None,
        None => {}
    }
    let seen = seen();
    match seen.from.first() {
        Some(from) => Some(format!(
            "while it was probed, PC-B's own gateway was asked as well, from {}; {REMEDY}",
            from.ip()
        )),
        None if seen.more => Some(format!(
            "while it was probed, PC-B's own gateway may have been asked as well; {REMEDY}"
        )),
        None => None,
    }
}

/// Why a bad answer isn't the primary's: the probed host was connecting to PC-B's own gateway.
fn own_failure(peer: Option<SocketAddr>, seen: &Seen) -> Option<String> {
    let peer = peer?.ip().to_canonical();
    let asked_here = seen
        .from
        .iter()
        .any(|from| from.ip().to_canonical() == peer);
    asked_here.then(|| format!("{peer}, which was probed, has asked PC-B's own gateway; {REMEDY}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_linux::bpf::event::Origin as Who;

    fn readiness(started: u64) -> Readiness {
        Readiness {
            started: Some(Time::from_boot(Duration::from_secs(started))),
            ..Readiness::default()
        }
    }

    fn seen(from: &[&str], more: bool) -> Seen {
        Seen {
            from: from.iter().map(|from| from.parse().unwrap()).collect(),
            more,
        }
    }

    #[test]
    fn an_answer_is_the_primarys_where_nothing_came_to_the_local_port_meanwhile() {
        assert_eq!(own_answer(None, || seen(&[], false)), None);
        let why = own_answer(None, || seen(&["10.0.0.1:4000"], false)).unwrap();
        assert!(why.contains("10.0.0.1"), "{why}");
        assert!(own_answer(None, || seen(&[], true)).is_some());
    }

    #[test]
    fn another_process_is_the_primary_however_busy_the_local_port_is_and_the_same_never() {
        let busy = || seen(&["10.0.0.1:4000"], true);
        assert_eq!(own_answer(Some(false), busy), None);
        assert!(own_answer(Some(true), || seen(&[], false)).is_some());
    }

    #[test]
    fn a_failure_is_not_the_primarys_where_who_was_asked_has_asked_here() {
        let peer = Some("10.0.0.1:18700".parse().unwrap());
        assert!(own_failure(peer, &seen(&["[::ffff:10.0.0.1]:4000"], false)).is_some());
        assert_eq!(own_failure(peer, &seen(&["10.0.0.9:4000"], true)), None);
        assert_eq!(own_failure(None, &seen(&["10.0.0.1:4000"], false)), None);
    }

    #[test]
    fn processes_are_compared_only_as_long_as_the_local_one_is_the_one_that_spoke() {
        let one = ProcessKey { pid: 7, started: 1 };
        let mut attribution = Attribution::default();
        assert_eq!(attribution.is_same(Some(&readiness(100)), &[one]), None);
        attribution.local_says(Some(&Readiness::default()), vec![one]);
        assert_eq!(attribution.is_same(Some(&readiness(100)), &[one]), None);
        attribution.local_says(Some(&readiness(100)), vec![one]);
        assert_eq!(
            attribution.is_same(Some(&readiness(100)), &[one]),
            Some(true)
        );
        assert_eq!(
            attribution.is_same(Some(&readiness(500)), &[one]),
            Some(false)
        );
        assert_eq!(attribution.is_same(None, &[one]), None);
        assert_eq!(attribution.is_same(Some(&readiness(500)), &[]), None);
    }

    fn change(old: TcpState, new: TcpState) -> TcpStateChange {
        TcpStateChange {
            origin: Who {
                time: Duration::from_secs(7),
                pid: None,
                tid: None,
                uid: 0,
                comm: String::new(),
                netns: 1,
            },
            old,
            new,
            local: "10.0.0.2:18789".parse().unwrap(),
            remote: "10.0.0.1:4000".parse().unwrap(),
            error: None,
        }
    }

    #[test]
    fn what_happens_to_connections_is_noted_and_not_what_happens_to_listeners() {
        use TcpState::{Close, CloseWait, Established, Listen, SynRecv};
        for (old, new, count) in [
            (SynRecv, Established, 1),
            (Established, CloseWait, 1),
            (Close, Listen, 0),
            (Listen, Close, 0),
        ] {
            let mut attribution = Attribution::default();
            attribution.changed(&change(old, new));
            assert_eq!(attribution.accepted.len(), count, "{old} -> {new}");
        }
        let mut attribution = Attribution::default();
        for _ in 0..2 * MOST_ACCEPTED {
            attribution.changed(&change(SynRecv, Established));
        }
        assert_eq!(attribution.accepted.len(), MOST_ACCEPTED);
    }
}
