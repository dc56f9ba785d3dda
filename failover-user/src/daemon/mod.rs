//! The daemon: feeds what is seen to the decider and carries out what it decides. The only place
//! that knows everyone, and that decides nothing itself.

pub(crate) mod carry_out;
pub(crate) mod events;
pub(crate) mod judgement;
pub(crate) mod orders;
pub(crate) mod origin;
pub(crate) mod preflight;
pub(crate) mod progress;
pub(crate) mod receive;
pub(crate) mod reload;
pub(crate) mod waiting;

pub use reload::Reader;

use std::{io, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing::{error, info, warn};

use failover_decide::{
    Cause, Command, CommandResult, Decider, Event, GatewayProbeId, Outcome, State, Time,
};
use failover_linux::{
    bpf::load::{Batch, KernelEvents},
    clock, limits,
    sock_diag::bound::Bound,
    trim::give_back,
};

use crate::{
    config::{Configuration, Witness},
    control::{Question, Server},
    daemon::{
        events::{Again, kernel_events, load},
        judgement::Round,
        origin::Origin,
        progress::{Progress, Source, Stall},
        reload::{Reread, Rereading, reread},
        waiting::Waiting,
    },
    gateway::{
        command::{executor::Executor, relay::restore as restore_relays, survivors::Found},
        port::{LocalPort, invocation::Launch},
    },
    history::recorder::Recorder,
    log::{
        lines::{AtMostEachSecond, Losses, Probes, Recent},
        systemd::Supervisor,
    },
    notify::alarms::Alarms,
    primary::{
        Prober, Report,
        local::{LocalProber, LocalReport},
        port_forward::Tunnel,
    },
    runtime::{background, parts::Parts},
    state_dir::{StateDir, lock::Refusal, persisted::Persisted},
    status::{
        Status, snapshot,
        snapshot::{Past, PortView},
        warnings,
    },
    web,
    web::dashboard::Watchers,
    witness::{Answers, Witnesses, router::Router},
};

/// Runs until SIGTERM or SIGINT. A gateway that runs then, or a command in flight, is left alone. On
/// SIGHUP the configuration is read again.
///
/// # Errors
/// When the kernel program is required and can't be loaded, or the kernel can't be asked who
/// listens, or another daemon has the state directory.
pub async fn run(configuration: Configuration, reader: Arc<Reader>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("waiting for SIGHUP")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    limits::raise_descriptors();
    // Before anything of another daemon's can be touched.
    let state_dir = StateDir::open(&configuration.state_dir)?;
    let parts = Parts::default();
    let control = parts.part("the control socket");
    let control = Server::listen(&configuration.control, control).await?;
    let mut daemon = Daemon::new(configuration, state_dir, control, reader, parts)?;
    daemon.begin().await?;
    let settled = tokio::spawn(async {
        sleep(SETTLED).await;
        give_back();
    });
    let ended = loop {
        tokio::select! {
            stepped = daemon.step() => if let Err(refusal) = stepped {
                error!(%refusal, "this daemon ends: it is the second one");
                break Err(refusal.into());
            },
            _ = hangup.recv() => daemon.reread(),
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
        }
    };
    settled.abort();
    daemon.end();
    daemon.alarms.finish().await;
    ended
}

/// What the local gateway bound last, as far as a daemon remembers it in the state directory.
#[must_use]
pub fn bound_before(configuration: &Configuration) -> Vec<Bound> {
    Persisted::load(&configuration.state_dir).bound(&configuration.gateway)
}

/// At its end, the last of what is to be kept may take so long to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// By then starting is over, and what it took isn't needed again.
const SETTLED: Duration = Duration::from_secs(2);

/// Clocks that are read one after the other never differ by so much.
const SUSPENDED: Duration = Duration::from_millis(500);

struct Daemon {
    configuration: Configuration,
    /// When it was read.
    configured: Time,
    decider: Decider,
    prober: Prober,
    local_prober: LocalProber<GatewayProbeId>,
    /// The probe in flight, for the log.
    probe_cause: Option<Cause>,
    origin: Origin,
    witnesses: Witnesses<Round>,
    /// The one that is there by default.
    router: Router,
    /// So many count, as the decider was told.
    counting: Option<u32>,
    /// When they were last asked to see whether they answer.
    witnesses_checked: Option<Time>,
    kernel: Option<KernelEvents>,
    /// When they are tried again, where they can't be had.
    kernel_again: Again,
    port: LocalPort,
    tunnel: Tunnel,
    executor: Executor,
    /// When the process began that listens.
    gateway_began: Option<Time>,
    /// What the command that is about to end has said last.
    last_line: Option<String>,
    /// Why the state changed last, for the commands.
    reason: String,
    /// How long the machine had been suspended when that was last asked.
    suspended: Duration,
    control: Server,
    /// Orders that wait for a probe.
    waiting: Waiting,
    state_dir: StateDir,
    /// When people were last told that it is paused.
    pause_told: Option<Time>,
    /// Since when two gateways serve, as it was logged.
    two_told: Option<Time>,
    supervisor: Supervisor,
    /// How to read the configuration again.
    reader: Arc<Reader>,
    rereading: Rereading,
    past: Past,
    recent: Recent,
    /// Refused binds are told only so often.
    taken: AtMostEachSecond,
    losses: Losses,
    probes: Probes,
    watchers: Watchers,
    recorder: Recorder,
    alarms: Alarms,
    /// What must not end for good.
    parts: Parts,
    /// Whether the loop gets to everything.
    progress: Progress,
    stall: Stall,
}

/// What woke the daemon.
enum Woken {
    Kernel(io::Result<Batch>),
    Probe(Report),
    GatewayProbed(LocalReport<GatewayProbeId>),
    ListenerAsked(Option<LocalReport<()>>),
    Witnesses(Answers<Round>),
    Command(Command, CommandResult),
    /// Somebody looked what a start began.
    Begun(Found),
    Output,
    Question(Question),
    /// An order has waited for long enough.
    Overdue,
    Watched(web::Question),
    Reread(Box<Reread>),
    Lock(Result<(), Refusal>),
    Look,
    /// For the watchdog.
    Turn,
    Time,
}

impl Daemon {
    fn new(
        configuration: Configuration,
        state_dir: StateDir,
        control: Server,
        reader: Arc<Reader>,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let recorder = Recorder::new(
            clock::now(),
            &configuration.state_dir,
            configuration.primary.to_string(),
            configuration.dry_run,
        );
        let mut past = Past {
            kept: vec![recorder.health(), state_dir.health()],
            ..Past::default()
        };
        let mut kernel_again = Again::default();
        let kernel = load(&configuration, &mut past, &mut kernel_again)?;
        let persisted = state_dir.persisted();
        let decider = Decider::after(
            persisted.flaps(&configuration.primary.to_string()),
            persisted.standing(),
            configuration.decide.clone(),
            clock::now(),
        );
        let router = match configuration.witnesses.contains(&Witness::Router) {
            true => Router::after(persisted.routers.clone()),
            false => Router::default(),
        };
        let mark = Launch::of(&configuration.state_dir);
        Ok(Self {
            watchers: Watchers::new(configuration.metrics, decider.state(), parts.clone()),
            decider,
            prober: Prober::new(
                configuration.primary.clone(),
                &configuration.check,
                configuration.decide.timeout,
            )
            .beside(configuration.port)
            .after(persisted.good_addresses(&configuration.primary.to_string())),
            local_prober: LocalProber::new(
                &configuration.local_check,
                configuration.decide.timeout,
            ),
            probe_cause: None,
            origin: Origin::default(),
            witnesses: Witnesses::new(
                configuration.witnesses.clone(),
                configuration.decide.timeout,
            ),
            router,
            counting: None,
            witnesses_checked: None,
            port: LocalPort::new(
                configuration.port,
                kernel.is_some(),
                &configuration.gateway,
                mark.clone(),
                persisted.bound(&configuration.gateway),
            ),
            tunnel: Tunnel::new(&configuration),
            kernel,
            kernel_again,
            executor: Executor::new(
                configuration.commands(),
                configuration.state_dir.clone(),
                mark,
            ),
            gateway_began: None,
            last_line: None,
            reason: String::new(),
            suspended: clock::suspended(),
            control,
            waiting: Waiting::default(),
            state_dir,
            pause_told: None,
            two_told: None,
            supervisor: Supervisor::from_environment(),
            reader,
            rereading: None,
            past,
            recent: Recent::default(),
            taken: AtMostEachSecond::default(),
            losses: Losses::default(),
            probes: Probes::default(),
            recorder,
            alarms: Alarms::new(&configuration, parts.clone()),
            parts,
            progress: Progress::default(),
            stall: Stall::default(),
            configuration,
            configured: clock::now(),
        })
    }

    /// Looks at the port for the first time, and begins to decide.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let state_dir = self.configuration.state_dir.clone();
        // Beside the daemon: the disk may hang.
        drop(background::begin("outputs", move || {
            restore_relays(&state_dir);
        }));
        let gateway = self.port.first_look().await?;
        self.recorder.begin();
        self.recall();
        info!(
            primary = %self.configuration.primary,
            check = self.configuration.check.name(),
            local_check = self.configuration.local_check.name(),
            port = self.configuration.port,
            kernel_events = if self.kernel.is_some() { "on" } else { "off" },
            dry_run = self.configuration.dry_run,
            listening = self.port.is_listening(),
            "watching"
        );
        if !self.decider.is_armed() {
            warn!(
                primary = %self.configuration.primary,
                "the primary was never seen healthy, so nothing is taken over until it is: its address may be wrong; see --arm"
            );
        }
        if self.decider.release_needs() > 1 {
            warn!(
                successes = self.decider.release_needs(),
                "the primary flapped before this daemon started: its next release takes so many successes in a row"
            );
        }
        self.handle(Event::Port(gateway));
        self.note_gateway(gateway);
        self.recall_router();
        self.count_witnesses();
        self.tell_of_strangers();
        self.executor.ask_for_force();
        self.alarms.begin(&self.decider);
        preflight::begin(&self.configuration);
        self.supervisor.ready();
        self.supervisor.turned(&self.decider);
        Ok(())
    }

    fn end(&mut self) {
        self.supervisor.stopping();
        self.recorder.end(clock::now());
        self.state_dir.finish(PATIENCE);
        let totals = self.recorder.totals(clock::now());
        info!(
            state = self.decider.state().name(),
            takeovers = totals.takeovers,
            releases = totals.releases,
            no_gateway = format_args!("{:.1?}", totals.no_gateway),
            dual_active = format_args!("{:.1?}", totals.dual_active),
            listening = self.port.is_listening(),
            "ending; a gateway that runs goes on"
        );
    }

    /// Waits for the next thing to happen and deals with it. Cancel-safe: only waiting is cancelled.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    async fn step(&mut self) -> Result<(), Refusal> {
        let woken = self.woken().await;
        // A look at the holders' connections may have ended while nothing else happened.
        self.past.tunnel = self.tunnel.problem();
        self.notice_suspend();
        match woken {
            Woken::Kernel(Ok(batch)) => {
                self.progress.made(Source::KernelEvents);
                self.kernel_events(&batch);
            }
            Woken::Kernel(Err(error)) => {
                error!(%error, "kernel events are lost from now on; looking at the port instead");
                self.kernel_events_ended(&error);
            }
            Woken::Probe(Report::Ended {
                probe,
                outcome,
                peer,
                readiness,
                certificate,
            }) => {
                self.progress.made(Source::Probe);
                let outcome = self.attributed(outcome, peer, readiness.as_ref());
                // What another one says of itself is none of the primary's.
                let readiness = readiness.filter(|_| !matches!(outcome, Outcome::Unknown { .. }));
                if let (Outcome::Connected { .. }, Some(peer)) = (&outcome, peer) {
                    self.prober.answered(peer);
                }
                self.note_certificate(certificate);
                self.note_readiness(&outcome, readiness);
                self.probe_ended(probe, outcome);
                self.answer_waiting();
            }
            Woken::Probe(Report::Tripped(evidence)) => {
                info!(%evidence, "the connection to the primary has died");
                self.note(&format!("tripwire: {evidence}"));
                self.handle(Event::Evidence(evidence, clock::now()));
            }
            Woken::GatewayProbed(report) => {
                self.progress.made(Source::GatewayProbe);
                self.gateway_probed(report);
            }
            Woken::ListenerAsked(report) => {
                if let Some(report) = report {
                    self.tunnel
                        .answered(&report, self.past.readiness.as_ref(), &self.port);
                }
            }
            Woken::Witnesses(answers) => {
                self.progress.made(Source::Witnesses);
                self.witnesses_asked(&answers);
            }
            Woken::Command(command, result) => {
                self.progress.made(Source::Command);
                self.command_ended(command, result);
            }
            Woken::Begun(found) => self.start_seen(&found),
            Woken::Output => {
                self.progress.made(Source::Output);
                self.executor.log_output(false);
            }
            Woken::Question(question) => self.answer(question),
            Woken::Overdue => self.answer_overdue(),
            Woken::Watched(question) => self.watchers.answer(question, self.status()),
            Woken::Reread(read) => self.reread_ended(*read),
            Woken::Look => self.look(),
            Woken::Lock(acquired) => acquired?,
            Woken::Turn => {}
            Woken::Time => self.handle(Event::Woke),
        }
        self.remind_of_pause();
        self.state_dir.go_on();
        self.recorder.go_on();
        self.past.tunnel = self.tunnel.problem();
        self.try_kernel_events();
        self.tell_of_two();
        self.supervisor.turned(&self.decider);
        if self.supervisor.wants_to_be_fed() && self.gets_on() {
            self.supervisor.feed();
        }
        Ok(())
    }

    async fn woken(&mut self) -> Woken {
        let wake = self
            .decider
            .next_wake()
            .map(|wake| wake.since(clock::now()));
        let matters = !matches!(self.decider.state(), State::Standby | State::Suspect { .. });
        let look = self
            .port
            .next_look(matters, self.configuration.decide.recovery_interval);
        let stall = self.stall;
        let is_busy = self.executor.is_busy();
        let (ended, output, begun) = self.executor.awaited();
        tokio::select! {
            batch = stall.pass(Source::KernelEvents, kernel_events(&mut self.kernel)) => Woken::Kernel(batch),
            report = stall.pass(Source::Probe, self.prober.next()) => Woken::Probe(report),
            report = stall.pass(Source::GatewayProbe, self.local_prober.next()) => Woken::GatewayProbed(report),
            report = stall.pass(Source::Tunnel, self.tunnel.answer()) => Woken::ListenerAsked(report),
            answers = stall.pass(Source::Witnesses, self.witnesses.next()) => Woken::Witnesses(answers),
            (command, result) = stall.pass(Source::Command, ended) => Woken::Command(command, result),
            found = begun => Woken::Begun(found),
            () = stall.pass(Source::Output, output) => Woken::Output,
            question = stall.pass(Source::ControlSocket, self.control.next()) => Woken::Question(question),
            () = pause(self.waiting.next()) => Woken::Overdue,
            question = stall.pass(Source::Page, self.watchers.next()) => Woken::Watched(question),
            read = reread(&mut self.rereading) => Woken::Reread(Box::new(read)),
            acquired = self.state_dir.acquired() => Woken::Lock(acquired),
            () = stall.pass(Source::Look, pause(look)) => Woken::Look,
            () = stall.pass(Source::Look, self.port.told_of_end(matters)) => Woken::Look,
            () = stall.pass(Source::Time, pause(wake)) => Woken::Time,
            () = pause(self.supervisor.next_turn()) => Woken::Turn,
            () = pause(self.kernel_again.next()), if !is_busy => Woken::Turn,
        }
    }

    /// That two gateways serve is logged once, with what becomes of it.
    fn tell_of_two(&mut self) {
        let now = clock::now();
        let two = snapshot::two_serve(&self.configuration, &self.decider, now);
        match (self.two_told, two) {
            (None, Some(since)) => {
                self.two_told = Some(since);
                warn!(
                    since = clock::told(since),
                    primary = %self.configuration.primary,
                    local = self.port.held_by(),
                    ends = snapshot::ends(&self.configuration, &self.decider),
                    "two gateways serve"
                );
            }
            (Some(since), None) if self.decider.two_serve().is_none() => {
                self.two_told = None;
                info!(
                    after = format_args!("{:.1?}", now.since(since)),
                    "at most one gateway serves again"
                );
            }
            _ => {}
        }
    }

    /// Before anything else is told: timers and connections mean nothing across a suspend.
    fn notice_suspend(&mut self) {
        let suspended = clock::suspended();
        let slept = suspended.saturating_sub(self.suspended);
        self.suspended = suspended;
        self.progress.suspended(slept);
        if slept >= SUSPENDED {
            warn!(
                slept = format_args!("{slept:.1?}"),
                "the machine was suspended; strikes start again"
            );
            self.handle(Event::Suspended);
        }
    }

    /// All that is known, in one document.
    fn status(&self) -> Status {
        let port = PortView::of(&self.port);
        let mut status = snapshot::status(
            &self.configuration,
            &self.decider,
            &port,
            &self.past,
            self.state_dir.persisted(),
            &self.reason,
        );
        self.alarms.host().clone_into(&mut status.host);
        status.witnesses = self.witnesses_word();
        status.totals = snapshot::totals(&self.recorder.totals(clock::now()));
        let ways = self.alarms.channels();
        status.warnings = warnings::warnings(
            &ways,
            self.past.refused.as_ref(),
            &self.parts,
            port.looks_since,
        );
        status.warnings.extend(warnings::beside(&port.beside));
        status.configuration = Some(warnings::in_force(
            self.configured,
            self.past.refused.as_ref(),
        ));
        status.notifiers = ways.iter().map(warnings::notifier).collect();
        self.watchers.add_to(&mut status);
        status
    }
}

async fn pause(duration: Option<Duration>) {
    match duration {
        // A timer's first turn comes later: too late for who is given another one after each event.
        Some(Duration::ZERO) => {}
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}
