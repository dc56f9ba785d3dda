//! Does the holder of the local port only forward to the primary, as `ssh -L` does? Then the port is taken in a
//! takeover, and its listener is dead.
//!
//! This is reported, and decides nothing. A listener that isn't recognised as the gateway blocks a start anyway,
//! and one that is stays the gateway: a real gateway may be connected to PC-A for another reason, such as an agent
//! that works there, and if it were taken for a tunnel it would never be stopped.

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

/// Time between looks: a forwarder may connect only while it forwards something.
const AGAIN: Duration = Duration::from_secs(60);
/// Time between looks when the holders of the port have changed.
const SOON: Duration = Duration::from_secs(1);
/// Limit for the local addresses that are probed.
const MOST_ASKED: usize = 8;
const REMEDY: &str = "stop it, or have it listen on another port: when the primary dies it is useless, and in the way of the local gateway";

/// Watches whether the local port leads to the primary.
pub(crate) struct PortForward {
    /// Probes the local listener.
    prober: LocalProber<()>,
    /// When the connections were read last.
    looked: Option<Time>,
    /// The holders of the port then.
    holders: Vec<ProcessKey>,
    /// The holders have changed since.
    is_news: bool,
    looking: Option<Looking>,
    /// When the listener was probed last.
    asked: Option<Time>,
    /// A holder's connection to the primary's host, once it was seen.
    connected: Option<Connected>,
    /// The listener and the primary are the same process.
    same: bool,
    timeout: Duration,
    /// Deadline of the pending probe.
    until: Option<Time>,
}

/// The evidence that the local port leads to the primary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum PortForwardProblem {
    /// The listener and the primary are the same process.
    SameProcess,
    /// The listener, with this description, is connected to the primary's host.
    Connected(String),
}

/// A look in progress.
struct Looking {
    job: Job<Result<Vec<tunnel::Tunnel>, NetlinkError>>,
    /// Processes that count as the gateway.
    gateways: BTreeSet<u32>,
}

struct Connected {
    /// Its description.
    description: String,
    /// It counts as the gateway nevertheless.
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

    /// Reads the connections of the port's holders when these have changed, and each minute: in the
    /// background, because there may be many.
    pub(crate) fn look(&mut self, port: &LocalPort, primary: &[SocketAddr]) {
        if !port.listeners().is_listening() {
            self.forget();
            self.holders = Vec::new();
            return;
        }
        let holders: Vec<ProcessKey> = port
            .listeners()
            .holders()
            .map(|(holder, _)| holder.key())
            .collect();
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
        // A holder that was seen to lead there counts as that while it lives.
        if !is_due || self.looking.is_some() || self.connected.is_some() {
            return;
        }
        self.looked = Some(now);
        let holders: Vec<Holder> = port
            .listeners()
            .holders()
            .map(|(holder, _)| holder.clone())
            .collect();
        let gateways = port
            .listeners()
            .holders()
            .filter(|(_, is_gateway)| *is_gateway);
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
            // New holders are handled by the next look.
            found.map_err(|error| error.to_string())
        }) {
            Ok(found) if !self.is_news => {
                if let Some(tunnel) = found.first() {
                    let is_gateway = gateways.contains(&tunnel.pid);
                    let description = tunnel.to_string();
                    warn!(
                        held_by = description,
                        is_gateway,
                        remedy = REMEDY,
                        "the local port seems to lead to the primary"
                    );
                    self.connected = Some(Connected {
                        description,
                        is_gateway,
                    });
                }
            }
            Ok(_) => {}
            Err(error) => debug!(error, "whether the port leads to the primary isn't known"),
        }
    }

    /// Probes the local listener, to compare its readiness with this one of the primary. A primary reports its
    /// start time only to clients with its token.
    pub(crate) fn compare(&mut self, port: &LocalPort, primary: &Readiness) {
        let now = clock::now();
        let due = self.asked.is_none_or(|asked| now.since(asked) >= AGAIN);
        if due && port.listeners().is_listening() && primary.started.is_some() {
            self.asked = Some(now);
            let addresses = port.listeners().addresses();
            let some = addresses.get(..MOST_ASKED).unwrap_or(&addresses);
            self.ask(some);
        }
    }

    pub(crate) fn ask(&mut self, addresses: &[SocketAddr]) {
        self.until = Some(clock::now() + self.timeout);
        self.prober.start((), addresses);
    }

    /// Deadline of the pending probe.
    pub(crate) fn asks_until(&self) -> Option<Time> {
        self.until
    }

    /// Waits until the listener has answered, or a look has ended (`None`). Cancel-safe.
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

    /// Handles the answer of the listener.
    pub(crate) fn answered(
        &mut self,
        report: &LocalReport<()>,
        primary: Option<&Readiness>,
        port: &LocalPort,
    ) {
        self.until = None;
        let both = report.readiness.as_ref().zip(primary);
        // Without an answer nothing changes.
        let Some(same) = both.and_then(|(local, primary)| local.is_same_process(primary)) else {
            return;
        };
        if same && !self.same && port.listeners().is_listening() {
            warn!(
                held_by = port.listeners().held_by(),
                remedy = REMEDY,
                "the local port leads to the primary: both are the same process"
            );
        }
        self.same = same && port.listeners().is_listening();
    }

    /// The problem, if the port leads to the primary.
    pub(crate) fn problem(&self) -> Option<PortForwardProblem> {
        let connected = self.connected.as_ref().filter(|found| !found.is_gateway);
        match (self.same, connected) {
            (true, _) => Some(PortForwardProblem::SameProcess),
            (false, Some(found)) => Some(PortForwardProblem::Connected(found.description.clone())),
            (false, None) => None,
        }
    }

    /// The listener has changed, or is gone.
    fn forget(&mut self) {
        self.connected = None;
        self.same = false;
        self.asked = None;
        self.until = None;
        self.prober.stop();
    }
}
