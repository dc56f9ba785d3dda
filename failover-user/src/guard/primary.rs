//! The guard on PC-A: watches its gateway, and tells PC-B. It starts and stops nothing, and the gateway doesn't depend on
//! it.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    net::lookup_host,
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};
use tracing::{info, warn};

use failover_decide::PortObservation;
use failover_guard::beat::{Announcement, GatewayState};
use failover_linux::bpf::{event::KernelEvent, load::Batch};

use crate::{
    config::GuardedHost,
    gateway::port::{LocalPort, invocation::InvocationMark},
    guard::{
        keys::Keys,
        link::{Hearing, Link},
        shutdown::Shutdown,
        watch,
    },
    kernel_events::{self, KernelSource},
};

/// From one heartbeat to the next: a lost host is known within a third of a second.
const INTERVAL: Duration = Duration::from_millis(50);
/// While the gateway doesn't listen, its service manager is asked again after this time.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A look at the port that nothing has asked for.
const LOOK: Duration = Duration::from_secs(1);
/// PC-B's name is looked up again after this time.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(10);
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(5);
/// An end is announced this often: a datagram may be lost.
const LAST_BEATS: u32 = 3;

/// The guard. See the module.
struct Guard {
    host: GuardedHost,
    link: Link,
    port: LocalPort,
    kernel: KernelSource,
    shutdown: Shutdown,
    seen: PortObservation,
    state: GatewayState,
    /// The service manager's answer, while it is awaited.
    asking: Option<Asking>,
}

type Asking = Pin<Box<dyn Future<Output = GatewayState>>>;

/// What woke the guard.
enum Input {
    Heard(Hearing),
    KernelEvents(io::Result<Batch>),
    /// Kernel events may be had again.
    KernelEventsDue,
    Look,
    Manager(GatewayState),
    Shutdown(bool),
    End,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When the hosts were never paired, or the port can't be looked at.
pub async fn run(host: GuardedHost) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let Some(keys) = Keys::read(&host.state_dir)? else {
        bail!(
            "there are no keys in {}; type `failover guard pair` on PC-B, and then what that prints here",
            host.state_dir.display()
        );
    };
    let Some(peer) = keys.peer.clone() else {
        bail!(
            "the keys don't say where PC-B is; pair the hosts again with `failover guard pair --with PC-B` here"
        );
    };
    let ring = keys.ring(&host.state_dir)?;
    let Some(address) = looked_up(&peer, &mut terminate).await else {
        return Ok(());
    };
    let link = Link::to(address, ring, INTERVAL).context("the socket for heartbeats")?;
    let mut guard = Guard::new(host, link).await?;
    info!(peer, %address, port = guard.host.port.get(), "guarding the gateway");
    loop {
        match guard.next(&mut terminate, &mut interrupt).await {
            Input::End => break,
            input => guard.receive(input),
        }
    }
    guard.end().await;
    Ok(())
}

