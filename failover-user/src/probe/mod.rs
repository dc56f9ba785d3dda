//! Asking the primary: TCP connects, one at a time, and the tripwire between them. And asking others
//! whether it is the primary that is silent, or PC-B that is cut off.
//!
//! A source of events: it never decides. What it reports says whether the primary failed, or
//! something of PC-B's own did.

mod acknowledged;
mod carrier;
mod connect;
mod echo;
mod resolve;
mod tripwire;
mod witness;

use std::{future::Future, net::SocketAddr, pin::Pin, time::Duration};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use crate::{
    config::PrimaryAddress,
    decide::{Evidence, Failure, Outcome, ProbeId},
};
pub use acknowledged::acknowledged;
use connect::Connect;
use resolve::Resolver;
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
    },
    /// The connection of the last good probe has died.
    Tripped(Evidence),
}

/// Probes one primary.
pub struct Prober {
    resolver: Resolver,
    timeout: Duration,
    in_flight: Option<(ProbeId, Asking)>,
    tripwire: Option<Tripwire>,
}

type Asking = Pin<Box<dyn Future<Output = Answer>>>;

/// What a probe's future yields.
struct Answer {
    outcome: Outcome,
    stream: Option<TcpStream>,
}

impl Prober {
    /// A prober of this primary; each probe takes no longer than the timeout.
    #[must_use]
    pub fn new(primary: PrimaryAddress, timeout: Duration) -> Self {
        Self {
            resolver: Resolver::new(primary.host, primary.port.get(), "--primary"),
            timeout,
            in_flight: None,
            tripwire: None,
        }
    }

    /// Begins a probe. One that is in flight is given up.
    pub fn start(&mut self, probe: ProbeId) {
        let addresses = self.resolver.addresses();
        let timeout = self.timeout;
        let future = async move {
            let begun = Instant::now();
            let deadline = begun + timeout;
            let addresses = match timeout_at(deadline, addresses).await {
                Ok(Ok(addresses)) => addresses,
                Ok(Err(reason)) => return Answer::unknown(reason),
                Err(_) => return Answer::unknown("the name server doesn't answer".to_owned()),
            };
            match timeout_at(deadline, connect::any(&addresses)).await {
                Ok(connect) => Answer::from_connect(connect, &addresses, begun.elapsed()),
                Err(_) => {
                    let timed_out = Connect::Failed(Failure::TimedOut);
                    Answer::from_connect(timed_out, &addresses, begun.elapsed())
                }
            }
        };
        self.in_flight = Some((probe, Box::pin(future)));
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
            (probe, answer) = ended => {
                self.in_flight = None;
                self.resolver.collect();
                self.settle(&answer.outcome, answer.stream);
                Report::Ended { probe, outcome: answer.outcome }
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

    /// A good probe's connection becomes the tripwire; a failed one ends the old.
    fn settle(&mut self, outcome: &Outcome, stream: Option<TcpStream>) {
        match outcome {
            Outcome::Connected { .. } => self.tripwire = stream.map(Tripwire::new),
            Outcome::Failed { .. } => {
                self.tripwire = None;
                self.resolver.refresh();
            }
            Outcome::Unknown { .. } => {}
        }
    }
}

impl Answer {
    fn unknown(reason: String) -> Self {
        Self {
            outcome: Outcome::Unknown { reason },
            stream: None,
        }
    }

    fn from_connect(connect: Connect, addresses: &[SocketAddr], took: Duration) -> Self {
        match connect {
            Connect::Connected(stream) => Self {
                outcome: Outcome::Connected { took },
                stream: Some(stream),
            },
            // Somebody answered, so our own link is in order.
            Connect::Failed(failure @ Failure::Refused) => Self {
                outcome: Outcome::Failed { failure, took },
                stream: None,
            },
            Connect::Failed(failure) => match carrier::missing(addresses) {
                Some(interface) => Self::unknown(format!(
                    "{interface}, which leads to the primary, has no carrier; is PC-B's own cable in?"
                )),
                None => Self {
                    outcome: Outcome::Failed { failure, took },
                    stream: None,
                },
            },
            Connect::Unknown(reason) => Self::unknown(reason),
        }
    }
}
