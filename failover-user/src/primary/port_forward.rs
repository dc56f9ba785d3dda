//! Does who holds the local port only lead to the primary, as `ssh -L` does? Then the port is taken when
//! it is needed most, and what listens there is dead.
//!
//! It is told to people, and decides nothing. What isn't known as the gateway keeps a start waiting
//! anyway, and what is known as it stays it: a real gateway may be connected to PC-A for a reason of its
//! own, as an agent that works there, and one that was taken for a tunnel would never be stopped.

use std::{collections::BTreeSet, io, net::SocketAddr, time::Duration};

use tracing::{debug, warn};

use failover_decide::Time;
use failover_linux::{clock, netlink::NetlinkError, process::ProcessKey};

use crate::gateway::port::tunnel;
use crate::{
    config::LocalCheck,
    gateway::port::{LocalPort, holder::Holder, tunnel::tunnels},
    primary::{
        check::readiness::Readiness,
        local::{LocalProber, LocalReport},
    },
    runtime::{background, background::Job},
};

/// A forwarder may connect only while it has something to forward, so it is looked at more than once.
const AGAIN: Duration = Duration::from_secs(60);
/// Where others hold the port, no sooner than so long after the last look.
const SOON: Duration = Duration::from_secs(1);
/// So many of the addresses that somebody listens on are asked.
const MOST_ASKED: usize = 8;
const REMEDY: &str = "stop it, or have it listen on another port: when the primary dies it is useless, and in the way of the local gateway";

/// Watches whether the local port leads to the primary.
pub(crate) struct PortForward {
    /// Asks whoever listens here.
    prober: LocalProber<()>,
    /// When connections were looked at last.
    looked: Option<Time>,
    /// Who held the port then.
    holders: Vec<ProcessKey>,
    /// Others hold it than those whose connections were looked at.
    is_news: bool,
    looking: Option<Looking>,
    /// When who listens was asked last.
    asked: Option<Time>,
    /// A holder's connection to the primary's host, once it was seen.
    connected: Option<Connected>,
    /// Who listens is the very process that the primary is.
    same: bool,
    timeout: Duration,
    /// Whoever listens should have answered by then.
    until: Option<Time>,
}

/// How it is known that the local port leads to the primary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PortForwardProblem {
    /// Who listens is the very process that the primary is.
    SameProcess,
    /// Who listens, for people, is connected to the primary's host.
    Connected(String),
}

/// A look that goes on.
struct Looking {
    job: Job<Result<Vec<tunnel::Tunnel>, NetlinkError>>,
    /// Processes that count as the gateway.
    gateways: BTreeSet<u32>,
}

struct Connected {
    /// What, for people.
    told: String,
    /// It is known as the gateway all the same.
    is_gateway: bool,
}

impl PortForward {
    pub(crate) fn new(check: &LocalCheck, timeout: Duration) -> Self {
        Self {
            prober: LocalProber::new(check, timeout),
            looked: None,
            holders: Vec::new(),
            is_news: false,
            looking: None,
            asked: None,
            connected: None,
            same: false,
            timeout,
            until: None,
        }
    }

    /// Looks at the connections of who holds the port, when that is another than before, and each minute:
    /// beside everything else, for there may be many.
    pub(crate) fn look(&mut self, port: &LocalPort, primary: &[SocketAddr]) {
        if !port.is_listening() {
            self.forget();
            self.holders = Vec::new();
            return;
        }
        let holders: Vec<ProcessKey> = port.holders().map(|(holder, _)| holder.key()).collect();
        if self.holders != holders {
            self.forget();
            self.holders = holders;
            self.is_news = true;
        }
        let pause = match self.is_news {
            true => SOON,
            false => AGAIN,
        };
        let now = clock::now();
        let is_due = self.looked.is_none_or(|looked| now.since(looked) >= pause);
        // One that is known to lead there stays what it was seen to be for as long as it lives.
        if !is_due || self.looking.is_some() || self.connected.is_some() {
            return;
        }
        self.looked = Some(now);
        let holders: Vec<Holder> = port.holders().map(|(holder, _)| holder.clone()).collect();
        let gateways = port.holders().filter(|(_, is_gateway)| *is_gateway);
        let gateways = gateways.map(|(holder, _)| holder.pid).collect();
        let (number, primary) = (port.number(), primary.to_vec());
        match background::begin("tunnel", move || tunnels(&holders, number, &primary)) {
            Ok(job) => {
                self.is_news = false;
                self.looking = Some(Looking { job, gateways });
            }
            Err(error) => debug!(%error, "whether the port leads to the primary isn't known"),
        }
    }

