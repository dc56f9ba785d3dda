//! The guard on PC-A: watches its gateway, tells PC-B, and asks PC-B for a release before it starts. It starts and stops
//! nothing, and the gateway doesn't depend on it.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};

use anyhow::{Context as _, bail};
use rustix::process::geteuid;
use tokio::{
    net::lookup_host,
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep, timeout},
};
use tracing::{info, warn};

use failover_decide::{PortObservation, Time};
use failover_guard::{
    ask::{Ask, AskId, What},
    beat::{Announcement, GatewayState},
};
use failover_linux::{
    bpf::{event::KernelEvent, load::Batch},
    clock,
};

use crate::{
    config::GuardedHost,
    control::{LET_GO_WITHIN, Pending, Request, Server},
    gateway::port::{LocalPort, invocation::InvocationMark},
    guard::{
        asking::{Asking, LetGo},
        keys::Keys,
        link::{Hearing, Link, microseconds, nonce},
        shutdown::Shutdown,
        watch,
    },
    kernel_events::{self, KernelSource},
    log::systemd,
    runtime::parts::Parts,
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
/// A gateway that PC-B has released its own for comes up within this time, where no service manager can be asked whether it does.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// An end is announced this often: a datagram may be lost.
const LAST_BEATS: u32 = 3;

/// The guard. See the module.
struct Guard {
    host: GuardedHost,
    link: Link,
    port: LocalPort,
    kernel: KernelSource,
    shutdown: Shutdown,
    control: Server,
    seen: PortObservation,
    state: GatewayState,
    /// The service manager's answer, while it is awaited.
    manager: Option<Answering>,
    /// What PC-B is asked for.
    asking: Option<Asking>,
    /// The gateway is about to start, until this time.
    starts_until: Option<Time>,
}

type Answering = Pin<Box<dyn Future<Output = GatewayState>>>;

/// What woke the guard.
enum Input {
    Heard(Hearing),
    KernelEvents(io::Result<Batch>),
    /// Kernel events may be had again.
    KernelEventsDue,
    Look,
    Manager(GatewayState),
    Shutdown(bool),
    /// Somebody asks the guard.
    Asked(Pending),
    /// What PC-B is asked for must be looked at.
    AskDue,
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
    // Who asks while PC-B's name is looked up has to wait.
    let guest = Some(host.gateway.uid()).filter(|account| *account != 0);
    let part = Parts::default().part("the control socket");
    let control = Server::listen(&host.control, guest, part).await?;
    // At boot, gateways are started after this, so that each finds the socket.
    systemd::from_environment().0.ready();
    let Some(address) = looked_up(&peer, &mut terminate).await else {
        return Ok(());
    };
    let link = Link::to(address, ring, INTERVAL).context("the socket for heartbeats")?;
    let mut guard = Guard::new(host, link, control).await?;
    info!(peer, %address, port = guard.host.port.get(), "guarding the gateway");
    loop {
        match guard.next(&mut terminate, &mut interrupt).await {
            Input::End => break,
            input => {
                guard.receive(input);
                guard.follow_ask();
            }
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
    async fn new(host: GuardedHost, link: Link, control: Server) -> anyhow::Result<Self> {
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
            control,
            seen,
            state: GatewayState::Unknown,
            manager: None,
            asking: None,
            starts_until: None,
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
            match &mut self.manager {
                Some(manager) => manager.as_mut().await,
                None => std::future::pending().await,
            }
        };
        let due = self.asking.as_ref().map(Asking::next);
        let due = async {
            match due {
                Some(due) => sleep(due.since(clock::now())).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            hearing = self.link.next() => Input::Heard(hearing),
            batch = self.kernel.next() => Input::KernelEvents(batch),
            () = attempt => Input::KernelEventsDue,
            state = manager => Input::Manager(state),
            begins = self.shutdown.next() => Input::Shutdown(begins),
            pending = self.control.next() => Input::Asked(pending),
            () = due => Input::AskDue,
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
                self.manager = None;
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
            Input::Asked(pending) => self.asked(pending),
            Input::AskDue | Input::End => {}
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
        self.manager = None;
        match watch::of_port(seen) {
            Some(state) => self.becomes(state),
            None => self.ask_manager(Duration::ZERO),
        }
    }

    fn ask_manager(&mut self, after: Duration) {
        let gateway = self.host.gateway.clone();
        self.manager = Some(Box::pin(async move {
            sleep(after).await;
            watch::of_manager(&gateway).await
        }));
    }

    fn becomes(&mut self, state: GatewayState) {
        let state = self.with_start(state);
        if state != self.state {
            info!(?state, "the gateway's state has changed");
            self.state = state;
        }
        self.say(self.shutdown.announcement());
    }

    /// A gateway whose start is waited for hasn't ended, whatever is still known of the one before.
    fn with_start(&mut self, state: GatewayState) -> GatewayState {
        if state.serves() {
            self.starts_until = None;
        }
        self.starts_until.take_if(|until| *until <= clock::now());
        match self.starts_until.is_some() || (self.asking.is_some() && !state.serves()) {
            true => GatewayState::Starting,
            false => state,
        }
    }

    // --- asking PC-B -------------------------------------------------------------------------

    /// Root may, and the gateway's account, whose gateway it is.
    fn asked(&mut self, pending: Pending) {
        let own = [0, geteuid().as_raw(), self.host.gateway.uid()];
        let error = match pending.request {
            Request::LetGo { seconds } if own.contains(&pending.asker) => {
                let within = Duration::from_secs(seconds).min(LET_GO_WITHIN);
                return self.let_go(pending, clock::now() + within);
            }
            Request::LetGo { .. } => "only root and the gateway's account may ask this",
            Request::Status
            | Request::Pause { .. }
            | Request::Resume
            | Request::Takeover { .. }
            | Request::Drill
            | Request::Sync { .. }
            | Request::HandBack
            | Request::Release { .. } => {
                "this is PC-A's guard; it doesn't answer this: ask the daemon on PC-B"
            }
        };
        pending.answer(serde_json::json!({ "error": error }).to_string());
    }

    fn let_go(&mut self, pending: Pending, until: Time) {
        let now = clock::now();
        let asking = match self.asking.take() {
            Some(asking) => asking,
            None => {
                info!("the gateway is about to start; asking PC-B to release its own");
                // Without random numbers the time is as good: it names it, and keeps nobody out.
                let id = nonce().map_or(microseconds(now.as_duration()), |nonce| nonce.0);
                let is_known = self.link.hearing() != Hearing::Never;
                let what = What::LetGo;
                Asking::new(
                    Ask {
                        id: AskId(id),
                        what,
                    },
                    now,
                    is_known,
                )
            }
        };
        self.link.ask(Some(asking.ask));
        self.asking.insert(asking).wait(pending, until);
        if !self.state.serves() {
            // What the service manager said last was before the start.
            self.becomes(GatewayState::Starting);
            self.manager = None;
            self.ask_manager(ASK_AGAIN);
        }
    }

    /// Tells who waits, once there is something to tell.
    fn follow_ask(&mut self) {
        let Some(asking) = &mut self.asking else {
            return;
        };
        let now = clock::now();
        let answered = self.link.answered(asking.ask.id);
        let ended = answered.and_then(|(answer, at)| asking.heard(answer, at));
        let is_heard = self.link.hearing() == Hearing::Beats;
        let ended = ended.or_else(|| asking.given_up(now, is_heard));
        let ended = ended.or_else(|| {
            let (overdue, told) = asking.overdue(now);
            tell(overdue, &told);
            asking.is_forgotten().then_some(told)
        });
        let Some(ended) = ended else { return };
        info!(?ended, "asked PC-B to release its gateway");
        let everybody = self.asking.take().map(Asking::everybody);
        tell(everybody.unwrap_or_default(), &ended);
        self.link.ask(None);
        if self.host.gateway.unit.is_none() && !self.state.serves() {
            self.starts_until = Some(now + STARTS_WITHIN);
        }
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

fn tell(waiting: Vec<Pending>, ended: &LetGo) {
    for pending in waiting {
        pending.answer(serde_json::to_string(ended).unwrap_or_default());
    }
}
