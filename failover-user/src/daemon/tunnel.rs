//! Does who holds the local port only lead to the primary, as `ssh -L` does? Then the port is taken when
//! it is needed most, and what listens there is dead.
//!
//! It is told to people, and decides nothing. What isn't known as the gateway keeps a start waiting
//! anyway, and what is known as it stays it: a real gateway may be connected to PC-A for a reason of its
//! own, as an agent that works there, and one that was taken for a tunnel would never be stopped.

use std::{net::SocketAddr, time::Duration};

use tracing::{debug, warn};

use super::port::LocalPort;
use crate::{
    clock,
    config::Configuration,
    decide::Time,
    gateway::{ProcessKey, tunnels},
    probe::{LocalProber, LocalReport, Readiness},
};

/// A forwarder may connect only while it has something to forward, so it is looked at more than once.
const AGAIN: Duration = Duration::from_secs(60);
const REMEDY: &str = "stop it, or have it listen on another port: when the primary dies it is useless, and in the way of the local gateway";

/// Watches whether the local port leads to the primary.
pub(super) struct Tunnel {
    /// Asks whoever listens here.
    prober: LocalProber<()>,
    /// Who was looked at last, and when.
    looked: Option<(Time, Vec<ProcessKey>)>,
    /// When who listens was asked last.
    asked: Option<Time>,
    /// A holder's connection to the primary's host, once it was seen.
    connected: Option<Connected>,
    /// Who listens is the very process that the primary is.
    same: bool,
}

struct Connected {
    /// What, for people.
    told: String,
    /// It is known as the gateway all the same.
    is_gateway: bool,
}

impl Tunnel {
    pub(super) fn new(configuration: &Configuration) -> Self {
        Self {
            prober: LocalProber::new(&configuration.local_check, configuration.decide.timeout),
            looked: None,
            asked: None,
            connected: None,
            same: false,
        }
    }

    /// Looks at the connections of who holds the port: when that is another than before, and each minute.
    pub(super) fn look(&mut self, port: &LocalPort, primary: &[SocketAddr]) {
        if !port.is_listening() {
            self.forget();
            self.looked = None;
            return;
        }
        let holders: Vec<ProcessKey> = port.holders().map(|(holder, _)| holder.key()).collect();
        let now = clock::now();
        match &self.looked {
            Some((_, before)) if *before != holders => self.forget(),
            Some((at, _)) if now.since(*at) < AGAIN => return,
            _ => {}
        }
        self.looked = Some((now, holders));
        if self.connected.is_some() {
            // It stays what it was seen to be for as long as it lives.
            return;
        }
        let holders = port.holders().map(|(holder, _)| holder);
        match tunnels(holders, port.number(), primary) {
            Ok(found) => {
                if let Some(tunnel) = found.first() {
                    let mut holders = port.holders();
                    let is_gateway = holders.any(|(holder, is)| is && holder.pid == tunnel.pid);
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
            Err(error) => debug!(%error, "whether the port leads to the primary isn't known"),
        }
    }

    /// The primary has said this of itself: does who listens here say the same? A primary tells when it
    /// started only to who has its token.
    pub(super) fn compare(&mut self, port: &LocalPort, primary: &Readiness) {
        let now = clock::now();
        let due = self.asked.is_none_or(|asked| now.since(asked) >= AGAIN);
        if due && port.is_listening() && primary.started.is_some() {
            self.asked = Some(now);
            self.prober.start((), &port.addresses());
        }
    }

    /// Waits until who listens has answered. Cancel-safe.
    pub(super) async fn answer(&mut self) -> LocalReport<()> {
        self.prober.next().await
    }

    /// Who listens has answered.
    pub(super) fn answered(
        &mut self,
        report: &LocalReport<()>,
        primary: Option<&Readiness>,
        port: &LocalPort,
    ) {
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

    /// What is wrong, for the status.
    pub(super) fn problem(&self) -> Option<String> {
        let connected = self.connected.as_ref().filter(|found| !found.is_gateway);
        match (self.same, connected) {
            (true, _) => {
                Some("the local port leads to the primary itself: both are one process".to_owned())
            }
            (false, Some(found)) => Some(format!(
                "the local port seems to lead to the primary: {}",
                found.told
            )),
            (false, None) => None,
        }
    }

    /// Somebody else listens, or nobody.
    fn forget(&mut self) {
        self.connected = None;
        self.same = false;
        self.asked = None;
        self.prober.stop();
    }
}
