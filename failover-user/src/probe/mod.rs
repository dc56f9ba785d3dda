//! Asking the primary: one probe at a time, and the tripwire between them. Asking the local gateway in
//! the same way. And asking others whether it is the primary that is silent, or PC-B that is cut off.
//!
//! A source of events: it never decides. What it reports says whether the primary failed, or
//! something of PC-B's own did.

mod acknowledged;
mod carrier;
mod check;
mod connect;
mod echo;
mod local;
mod resolve;
mod router;
mod tripwire;
mod witness;

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use tokio::time::{Instant, timeout_at};

use crate::{
    config::{Check, PrimaryAddress},
    decide::{Evidence, Failure, NoAnswer, Outcome, ProbeId},
};
pub use acknowledged::acknowledged;
pub use carrier::is_own;
use check::{Checker, Connection, Memory, Verdict};
pub(crate) use check::{Duplex, TlsClient};
pub use check::{Readiness, Startup};
pub use local::{LocalProber, LocalReport};
use resolve::Resolver;
pub use router::Routers;
use tripwire::Tripwire;
pub use witness::{Answers, Testimony, Witnesses};

/// What a [`Prober`] has to tell.
#[derive(Debug)]
pub enum Report {
    /// The probe has ended.
    Ended {
        /// As given to [`Prober::start`].
        probe: ProbeId,
        /// What it says.
        outcome: Outcome,
        /// What the primary said of itself beside, if it did.
        readiness: Option<Readiness>,
    },
    /// The connection to the primary that is kept beside the probes has died.
    Tripped(Evidence),
}

/// Probes one primary.
pub struct Prober {
    resolver: Resolver,
    checker: Checker,
    memory: Memory,
    timeout: Duration,
    in_flight: Option<(ProbeId, Asking)>,
    tripwire: Option<Tripwire>,
}

type Asking = Pin<Box<dyn Future<Output = Verdict>>>;

impl Prober {
    /// A prober of this primary; each probe takes no longer than the timeout.
    #[must_use]
    pub fn new(primary: PrimaryAddress, check: &Check, timeout: Duration) -> Self {
        Self {
            resolver: Resolver::new(primary.host, primary.port.get(), "--primary"),
            checker: Checker::of_the_primary(check),
            memory: Memory::default(),
            timeout,
            in_flight: None,
            tripwire: None,
        }
    }

    /// Begins a probe. One that is in flight is given up.
    pub fn start(&mut self, probe: ProbeId) {
        self.in_flight = Some((probe, self.asking()));
    }

    /// One probe, for who isn't going to probe again. What was found, and whom it was that was asked, as
    /// far as that is known.
    pub async fn once(mut self) -> (Outcome, Option<Readiness>, Vec<SocketAddr>) {
        let verdict = self.asking().await;
        self.resolver.collect();
        let addresses = self.addresses().to_vec();
        (verdict.outcome, verdict.readiness, addresses)
    }

    fn asking(&mut self) -> Asking {
        let addresses = self.resolver.addresses();
        let (checker, memory) = (self.checker.clone(), self.memory);
        let deadline = Instant::now() + self.timeout;
        Box::pin(async move {
            let unknown = |reason| Verdict::unknown(reason, memory);
            let addresses = match timeout_at(deadline, addresses).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(reason)) => return unknown(reason),
                Err(_) => return unknown("the name server doesn't answer".to_owned()),
            };
            let verdict = checker.ask(&addresses, deadline, memory).await;
            match carrier_missing(&verdict.outcome, &addresses) {
                Some(interface) => unknown(format!(
                    "{interface}, which leads to the primary, has no carrier; is PC-B's own cable in?"
                )),
                None => verdict,
            }
        })
    }

    /// Waits for something to tell. Cancel-safe.
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
                Report::Ended { probe, outcome: verdict.outcome, readiness: verdict.readiness }
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

    /// Inodes of the prober's own connections to the primary, for [`acknowledged`]. A probe in flight
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
            outcome: Outcome::Unknown { reason },
            readiness: None,
            connection: None,
            memory,
        }
    }
}

/// The interface without carrier that a silence comes from. Where somebody answered, even to refuse,
/// our own link is in order.
fn carrier_missing(outcome: &Outcome, addresses: &[SocketAddr]) -> Option<String> {
    match outcome {
        Outcome::Failed {
            failure:
                Failure::TimedOut | Failure::Unreachable { .. } | Failure::NoAnswer(NoAnswer::TimedOut),
            ..
        } => carrier::missing(addresses),
        _ => None,
    }
}
