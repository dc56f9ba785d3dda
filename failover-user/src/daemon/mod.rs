//! The daemon: feeds what is seen to the decider and carries out what it decides. The only place
//! that knows everyone, and that decides nothing itself.

mod agreement;
mod alarms;
mod claim;
mod commands;
mod events;
mod evidence;
mod judgement;
mod ledger;
mod lingering;
mod memory;
mod orders;
mod port;
mod preflight;
mod recorder;
mod reload;
mod router;
mod settling;
mod snapshot;
mod start;
mod supervisor;
mod tell;
mod tunnel;
mod watchers;
mod writer;

use std::{collections::VecDeque, fs::File, io, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing::{debug, error, info, warn};

use crate::{
    clock,
    config::Configuration,
    control::{Question, Server, ServerError},
    decide::{
        Action, Cause, Command, CommandResult, Decider, Event, Gateway, GatewayProbeId, Hold,
        Outcome, ProbeId, State, Time,
    },
    escape::Escaped,
    gateway::{CommandOutput, Force, Launch},
    kernel::{Batch, Bind, KernelEvent, KernelEvents},
    probe::{Answers, LocalProber, LocalReport, Prober, Readiness, Report, Witnesses},
    resident::give_back,
    status::Status,
    web,
};
use alarms::Alarms;
use commands::{Listening, Running, command_ended};
use events::{kernel_events, load};
use judgement::Round;
use memory::{Memory, MemoryFile};
use port::LocalPort;
use recorder::Recorder;
pub use reload::Reader;
use reload::{Reread, Rereading, reread};
use router::Router;
use snapshot::Past;
use supervisor::Supervisor;
use tell::{AtMostEachSecond, Losses, Probes, Recent};
use tunnel::Tunnel;
use watchers::Watchers;

/// Runs until SIGTERM or SIGINT. A gateway that runs then, or a command in flight, is left alone. On
/// SIGHUP the configuration is read again.
///
/// # Errors
/// When the kernel program is required and can't be loaded, or the kernel can't be asked who
/// listens.
pub async fn run(configuration: Configuration, reader: Arc<Reader>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup()).context("waiting for SIGHUP")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("waiting for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("waiting for SIGTERM")?;
    let control = listen(&configuration).await?;
    let mut daemon = Daemon::new(configuration, control, reader)?;
    daemon.begin()?;
    let settled = tokio::spawn(async {
        sleep(SETTLED).await;
        give_back();
    });
    loop {
        tokio::select! {
            () = daemon.step() => {}
            _ = hangup.recv() => daemon.reread(),
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    settled.abort();
    daemon.end();
    daemon.alarms.finish().await;
    Ok(())
}

/// By then starting is over, and what it took isn't needed again.
const SETTLED: Duration = Duration::from_secs(2);

/// Clocks that are read one after the other never differ by so much.
const SUSPENDED: Duration = Duration::from_millis(500);

struct Daemon {
    configuration: Configuration,
    decider: Decider,
    prober: Prober,
    local_prober: LocalProber<GatewayProbeId>,
    /// The probe in flight, for the log.
    probe_cause: Option<Cause>,
    witnesses: Witnesses<Round>,
    /// The one that is there by default.
    router: Router,
    /// So many count, as the decider was told.
    counting: Option<u32>,
    /// When they were last asked to see whether they answer.
    witnesses_checked: Option<Time>,
    kernel: Option<KernelEvents>,
    port: LocalPort,
    tunnel: Tunnel,
    command: Option<Running>,
    /// Output of the last start: the gateway that it left behind may still write there.
    output: Option<CommandOutput>,
    listening: Listening,
    /// Whether the stop command needs `--force`, where that depends on what is installed.
    force: Option<Force>,
    /// Why the state changed last, for the commands.
    reason: String,
    /// How long the machine had been suspended when that was last asked.
    suspended: Duration,
    /// `None` where there is no place for it: decisions go on.
    control: Option<Server>,
    _claim: Option<File>,
    memory: Memory,
    memory_file: MemoryFile,
    /// When people were last told that it is paused.
    pause_told: Option<Time>,
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
}

/// What woke the daemon.
enum Woken {
    Kernel(io::Result<Batch>),
    Probe(Report),
    GatewayProbed(LocalReport<GatewayProbeId>),
    ListenerAsked(LocalReport<()>),
    Witnesses(Answers<Round>),
    Command(Command, CommandResult),
    Output,
    Question(Question),
    Watched(web::Question),
    Reread(Box<Reread>),
    Look,
    /// For the watchdog.
    Turn,
    Time,
}

impl Daemon {
    fn new(
        configuration: Configuration,
        control: Option<Server>,
        reader: Arc<Reader>,
    ) -> anyhow::Result<Self> {
        let claim = claim::claim(&configuration.state_dir)?;
        let recorder = Recorder::new(
            clock::now(),
            &configuration.state_dir,
            configuration.primary.to_string(),
            configuration.dry_run,
        );
        let mut past = Past {
            history: recorder.health(),
            ..Past::default()
        };
        let kernel = load(&configuration, &mut past)?;
        let memory_file = MemoryFile::in_directory(&configuration.state_dir);
        let memory = memory_file.load();
        let decider = Decider::new(configuration.decide.clone(), clock::now());
        Ok(Self {
            watchers: Watchers::new(configuration.metrics, decider.state()),
            decider,
            prober: Prober::new(
                configuration.primary.clone(),
                &configuration.check,
                configuration.decide.timeout,
            ),
            local_prober: LocalProber::new(&configuration.check, configuration.decide.timeout),
            probe_cause: None,
            witnesses: Witnesses::new(
                configuration.witnesses.clone(),
                configuration.decide.timeout,
            ),
            router: Router::default(),
            counting: None,
            witnesses_checked: None,
            port: LocalPort::new(
                configuration.port,
                kernel.is_some(),
                configuration.gateway.identity.clone(),
                Launch::of(&configuration.state_dir),
            ),
            tunnel: Tunnel::new(&configuration),
            kernel,
            command: None,
            output: None,
            listening: Listening::default(),
            force: commands::force(&configuration.gateway),
            reason: String::new(),
            suspended: clock::suspended(),
            control,
            _claim: claim,
            memory,
            memory_file,
            pause_told: None,
            supervisor: Supervisor::from_environment(),
            reader,
            rereading: None,
            past,
            recent: Recent::default(),
            taken: AtMostEachSecond::default(),
            losses: Losses::default(),
            probes: Probes::default(),
            recorder,
            alarms: Alarms::new(&configuration),
            configuration,
        })
    }

    /// Looks at the port for the first time, and begins to decide.
    fn begin(&mut self) -> anyhow::Result<()> {
        let gateway = self.port.look()?;
        self.recorder.begin();
        self.recall();
        info!(
            primary = %self.configuration.primary,
            check = self.configuration.check.name(),
            port = self.configuration.port,
            kernel_events = if self.kernel.is_some() { "on" } else { "off" },
            dry_run = self.configuration.dry_run,
            listening = self.port.is_listening(),
            "armed"
        );
        if !self.decider.is_armed() {
            warn!(
                primary = %self.configuration.primary,
                "the primary was never seen healthy, so nothing is taken over until it is: its address may be wrong; see --arm"
            );
        }
        self.handle(Event::Gateway(gateway));
        self.count_witnesses();
        self.tell_of_strangers();
        self.ask_for_force();
        self.alarms.begin(&self.decider);
        preflight::begin(&self.configuration);
        self.supervisor.ready();
        self.supervisor.turned(&self.decider);
        Ok(())
    }

    fn end(&mut self) {
        self.supervisor.stopping();
        self.recorder.end(clock::now());
        let totals = self.recorder.totals(clock::now());
        info!(
            state = self.decider.state().name(),
            takeovers = totals.takeovers,
            releases = totals.releases,
            no_gateway = ?totals.no_gateway,
            dual_active = ?totals.dual_active,
            listening = self.port.is_listening(),
            "ending; a gateway that runs goes on"
        );
    }

    /// Waits for the next thing to happen and deals with it. Cancel-safe: only waiting is cancelled.
    async fn step(&mut self) {
        let woken = self.woken().await;
        self.notice_suspend();
        match woken {
            Woken::Kernel(Ok(batch)) => self.kernel_events(&batch),
            Woken::Kernel(Err(error)) => {
                error!(%error, "kernel events are lost from now on; looking at the port instead");
                self.past.polling = Some(error.to_string());
                self.kernel = None;
                self.port.without_events();
            }
            Woken::Probe(Report::Ended {
                probe,
                outcome,
                readiness,
            }) => {
                self.note_readiness(&outcome, readiness);
                self.probe_ended(probe, outcome);
            }
            Woken::Probe(Report::Tripped(evidence)) => {
                info!(%evidence, "the connection to the primary has died");
                self.note(&format!("tripwire: {evidence}"));
                self.handle(Event::Evidence(evidence));
            }
            Woken::GatewayProbed(report) => self.gateway_probed(report),
            Woken::ListenerAsked(report) => {
                self.tunnel
                    .answered(&report, self.past.readiness.as_ref(), &self.port);
                self.past.tunnel = self.tunnel.problem();
            }
            Woken::Witnesses(answers) => self.witnesses_asked(&answers),
            Woken::Command(command, result) => self.command_ended(command, result),
            Woken::Output => self.tell_output(false),
            Woken::Question(question) => self.answer(question),
            Woken::Watched(question) => self.watchers.answer(question, self.status()),
            Woken::Reread(read) => self.reread_ended(*read),
            Woken::Look => self.look(),
            Woken::Turn => {}
            Woken::Time => self.handle(Event::Woke),
        }
        self.remind_of_pause();
        self.supervisor.turned(&self.decider);
    }

    async fn woken(&mut self) -> Woken {
        let wake = self
            .decider
            .next_wake()
            .map(|wake| wake.since(clock::now()));
        let matters = !matches!(self.decider.state(), State::Standby | State::Suspect { .. });
        let look = self.port.next_look(matters, &self.configuration.decide);
        tokio::select! {
            batch = kernel_events(&mut self.kernel) => Woken::Kernel(batch),
            report = self.prober.next() => Woken::Probe(report),
            report = self.local_prober.next() => Woken::GatewayProbed(report),
            report = self.tunnel.answer() => Woken::ListenerAsked(report),
            answers = self.witnesses.next() => Woken::Witnesses(answers),
            (command, result) = command_ended(&mut self.command) => Woken::Command(command, result),
            () = self.listening.due() => Woken::Output,
            question = question(&mut self.control) => Woken::Question(question),
            question = self.watchers.next() => Woken::Watched(question),
            read = reread(&mut self.rereading) => Woken::Reread(Box::new(read)),
            () = pause(look) => Woken::Look,
            () = self.port.told_of_end(matters) => Woken::Look,
            () = pause(wake) => Woken::Time,
            () = pause(self.supervisor.next_turn()) => Woken::Turn,
        }
    }

    /// Before anything else is told: timers and connections mean nothing across a suspend.
    fn notice_suspend(&mut self) {
        let suspended = clock::suspended();
        let slept = suspended.saturating_sub(self.suspended);
        self.suspended = suspended;
        if slept >= SUSPENDED {
            warn!(?slept, "the machine was suspended; strikes start again");
            self.handle(Event::Suspended);
        }
    }

    // --- what is seen ------------------------------------------------------------------------

    fn kernel_events(&mut self, batch: &Batch) {
        let mut port_changed = batch.lost > 0;
        if batch.lost > 0 {
            self.port.events_lost();
        }
        self.past.lost = self.past.lost.saturating_add(batch.lost);
        self.losses.note(batch.lost);
        self.watchers.kernel_events(batch.events.len());
        for event in &batch.events {
            let change = match event {
                KernelEvent::TcpState(change) => change,
                KernelEvent::Bind(bind) => {
                    self.bind(bind);
                    continue;
                }
            };
            if self.port.concerns(change) {
                port_changed = true;
                self.watchers.listener(change);
            }
            let evidence = evidence::of(
                change,
                self.prober.addresses(),
                self.configuration.primary.port,
            );
            if let Some(evidence) = evidence {
                let told = format!(
                    "{evidence} ({}, pid {})",
                    Escaped(&change.origin.comm),
                    change.origin.pid.unwrap_or(0),
                );
                self.note(&told);
                self.handle(Event::Evidence(evidence));
            }
        }
        if port_changed {
            self.look();
        }
    }

    /// Something happened on a connection to the primary.
    fn note(&mut self, what: &str) {
        self.recent.note(what);
        self.recorder.note(clock::now(), what);
        self.watchers.evidence(what);
    }

    /// A command is in flight, or the gateway it started doesn't listen yet.
    fn is_starting(&self) -> bool {
        self.command.is_some() || matches!(self.decider.state(), State::Starting { .. })
    }

    /// Asks the kernel to tell binds, which isn't free everywhere.
    fn ask_for_binds(&mut self, wanted: bool) {
        let asked = self.kernel.as_mut().map(|kernel| kernel.tell_binds(wanted));
        if let Some(Err(error)) = asked {
            warn!(%error, "who takes the port isn't told");
        }
    }

    /// Somebody has taken the port, or can't have it: perhaps the gateway that is being started.
    fn bind(&mut self, bind: &Bind) {
        if bind.local.port() != self.configuration.port.get() {
            return;
        }
        if bind.result.is_ok() {
            self.port.bound(&bind.origin);
        }
        if !self.is_starting() || bind.result != Err(libc::EADDRINUSE) || !self.taken.is_due() {
            return;
        }
        self.look();
        let held_by = self.port.held_by();
        let origin = &bind.origin;
        warn!(
            address = %bind.local,
            by = %Escaped(&origin.comm),
            pid = origin.pid.unwrap_or(0),
            uid = origin.uid,
            held_by,
            "the port is taken (EADDRINUSE)"
        );
        self.watchers.refused(bind);
    }

    fn look(&mut self) {
        match self.port.look() {
            Ok(gateway) => {
                if gateway == Gateway::Foreign {
                    self.recorder
                        .note_stranger(clock::now(), &self.port.held_by());
                }
                self.handle(Event::Gateway(gateway));
                self.tell_of_strangers();
                self.tunnel.look(&self.port, self.prober.addresses());
                self.past.tunnel = self.tunnel.problem();
                self.watchers.looked(self.port.is_listening());
            }
            Err(error) => warn!(%error, "who listens isn't known; asked again"),
        }
    }

    /// After the decider knows of them.
    fn tell_of_strangers(&mut self) {
        let blocks = self.decider.state() == State::Held(Hold::PortTaken);
        self.port.tell_of_strangers(blocks);
    }

    fn probe_ended(&mut self, probe: ProbeId, outcome: Outcome) {
        let cause = self.probe_cause.take();
        self.probes.tell(&outcome, cause, self.decider.state());
        self.watchers.probe(&outcome);
        if matches!(outcome, Outcome::Connected { .. }) {
            self.recent.clear();
        }
        if let Some(output) = &self.output {
            output.trim();
        }
        // What is seen comes first: the answer is judged by who listens now.
        let quiet = matches!(self.decider.state(), State::Standby)
            && matches!(outcome, Outcome::Connected { .. });
        if !quiet || self.port.is_stale() {
            self.look();
        }
        if self.past.probe.is_none()
            && let Some(finding) = crate::preflight::first_probe(&self.configuration, &outcome)
        {
            preflight::tell(&finding);
        }
        self.past.probe = Some((clock::now(), outcome.clone()));
        match outcome {
            Outcome::Connected { .. } => self.check_witnesses(),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => self.router.primary_fails(),
        }
        match outcome {
            // Above TCP nobody else's connection gainsays it.
            Outcome::Failed { failure, .. } if failure.is_above_tcp() => {}
            Outcome::Failed { took, .. } => self.ask_others(took),
            Outcome::Connected { .. } | Outcome::Unknown { .. } => {}
        }
        self.handle(Event::ProbeEnded { probe, outcome });
        self.tell_of_strangers();
    }

    /// What the primary says of itself is told when it changes, and decides nothing.
    fn note_readiness(&mut self, outcome: &Outcome, readiness: Option<Readiness>) {
        match (outcome, readiness) {
            (_, Some(readiness)) => {
                tell::readiness(self.past.readiness.as_ref(), &readiness);
                self.tunnel.compare(&self.port, &readiness);
                self.past.readiness = Some(readiness);
            }
            // What it said before it failed is not true now.
            (Outcome::Connected { .. } | Outcome::Failed { .. }, None) => {
                self.past.readiness = None;
            }
            (Outcome::Unknown { .. }, None) => {}
        }
    }

    /// All that is known, in one document.
    fn status(&self) -> Status {
        let mut status = snapshot::status(
            &self.configuration,
            &self.decider,
            &self.port,
            &self.past,
            &self.memory,
            &self.reason,
        );
        status.witnesses = self.witnesses_word();
        status.totals = snapshot::totals(&self.recorder.totals(clock::now()));
        self.watchers.add_to(&mut status);
        status
    }

    /// The local gateway has answered its check, or not.
    fn gateway_probed(&mut self, report: LocalReport<GatewayProbeId>) {
        let LocalReport {
            probe,
            outcome,
            readiness: _,
        } = report;
        match &outcome {
            Outcome::Connected { .. } => debug!(%outcome, "the local gateway was checked"),
            outcome => warn!(
                %outcome, strikes = self.decider.gateway_strikes() + 1,
                "the local gateway listens and doesn't answer as it should"
            ),
        }
        // Who listens now comes first.
        self.look();
        self.handle(Event::GatewayProbed { probe, outcome });
    }

    // --- what is decided ---------------------------------------------------------------------

    /// Feeds one event, and whatever follows at once from carrying out what it leads to.
    fn handle(&mut self, event: Event) {
        let actions = self.decide(event);
        self.carry_out_all(actions);
    }

    fn decide(&mut self, event: Event) -> Vec<Action> {
        let now = clock::now();
        self.recorder.sees(now, &event);
        let actions = self.decider.handle(now, event);
        self.recorder.decided(now, &self.decider, &actions);
        actions
    }

    fn carry_out_all(&mut self, mut actions: Vec<Action>) {
        let mut events = VecDeque::new();
        loop {
            for action in actions {
                events.extend(self.carry_out(action));
            }
            let Some(event) = events.pop_front() else {
                break;
            };
            actions = self.decide(event);
        }
        self.ask_for_binds(self.is_starting());
        self.remember();
        self.alarms.stands(&self.decider);
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Probe { probe, cause } => {
                self.probe_cause = Some(cause);
                self.prober.start(probe);
                None
            }
            Action::AskWitnesses { round } => self.ask_witnesses(round),
            Action::ProbeGateway { probe } => {
                self.local_prober
                    .start(probe, &self.port.gateways_addresses());
                None
            }
            Action::Withhold(command) => {
                warn!(%command, "paused: the command would be run now, and isn't");
                None
            }
            Action::Run(command) => {
                // Before it can bind.
                self.ask_for_binds(true);
                self.run(command)
            }
            Action::Kill(command) => self.kill(command),
            Action::Record(change) => {
                self.reason = tell::change(&change, &self.recent);
                self.alarms.changed(&change, &self.reason);
                self.watchers.change(&change);
                None
            }
        }
    }
}

/// A daemon without a control socket is better than none; a second daemon isn't.
async fn listen(configuration: &Configuration) -> anyhow::Result<Option<Server>> {
    match Server::listen(&configuration.control).await {
        Ok(server) => Ok(Some(server)),
        Err(error @ ServerError::Taken { .. }) => Err(error.into()),
        Err(error) => {
            warn!(%error, "there is no control socket; `failover status` won't work");
            Ok(None)
        }
    }
}

async fn question(control: &mut Option<Server>) -> Question {
    match control {
        Some(control) => control.next().await,
        None => std::future::pending().await,
    }
}

async fn pause(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}