/// PC-B's address, as soon as its name has one; `None`: the guard is to end.
async fn looked_up(peer: &str, terminate: &mut Signal) -> Option<SocketAddr> {
    loop {
        let reason = match timeout(LOOK_UP_PATIENCE, lookup_host(peer)).await {
            Ok(Ok(mut addresses)) => match addresses.next() {
                Some(address) => return Some(address),
                None => "it has no address".to_owned(),
            },
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        warn!(peer, reason, "PC-B's name can't be looked up; trying again");
        tokio::select! {
            () = sleep(LOOK_UP_AGAIN) => {}
            _ = terminate.recv() => return None,
        }
    }
}

impl Guard {
    async fn new(host: GuardedHost, link: Link) -> anyhow::Result<Self> {
        // No connection to anything else is of interest here.
        let watch = kernel_events::watch(host.port, host.port);
        let kernel = KernelSource::load(host.kernel_events, watch)?;
        let mark = InvocationMark::of(&host.state_dir);
        let mut port = LocalPort::new(host.port, kernel.is_on(), &host.gateway, mark, Vec::new());
        let seen = port.first_look().await?;
        let mut guard = Self {
            host,
            link,
            port,
            kernel,
            shutdown: Shutdown::watch().await,
            seen,
            state: GatewayState::Unknown,
            asking: None,
        };
        guard.follow(seen);
        Ok(guard)
    }

    /// Waits for the next thing to happen. Cancel-safe.
    async fn next(&mut self, terminate: &mut Signal, interrupt: &mut Signal) -> Input {
        let look = self.port.next_look(true, LOOK).unwrap_or(LOOK);
        let attempt = self.kernel.next_attempt();
        let attempt = async {
            match attempt {
                Some(after) => sleep(after).await,
                None => std::future::pending().await,
            }
        };
        let manager = async {
            match &mut self.asking {
                Some(asking) => asking.as_mut().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            hearing = self.link.next() => Input::Heard(hearing),
            batch = self.kernel.next() => Input::KernelEvents(batch),
            () = attempt => Input::KernelEventsDue,
            state = manager => Input::Manager(state),
            begins = self.shutdown.next() => Input::Shutdown(begins),
            () = self.port.ended(true) => Input::Look,
            () = sleep(look) => Input::Look,
            _ = terminate.recv() => Input::End,
            _ = interrupt.recv() => Input::End,
        }
    }

    fn receive(&mut self, input: Input) {
        match input {
            Input::Heard(hearing) => self.heard(hearing),
            Input::KernelEvents(Ok(batch)) => {
                let mut is_changed = batch.lost > 0;
                if is_changed {
                    self.port.events_lost();
                }
                for event in &batch.events {
                    if let KernelEvent::TcpState(change) = event {
                        // Each of them, for what they say is noted.
                        is_changed |= self.port.concerns(change);
                    }
                }
                if is_changed {
                    self.look();
                }
            }
            Input::KernelEvents(Err(error)) => {
                self.kernel.end(&error);
                self.port.without_events();
            }
            Input::KernelEventsDue => {
                if self.kernel.try_again() {
                    self.port.with_events();
                    self.look();
                }
            }
            Input::Look => self.look(),
            Input::Manager(state) => {
                self.asking = None;
                self.becomes(state);
                if self.seen == PortObservation::Absent {
                    self.ask_manager(ASK_AGAIN);
                }
            }
            Input::Shutdown(begins) => {
                match begins {
                    true => info!("the machine is being shut down"),
                    false => info!("the shutdown was called off"),
                }
                self.say(self.shutdown.announcement());
            }
            Input::End => {}
        }
    }

    fn heard(&self, hearing: Hearing) {
        let heard = self.link.heard().map(|heard| &heard.beat);
        let host = heard.map(|beat| beat.host.as_str()).unwrap_or_default();
        match hearing {
            Hearing::Beats => {
                info!(host, gateway = ?heard.map(|beat| beat.gateway), "PC-B is heard");
            }
            Hearing::Silence => warn!(host, "PC-B is silent"),
            Hearing::Never | Hearing::Missing => {}
        }
    }

    fn look(&mut self) {
        match self.port.look() {
            Ok(seen) if seen != self.seen => self.follow(seen),
            Ok(_) => {}
            Err(error) => warn!(%error, "who listens isn't known; asked again"),
        }
    }

    fn follow(&mut self, seen: PortObservation) {
        self.seen = seen;
        self.asking = None;
        match watch::of_port(seen) {
            Some(state) => self.becomes(state),
            None => self.ask_manager(Duration::ZERO),
        }
    }

    fn ask_manager(&mut self, after: Duration) {
        let gateway = self.host.gateway.clone();
        self.asking = Some(Box::pin(async move {
            sleep(after).await;
            watch::of_manager(&gateway).await
        }));
    }

    fn becomes(&mut self, state: GatewayState) {
        if state != self.state {
            info!(?state, "the gateway's state has changed");
            self.state = state;
        }
        self.say(self.shutdown.announcement());
    }

    fn say(&mut self, announcement: Option<Announcement>) {
        self.link.say(self.state, announcement);
    }

    /// A guard that ends in good order is no silence.
    async fn end(&mut self) {
        if self.shutdown.announcement().is_none() {
            self.say(Some(Announcement::Upgrades));
        }
        for _ in 0..LAST_BEATS {
            let _ = timeout(INTERVAL, self.link.next()).await;
        }
        info!("the guard ends; the gateway keeps running");
    }
}
