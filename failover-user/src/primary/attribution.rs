//! Whose answer was it? While the local gateway listens, an answer counts as the primary's only where it
//! can't have been the local gateway's: its process is another one, or nothing reached the local port
//! while the probe was in flight. Addresses don't tell: a balancer in front of both has one of its own.
//!
//! What can't be distinguished is unknown. On a busy port that may be so for many probes; each of them is
//! short, so that one that nothing coincides with comes soon, unless the answer is PC-B's own.
//!
//! It must not know what an answer means, nor who probes.

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

/// More than ever come during one probe of a quiet port; on a busier one the last ones say enough.
const MOST_ACCEPTED: usize = 256;
/// The ages of connections are counted in ticks of the kernel's clock, 10 ms at most (HZ=100): one may
/// be as much older than it is.
const TICK: Duration = Duration::from_millis(20);

const REMEDY: &str = "the answer of the primary can't be told from that of PC-B's own gateway: name an address with --primary that leads to PC-A alone, or give both gateways a token (check-token); `failover release` stops the local gateway";

/// What happened on the local port while the primary is probed.
#[derive(Debug, Default)]
pub(crate) struct Attribution {
    accepted: VecDeque<Accepted>,
    probe: Option<Begun>,
    /// What the local gateway said of itself last, and which processes it were.
    local: Option<(Readiness, Vec<ProcessKey>)>,
}

/// When a probe began.
#[derive(Clone, Copy, Debug)]
struct Begun {
    at: Time,
    listened: bool,
    /// Where no kernel events tell which ones.
    opens: Option<u64>,
    /// Kernel events that were lost until then.
    lost: u64,
}

/// What came to the local port during a probe.
#[derive(Debug, Default)]
struct Seen {
    /// From where, where that is known.
    from: Vec<SocketAddr>,
    /// Something may have come from elsewhere.
    more: bool,
}

impl Attribution {
    /// A connection on the local port was accepted, or changed otherwise.
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

    /// The local gateway, these processes, has said this of itself.
    pub(crate) fn local_says(&mut self, readiness: Option<&Readiness>, holders: Vec<ProcessKey>) {
        if let Some(readiness) = readiness.filter(|readiness| readiness.started.is_some()) {
            self.local = Some((readiness.clone(), holders));
        }
    }

    /// Are the primary and the local gateway, these processes now, the same process? `None`: they don't
    /// say.
    fn is_same(&self, primary: Option<&Readiness>, holders: &[ProcessKey]) -> Option<bool> {
        let (local, were) = self.local.as_ref()?;
        let is_the_one = were == holders && !holders.is_empty();
        primary
            .filter(|_| is_the_one)
            .and_then(|primary| primary.is_same_process(local))
    }
}

/// This machine, as it is now.
pub(crate) struct Here<'now> {
    pub(crate) port: &'now LocalPort,
    /// Kernel events tell who comes to the local port.
    pub(crate) has_events: bool,
    /// The number of them that were lost.
    pub(crate) lost: u64,
    /// The local gateway is being started.
    pub(crate) is_starting: bool,
}

impl Here<'_> {
    /// Without kernel events a listener that is coming up is seen a while later.
    fn may_listen(&self) -> bool {
        self.port.is_listening() || (!self.has_events && self.is_starting)
    }
}

impl Attribution {
    /// A probe begins now.
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

    /// The outcome of the probe, which was of this address, if it can be the primary's. To be asked once all is
    /// known that the kernel has noted until now.
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
        let holders: Vec<ProcessKey> = here.port.holders().map(|(one, _)| one.key()).collect();
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
            // Whichever port those were on.
            false => begun.opens.is_none() || passive_opens() != begun.opens,
        };
        // Proxies keep connections and use them again.
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

/// Why a good answer isn't known to be the primary's.
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

/// Why a bad answer isn't the primary's: who was asked has asked PC-B's own gateway.
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
