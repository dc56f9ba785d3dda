//! Probes the primary: one probe at a time, and the tripwire between them. Probes the local gateway in the same
//! way.
//!
//! A source of events: it never decides. Its reports distinguish failures of the primary from failures of PC-B
//! itself.

pub(crate) mod attribution;
pub(crate) mod check;
pub(crate) mod connect;
pub(crate) mod evidence;
pub(crate) mod filter;
pub(crate) mod local;
pub(crate) mod origin;
pub(crate) mod own;
pub(crate) mod port_forward;
pub(crate) mod race;
pub(crate) mod reserve;
pub(crate) mod resolve;
pub(crate) mod tripwire;

use std::{future::Future, net::SocketAddr, num::NonZeroU16, pin::Pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use failover_decide::{Evidence, Failure, Gone, NoAnswer, Outcome, ProbeId};

use crate::primary::check::readiness::Readiness;
use crate::{
    config::{Check, PrimaryAddress},
    primary::{
        check::{Checker, Connection, Memory, Verdict},
        resolve::Resolver,
        tripwire::Tripwire,
    },
};
use failover_linux::carrier;
use failover_linux::carrier::is_own;

/// A report of a [`Prober`].
#[derive(Debug)]
pub enum Report {
    /// The probe has ended.
    Ended(ProbeReport),
    /// The tripwire, a connection to the primary between probes, has died.
    Tripped(Evidence),
}

/// A probe that has ended.
#[derive(Debug)]
pub struct ProbeReport {
    /// As given to [`Prober::start`].
    pub probe: ProbeId,
    /// Its outcome.
    pub outcome: Outcome,
    /// The primary's address that was probed, where that is known.
    pub peer: Option<SocketAddr>,
    /// The readiness that the primary reported, if any.
    pub readiness: Option<Readiness>,
    /// The untrusted certificate, if that is the fault.
    pub certificate: Option<String>,
}

/// The result of a single probe.
#[derive(Debug)]
pub struct Found {
    /// Its outcome.
    pub outcome: Outcome,
    /// The readiness that the primary reported, if any.
    pub readiness: Option<Readiness>,
    /// The untrusted certificate, if that is the fault.
    pub certificate: Option<String>,
    /// The primary's addresses, as far as they are known.
    pub addresses: Vec<SocketAddr>,
}

/// Probes one primary.
pub struct Prober {
    resolver: Resolver,
    checker: Checker,
    memory: Memory,
    timeout: Duration,
    /// The local gateway's port: an answer from there isn't the primary's.
    local_port: Option<NonZeroU16>,
    /// PC-B's own addresses among those of the primary's name, as logged last.
    own_told: Vec<SocketAddr>,
    in_flight: Option<(ProbeId, Asking)>,
    tripwire: Option<Tripwire>,
}

type Asking = Pin<Box<dyn Future<Output = Verdict>>>;

impl Prober {
    /// A prober of this primary, with this timeout for each probe.
    #[must_use]
    pub fn new(primary: PrimaryAddress, check: &Check, timeout: Duration) -> Self {
        reserve::keep();
        Self {
            resolver: Resolver::new(primary.host, primary.port.get(), "--primary"),
            checker: Checker::of_the_primary(check),
            memory: Memory::default(),
            timeout,
            local_port: None,
            own_told: Vec::new(),
            in_flight: None,
            tripwire: None,
        }
    }

    /// Sets the local gateway's port, on all addresses of this machine.
    #[must_use]
    pub fn beside(mut self, local_port: NonZeroU16) -> Self {
        self.local_port = Some(local_port);
        self
    }

    /// Sets the addresses of the primary's name at which it answered before a restart.
    #[must_use]
    pub fn after(mut self, good: Vec<SocketAddr>) -> Self {
        self.resolver.recall(good);
        self
    }

    /// The addresses at which the primary answered, for [`Self::after`]; only for a name.
    #[must_use]
    pub fn good_addresses(&self) -> &[SocketAddr] {
        self.resolver.good()
    }

    /// Records that the answer from this address was the primary's.
    pub fn answered(&mut self, at: SocketAddr) {
        self.resolver.answered(at);
    }

    /// Starts a probe that may take this long. A probe in progress is cancelled.
    pub fn start(&mut self, probe: ProbeId, timeout: Duration) {
        self.log_own();
        self.in_flight = Some((probe, self.asking(timeout)));
    }

    /// Runs a single probe. The result has the probed addresses, as far as they are known.
    pub async fn once(mut self) -> Found {
        let verdict = self.asking(self.timeout).await;
        self.resolver.collect();
        Found {
            addresses: self.addresses().to_vec(),
            outcome: verdict.outcome,
            readiness: verdict.readiness,
            certificate: verdict.certificate,
        }
    }

    fn asking(&mut self, timeout: Duration) -> Asking {
        let addresses = self.resolver.addresses();
        let (good, local_port) = (self.resolver.good().to_vec(), self.local_port);
        let (checker, memory) = (self.checker.clone(), self.memory);
        let deadline = Instant::now() + timeout;
        Box::pin(async move {
            let unknown = |reason| Verdict::unknown(reason, memory);
            let addresses = match timeout_at(deadline, addresses).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(reason)) => return unknown(reason),
                Err(_) => return unknown("the name server doesn't answer".to_owned()),
            };
            let addresses = match own::others(&addresses, &good, local_port, is_own) {
                Ok(addresses) => addresses,
                Err(reason) => return Verdict::gone(reason, Gone::Address, memory),
            };
            let verdict = checker.ask(&addresses, deadline, memory).await;
            match reason_here(&verdict.outcome, &addresses) {
                Some((reason, Some(gone))) => Verdict::gone(reason, gone, memory),
                Some((reason, None)) => unknown(reason),
                None => verdict,
            }
        })
    }

    /// Logs once which of the name's addresses are left out.
    fn log_own(&mut self) {
        let own = match self.resolver.known() {
            [] | [_] => Vec::new(),
            several => several
                .iter()
                .copied()
                .filter(|one| is_own(one.ip()))
                .collect(),
        };
        if own != self.own_told && !own.is_empty() {
            let addresses: Vec<String> = own.iter().map(SocketAddr::to_string).collect();
            tracing::warn!(
                addresses = addresses.join(", "),
                "the primary's name has addresses that are PC-B's own: what answers there isn't the primary, so they aren't asked"
            );
        }
        self.own_told = own;
    }

    /// Waits for a report. Cancel-safe.
    pub async fn next(&mut self) -> Report {
        let Self {
            in_flight,
            tripwire,
            ..
        } = self;
        let ended = async {
            match in_flight {
                Some((probe, future)) => (*probe, future.as_mut().await),
                None => std::future::pending().await,
            }
        };
        let tripped = async {
            match tripwire {
                Some(tripwire) => tripwire.tripped().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            (probe, verdict) = ended => {
                self.in_flight = None;
                self.resolver.collect();
                self.memory = verdict.memory;
                self.settle(&verdict.outcome, verdict.connection);
                Report::Ended(ProbeReport {
                    probe,
                    outcome: verdict.outcome,
                    peer: verdict.peer,
                    readiness: verdict.readiness,
                    certificate: verdict.certificate,
                })
            }
            evidence = tripped => {
                self.tripwire = None;
                Report::Tripped(evidence)
            }
        }
    }

    /// The primary's addresses, as far as they are known.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        self.resolver.known()
    }

    /// Inodes of the prober's own connections to the primary, for [`acknowledged`]. A probe in progress
    /// has none yet: it ends with its connection.
    #[must_use]
    pub fn own_sockets(&self) -> Vec<u64> {
        let inode = self.tripwire.as_ref().and_then(Tripwire::inode);
        inode.into_iter().collect()
    }

    /// A good probe sets the tripwire; a failed one ends it.
    fn settle(&mut self, outcome: &Outcome, connection: Option<Connection>) {
        match (outcome, connection) {
            (Outcome::Connected { .. }, Some(Connection::Silent(stream))) => {
                self.tripwire = Some(Tripwire::new(stream));
            }
            (Outcome::Connected { .. }, Some(Connection::To(peer))) => {
                if self
                    .tripwire
                    .as_ref()
                    .is_none_or(|tripwire| !tripwire.leads_to(peer))
                {
                    self.tripwire = Some(Tripwire::to(peer));
                }
            }
            (Outcome::Failed { .. }, _) => {
                self.tripwire = None;
                self.resolver.refresh();
            }
            (Outcome::Connected { .. } | Outcome::Unknown { .. }, _) => {}
        }
    }
}