    /// The look has ended.
    fn found(&mut self, found: io::Result<Result<Vec<tunnel::Tunnel>, NetlinkError>>) {
        let Some(Looking { gateways, .. }) = self.looking.take() else {
            return;
        };
        match found.map_err(|error| error.to_string()).and_then(|found| {
            // Who holds the port since then is looked at next.
            found.map_err(|error| error.to_string())
        }) {
            Ok(found) if !self.is_news => {
                if let Some(tunnel) = found.first() {
                    let is_gateway = gateways.contains(&tunnel.pid);
                    let told = tunnel.to_string();
                    warn!(
                        held_by = told,
                        is_gateway,
                        remedy = REMEDY,
                        "the local port seems to lead to the primary"
                    );
                    self.connected = Some(Connected { told, is_gateway });
                }
            }
            Ok(_) => {}
            Err(error) => debug!(error, "whether the port leads to the primary isn't known"),
        }
    }

    /// The primary has said this of itself: does who listens here say the same? A primary tells when it
    /// started only to who has its token.
    pub(crate) fn compare(&mut self, port: &LocalPort, primary: &Readiness) {
        let now = clock::now();
        let due = self.asked.is_none_or(|asked| now.since(asked) >= AGAIN);
        if due && port.is_listening() && primary.started.is_some() {
            self.asked = Some(now);
            let addresses = port.addresses();
            let some = addresses.get(..MOST_ASKED).unwrap_or(&addresses);
            self.ask(some);
        }
    }

    pub(crate) fn ask(&mut self, addresses: &[SocketAddr]) {
        self.until = Some(clock::now() + self.timeout);
        self.prober.start((), addresses);
    }

    /// By when whoever was asked should have answered.
    pub(crate) fn asks_until(&self) -> Option<Time> {
        self.until
    }

    /// Waits until who listens has answered, or a look has ended (`None`). Cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<LocalReport<()>> {
        let Self {
            prober, looking, ..
        } = self;
        let found = async {
            match looking {
                Some(looking) => (&mut looking.job).await,
                None => std::future::pending().await,
            }
        };
        let found = tokio::select! {
            report = prober.next() => return Some(report),
            found = found => found,
        };
        self.found(found);
        None
    }

    /// Who listens has answered.
    pub(crate) fn answered(
        &mut self,
        report: &LocalReport<()>,
        primary: Option<&Readiness>,
        port: &LocalPort,
    ) {
        self.until = None;
        let both = report.readiness.as_ref().zip(primary);
        // Without an answer it is what it was.
        let Some(same) = both.and_then(|(local, primary)| local.is_same_process(primary)) else {
            return;
        };
        if same && !self.same && port.is_listening() {
            warn!(
                held_by = port.held_by(),
                remedy = REMEDY,
                "the local port leads to the primary: both are the same process"
            );
        }
        self.same = same && port.is_listening();
    }

    /// Where the port leads, where that is the primary.
    pub(crate) fn problem(&self) -> Option<PortForwardProblem> {
        let connected = self.connected.as_ref().filter(|found| !found.is_gateway);
        match (self.same, connected) {
            (true, _) => Some(PortForwardProblem::SameProcess),
            (false, Some(found)) => Some(PortForwardProblem::Connected(found.told.clone())),
            (false, None) => None,
        }
    }

    /// Somebody else listens, or nobody.
    fn forget(&mut self) {
        self.connected = None;
        self.same = false;
        self.asked = None;
        self.until = None;
        self.prober.stop();
    }
}
