//! The daemon: feeds what is seen to the decider and carries out what it decides. The only place
//! that knows everyone, and that decides nothing itself.

pub(crate) mod carry_out;
pub(crate) mod inputs;
pub(crate) mod orders;
pub(crate) mod receive;
pub(crate) mod reload;

pub use inputs::reader::Reader;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing::{error, info, warn};

use failover_decide::{Decider, Event, Judges, Time};
use failover_linux::{clock, limits, trim::give_back};

use crate::{
    config::Configuration,
    control::Server,
    daemon::inputs::{Inputs, Sources},
    gateway::{
        command::{executor::Executor, relay::restore as restore_relays},
        port::invocation::Launch,
    },
    history::recorder::Recorder,
    log::{
        lines::{Losses, Probes, Recent},
        systemd,
        systemd::Supervisor,
    },
    notify::alarms::Alarms,
    preflight,
    runtime::{background, parts::Parts},
    state_dir::{StateDir, lock::Refusal},
    status,
    status::{
        Status, snapshot,
        snapshot::{Past, PortView},
        warnings,
    },
    web::dashboard::Dashboard,
    witness::quorum::Quorum,
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
            _ = hangup.recv() => daemon.reload(),
            _ = interrupt.recv() => break Ok(()),
            _ = terminate.recv() => break Ok(()),
        }
    };
    settled.abort();
    daemon.end();
    daemon.alarms.finish().await;
    ended
}

/// At its end, the last of what is to be kept may take so long to be written.
const PATIENCE: Duration = Duration::from_secs(2);

/// By then starting is over, and what it took isn't needed again.
const SETTLED: Duration = Duration::from_secs(2);

struct Daemon {
    configuration: Configuration,
    /// When it was read.
    configured: Time,
    decider: Decider,
    inputs: Inputs,
    executor: Executor,
    state_dir: StateDir,
    /// What the command that is about to end has said last.
    last_line: Option<String>,
    /// Why the state changed last, for the commands.
    reason: String,
    /// When people were last told that it is paused.
    pause_told: Option<Time>,
    /// Since when two gateways serve, as it was logged.
    two_told: Option<Time>,
    supervisor: Supervisor,
    past: Past,
    recent: Recent,
    losses: Losses,
    probes: Probes,
    dashboard: Dashboard,
    recorder: Recorder,
    alarms: Alarms,
    /// What must not end for good.
    parts: Parts,
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
        let past = Past {
            kept: vec![recorder.health(), state_dir.health()],
            ..Past::default()
        };
        let persisted = state_dir.persisted();
        let primary = configuration.primary.to_string();
        let decider = Decider::after(
            persisted.state(&primary, &orders::armed_for(&configuration)),
            configuration.decide.clone(),
            clock::now(),
        );
        let mark = Launch::of(&configuration.state_dir);
        let (supervisor, watchdog) = systemd::from_environment();
        let dashboard = Dashboard::new(decider.state());
        let sources = Sources {
            control,
            reader,
            parts: parts.clone(),
            watchdog,
            mark: mark.clone(),
            changes: dashboard.changes(),
        };
        Ok(Self {
            decider,
            inputs: Inputs::new(&configuration, persisted, sources)?,
            executor: Executor::new(
                configuration.commands(),
                configuration.state_dir.clone(),
                mark,
            ),
            state_dir,
            last_line: None,
            reason: String::new(),
            pause_told: None,
            two_told: None,
            supervisor,
            past,
            recent: Recent::default(),
            losses: Losses::default(),
            probes: Probes::default(),
            dashboard,
            recorder,
            alarms: Alarms::new(&configuration, parts.clone()),
            parts,
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
        let gateway = self.inputs.port.first_look().await?;
        self.recorder.begin();
        info!(
            primary = %self.configuration.primary,
            check = self.configuration.check.name(),
            local_check = self.configuration.local_check.name(),
            port = self.configuration.port,
            kernel_events = if self.inputs.kernel.is_on() { "on" } else { "off" },
            dry_run = self.configuration.dry_run,
            listening = self.inputs.port.is_listening(),
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
        if let Some(found) = self.look_up_routers() {
            self.handle(found);
        }
        if !self.decider.persistent_state().routers.is_empty() {
            let judges = self.judges();
            self.inputs.quorum.recall(&judges);
        }
        self.tell_of_strangers();
        self.executor.ask_for_force();
        self.alarms.begin(&self.decider);
        preflight::startup::begin(&self.configuration);
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
            listening = self.inputs.port.is_listening(),
            "ending; a gateway that runs goes on"
        );
    }

    /// Waits for the next thing to happen and deals with it. Cancel-safe: only waiting is cancelled.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    async fn step(&mut self) -> Result<(), Refusal> {
        let input = self
            .inputs
            .next(
                &self.configuration,
                &self.decider,
                &mut self.executor,
                &mut self.state_dir,
            )
            .await;
        self.receive(input)?;
        self.remind_of_pause();
        self.state_dir.go_on();
        self.recorder.go_on();
        self.tell_of_two();
        self.supervisor.turned(&self.decider);
        Ok(())
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
                    local = self.inputs.port.held_by(),
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

    /// All that is known, in one document.
    fn status(&mut self) -> Status {
        let inputs = &self.inputs;
        self.past.tunnel = inputs.port_forward.problem();
        self.past.polling = inputs.kernel.polling().map(str::to_owned);
        self.past.lost = inputs.kernel.lost();
        self.past.witnesses = inputs.quorum.last().cloned();
        let port = PortView::of(&self.inputs.port);
        let mut status = snapshot::status(
            &self.configuration,
            &self.decider,
            &port,
            &self.past,
            self.state_dir.persisted(),
            &self.reason,
        );
        self.alarms.host().clone_into(&mut status.host);
        status.witnesses = witnesses(&self.inputs.quorum, &self.judges());
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
        self.dashboard.add_to(&mut status);
        status
    }
}

/// What is known of them, for people; `None` where there are none.
fn witnesses(quorum: &Quorum, judges: &Judges) -> Option<status::Witnesses> {
    let needed = quorum.needed(judges)?;
    let last = quorum.last();
    let votes = last.iter().flat_map(|last| &last.votes);
    let router = quorum.router(judges).map(|mut router| {
        if router.counts && last.is_some_and(|last| last.router_is_silent) {
            router
                .why
                .push_str("; it was silent when it was asked last");
        }
        status::Router {
            addresses: router.addresses,
            counts: router.counts,
            why: router.why,
        }
    });
    Some(status::Witnesses {
        quorum: needed,
        answered: last.map(|last| last.answered),
        at: last.map(|last| clock::told(last.at)),
        names: quorum.names().collect(),
        answers: votes
            .map(|vote| status::Testimony {
                witness: vote.witness.clone(),
                answered: vote.answered,
                said: vote.said.clone(),
            })
            .collect(),
        router,
    })
}