impl Verdict {
    fn unknown(reason: String, memory: Memory) -> Self {
        Self {
            outcome: Outcome::unknown(reason),
            peer: None,
            readiness: None,
            connection: None,
            certificate: None,
            memory,
        }
    }

    fn gone(reason: String, gone: Gone, memory: Memory) -> Self {
        Self {
            outcome: Outcome::Unknown {
                reason,
                gone: Some(gone),
            },
            ..Self::unknown(String::new(), memory)
        }
    }
}

/// The cause of a failure on PC-B, if it isn't the primary's.
fn reason_here(outcome: &Outcome, addresses: &[SocketAddr]) -> Option<(String, Option<Gone>)> {
    let Outcome::Failed { failure, .. } = outcome else {
        return None;
    };
    let silent = matches!(
        failure,
        Failure::TimedOut | Failure::Unreachable { .. } | Failure::NoAnswer(NoAnswer::TimedOut)
    );
    // Where somebody answered, even to refuse, our own link is in order.
    if silent && let Some(interface) = carrier::missing(addresses) {
        let reason = format!(
            "{interface}, which leads to the primary, has no carrier; is PC-B's own cable in?"
        );
        return Some((reason, Some(Gone::Path)));
    }
    let first = addresses.first().copied()?;
    let stopped = !failure.is_above_tcp() && addresses.iter().all(|one| filter::stops(*one));
    stopped.then(|| (filter::describe(first), None))
}
