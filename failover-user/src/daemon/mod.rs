//! The daemon: one loop. It waits for an input, turns that into events, has the decider conclude, carries out
//! what follows, and tells the observers of all of it. The only place that knows everyone, and that decides
//! nothing itself.

pub(crate) mod carry_out;
pub(crate) mod hand_back;
mod handing_back;
pub(crate) mod inputs;
pub(crate) mod orders;
pub(crate) mod receive;
pub(crate) mod reload;
#[cfg(test)]
mod tests;

pub use inputs::reader::Reader;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing::error;

use failover_decide::{Decider, Event, Time};
use failover_linux::{clock, limits, trim::give_back};

use crate::{
    config::Configuration,
    control::Server,
    daemon::{
        handing_back::{GuardAsk, HandBack},
        inputs::{Inputs, Sources},
    },
    gateway::{
        command::{executor::Executor, relay::restore as restore_relays},
        port::{invocation::InvocationMark, view::PortView},
    },
    guard::view::GuardView,
    log::systemd,
    observe::{
        Observers,
        occurrence::{Context, DaemonCourse, Occurrence},
    },
    preflight,
    runtime::{background, parts::Parts},
    state_dir::{StateDir, lock::Refusal},
    status::{context, last_seen::RefusedConfiguration, snapshot::Snapshot},
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
    let guest = configuration.hands_back_to();
    let control = Server::listen(&configuration.control, guest, control).await?;
    let mut daemon = Daemon::new(configuration, state_dir, control, reader, parts)?;
    daemon.begin().await?;
    let started = tokio::spawn(async {
        sleep(STARTED).await;
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
    started.abort();
    daemon.end();
    daemon.observers.alarms.finish().await;
    ended
}

/// The time limit for the last writes at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// By then starting is over, and what it took isn't needed again.
const STARTED: Duration = Duration::from_secs(2);

struct Daemon {
    settings: Settings,
    decider: Decider,
    inputs: Inputs,
    executor: Executor,
    observers: Observers,
    state_dir: StateDir,
    hand_back: HandBack,
    guard_ask: Option<GuardAsk>,
}

/// The configuration in force.
struct Settings {
    configuration: Configuration,
    /// When it was read.
    since: Time,
    /// The one that was read last and is refused.
    refused: Option<RefusedConfiguration>,
}

impl Daemon {
    /// Inside a tokio runtime.
    fn new(
        configuration: Configuration,
        state_dir: StateDir,
        control: Server,
        reader: Arc<Reader>,
        parts: Parts,
    ) -> anyhow::Result<Self> {
        let persisted = state_dir.persisted();
        let primary = configuration.primary.to_string();
        let decider = Decider::after(
            persisted.state(&primary, &armed_for(&configuration)),
            configuration.decide.clone(),
            clock::now(),
        );
        let (supervisor, watchdog) = systemd::from_environment();
        let observers = Observers::new(&configuration, decider.state(), supervisor, parts.clone());
        let mark = InvocationMark::of(&configuration.state_dir);
        let sources = Sources {
            control,
            reader,
            parts,
            watchdog,
            mark: mark.clone(),
            changes: observers.dashboard.changes(),
        };
        let inputs = Inputs::new(&configuration, persisted, sources)?;
        Ok(Self {
            decider,
            inputs,
            executor: Executor::new(
                configuration.commands(),
                configuration.state_dir.clone(),
                mark,
            ),
            observers,
            state_dir,
            hand_back: HandBack::default(),
            guard_ask: None,
            settings: Settings {
                configuration,
                since: clock::now(),
                refused: None,
            },
        })
    }

    /// Polls the port for the first time, and begins to decide.
    async fn begin(&mut self) -> anyhow::Result<()> {
        let state_dir = self.settings.configuration.state_dir.clone();
        // Beside the daemon: the disk may hang.
        drop(background::begin("outputs", move || {
            restore_relays(&state_dir);
        }));
        let observation = self.inputs.port.first_look().await?;
        let kernel_events = self.inputs.kernel.is_on();
        self.observe(&Occurrence::Daemon(DaemonCourse::Begins { kernel_events }));
        self.decide([Event::Port(observation)]);
        let found = self.look_up_routers();
        self.decide(found);
        if !self.decider.persistent_state().routers.is_empty() {
            let judges = self.judges();
            self.inputs.quorum.recall(&judges);
        }
        self.executor.ask_for_force();
        preflight::startup::begin(&self.settings.configuration);
        self.observe(&Occurrence::Daemon(DaemonCourse::Watches));
        Ok(())
    }

    /// Waits for the next thing to happen and deals with it. Cancel-safe: only waiting is cancelled.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    async fn step(&mut self) -> Result<(), Refusal> {
        let input = self
            .inputs
            .next(
                &self.settings.configuration,
                &self.decider,
                &mut self.executor,
                &mut self.state_dir,
            )
            .await;
        self.receive(input)?;
        self.follow_guard();
        self.continue_hand_back();
        self.follow_guard_ask();
        self.state_dir.go_on();
        self.observe(&Occurrence::Turned);
        Ok(())
    }

    fn end(&mut self) {
        self.observe(&Occurrence::Daemon(DaemonCourse::Ends));
        self.state_dir.finish(PATIENCE);
        let totals = self.observers.recorder.totals(clock::now());
        self.observe(&Occurrence::Daemon(DaemonCourse::Ended(&totals)));
    }

    /// Reports an occurrence to every observer.
    fn observe(&mut self, occurrence: &Occurrence) {
        self.observe_at(clock::now(), occurrence);
    }

    fn observe_at(&mut self, now: Time, occurrence: &Occurrence) {
        let context = Context {
            now,
            configuration: &self.settings.configuration,
            decider: &self.decider,
            port: &self.inputs.port,
            persisted: self.state_dir.persisted(),
        };
        self.observers.observe(occurrence, &context);
    }

    /// All that is known now.
    fn snapshot(&self) -> Snapshot {
        let now = clock::now();
        let (settings, inputs, observers) = (&self.settings, &self.inputs, &self.observers);
        context::Context {
            now,
            host: observers.alarms.host(),
            configuration: &settings.configuration,
            configured: settings.since,
            refused: settings.refused.as_ref(),
            decider: &self.decider,
            port: PortView::of(&inputs.port),
            last_seen: &observers.last_seen,
            persisted: self.state_dir.persisted(),
            kept: [observers.recorder.health(), self.state_dir.health()],
            quorum: inputs.quorum.view(&self.judges()),
            port_forward: inputs.port_forward.problem(),
            standby: inputs.standby.last(),
            rounds: inputs.rounds.are_on().then_some(&inputs.rounds),
            guard: GuardView::of(&inputs.guard),
            polling: inputs.kernel.polling().cloned(),
            events_seen: observers.dashboard.events_seen(),
            events_lost: inputs.kernel.lost(),
            totals: observers.recorder.totals(now),
            channels: observers
                .alarms
                .channels()
                .into_iter()
                .chain(inputs.dead_mans_switch())
                .collect(),
            parts: inputs.parts(),
            recent: observers.dashboard.recent(),
        }
        .snapshot()
    }
}

/// What was seen healthy: this primary, asked this.
pub(super) fn armed_for(configuration: &Configuration) -> String {
    format!("{} {}", configuration.primary, configuration.check)
}
