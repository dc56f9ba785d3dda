//! Everything that can wake the loop: [`Inputs::next`] is the one place that waits. Whatever is asked, looked at
//! or timed beside the loop is begun here, and comes back as an [`Input`]. It must not know what follows from one.

pub(crate) mod progress;
pub(crate) mod reader;
mod reconfigure;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::time::sleep;

use failover_decide::{Cause, CommandResult, Decider, GatewayProbeId, ProbeId, State, Step, Time};
use failover_linux::{bpf::load::Batch, clock};
use failover_sync::outcome::Outcome;

use crate::{
    config::{self, Configuration},
    control::{Pending, Server, waiting::WaitingOrders},
    daemon::inputs::{
        progress::{Progress, Source, Stall, Work},
        reader::{Reader, Reading, Reload},
    },
    gateway::{
        command::{
            executor::{Executor, SlotEnd},
            survivors::Found,
        },
        port::{LocalPort, invocation::InvocationMark, started},
    },
    guard::standby::Receiver,
    kernel_events::{self, KernelSource},
    log::{lines::RateLimit, systemd::Watchdog},
    notify::{
        alarms::ChannelStatus,
        dead_mans_switch::{self, DeadMansSwitch, Question},
    },
    primary::{
        self, Prober,
        attribution::{Attribution, Here},
        local::{LocalProber, LocalReport},
        port_forward::PortForward,
    },
    runtime::parts::Parts,
    standby::watch::{Sight, StandbyWatch},
    state_dir::{StateDir, lock::Refusal, persisted::Persisted},
    sync::rounds::{Report, Rounds},
    web,
    web::Web,
    witness::{
        Answers,
        quorum::{Purpose, Quorum},
    },
};

/// More than clocks that are read one after the other ever differ.
const SUSPENDED: Duration = Duration::from_millis(500);

/// Something that woke the loop.
pub(crate) enum Input {
    KernelEvents(io::Result<Batch>),
    Probe(primary::Report),
    GatewayProbe(LocalReport<GatewayProbeId>),
    /// The listener on the local port has answered who it is, or its connections were checked.
    PortForward(Option<LocalReport<()>>),
    Witnesses(Answers<Purpose>),
    CommandEnded(Step, CommandResult),
    /// What had to be done before a command has ended.
    Prepared(Outcome),
    /// Something was done with the copies of the primary's state.
    Synced(Report),
    /// Somebody looked what a start began.
    StartSeen(Found),
    /// It is time to read what a command writes.
    Output,
    Request(Pending),
    /// An order has waited for long enough.
    OrderOverdue,
    View(web::view::ViewRequest),
    /// The dead man's switch asks whether all is well.
    IsWell(Question),
    Configuration(Box<Reading>),
    Lock(Result<(), Refusal>),
    /// The local port may have changed, or it is time to look.
    Look,
    /// Kernel events may be had again.
    KernelEventsDue,
    /// The watchdog has to be fed.
    Watchdog,
    /// Somebody looked for a parked gateway.
    Standby(Box<Sight>),
    /// PC-A's guard was heard, or not.
    Guard,
    /// The decider asked to be woken.
    Time,
}

/// See the module.
pub(crate) struct Inputs {
    pub(crate) kernel: KernelSource,
    pub(crate) prober: Prober,
    /// Why the probe in flight was made.
    cause: Option<Cause>,
    pub(crate) attribution: Attribution,
    local_prober: LocalProber<GatewayProbeId>,
    pub(crate) quorum: Quorum,
    pub(crate) port: LocalPort,
    pub(crate) port_forward: PortForward,
    pub(crate) standby: StandbyWatch,
    pub(crate) rounds: Rounds,
    pub(crate) guard: Receiver,
    /// When the process began that listens.
    gateway_began: Option<Time>,
    /// Refused binds are followed up only so often.
    pub(crate) refused_binds: RateLimit,
    control: Server,
    /// Orders that wait for a probe.
    pub(crate) waiting: WaitingOrders,
    web: Option<Web>,
    dead_mans_switch: Option<DeadMansSwitch>,
    changes: tokio::sync::watch::Receiver<()>,
    parts: Parts,
    pub(crate) reload: Reload,
    watchdog: Option<Watchdog>,
    /// How long the machine had been suspended when that was last asked.
    suspended: Duration,
    /// Whether the loop gets to everything.
    progress: Progress,
    stall: Stall,
    /// Of a probe.
    timeout: Duration,
}

/// What inputs are made of, besides the configuration.
pub(crate) struct Sources {
    pub(crate) control: Server,
    pub(crate) reader: Arc<Reader>,
    pub(crate) parts: Parts,
    pub(crate) watchdog: Option<Watchdog>,
    pub(crate) mark: InvocationMark,
    /// Gets something whenever there is something new to see on the page.
    pub(crate) changes: tokio::sync::watch::Receiver<()>,
}

impl Inputs {
    /// Inside a tokio runtime.
    ///
    /// # Errors
    /// Where kernel events are required and can't be had.
    pub(crate) fn new(
        configuration: &Configuration,
        persisted: &Persisted,
        sources: Sources,
    ) -> anyhow::Result<Self> {
        let kernel = KernelSource::load(
            configuration.kernel_events,
            kernel_events::watch(configuration.port, configuration.primary.port),
        )?;
        let settings = &configuration.decide;
        let mut inputs = Self {
            prober: prober(configuration, persisted),
            cause: None,
            attribution: Attribution::default(),
            local_prober: LocalProber::new(&configuration.local_check, settings.timeout),
            quorum: Quorum::new(
                configuration.witnesses.clone(),
                settings.witness_quorum,
                settings.timeout,
            ),
            port: LocalPort::new(
                configuration.port,
                kernel.is_on(),
                &configuration.gateway,
                sources.mark,
                persisted.bound(&configuration.gateway),
            ),
            kernel,
            port_forward: PortForward::new(&configuration.local_check, settings.timeout),
            standby: StandbyWatch::new(configuration),
            rounds: Rounds::of(configuration),
            guard: Receiver::default(),
            gateway_began: None,
            refused_binds: RateLimit::default(),
            control: sources.control,
            waiting: WaitingOrders::default(),
            web: None,
            dead_mans_switch: None,
            changes: sources.changes,
            parts: sources.parts,
            reload: Reload::by(sources.reader),
            watchdog: sources.watchdog,
            suspended: clock::suspended(),
            progress: Progress::default(),
            stall: Stall::default(),
            timeout: settings.timeout,
        };
        inputs.serve_at(configuration.metrics);
        inputs.call(configuration.notifications.dead_mans_switch.as_ref());
        inputs
            .guard
            .begin(configuration.guard_port, &configuration.state_dir);
        Ok(inputs)
    }

    // --- waiting -----------------------------------------------------------------------------

    /// Feeds the watchdog, if the loop gets to everything, and waits for the next thing to happen. Cancel-safe.
    pub(crate) async fn next(
        &mut self,
        configuration: &Configuration,
        decider: &Decider,
        executor: &mut Executor,
        state_dir: &mut StateDir,
    ) -> Input {
        self.feed_watchdog(decider, executor);
        let wake = decider.next_wake().map(|wake| wake.since(clock::now()));
        let matters = !matches!(decider.state(), State::Standby | State::Suspect { .. });
        let look = self
            .port
            .next_look(matters, configuration.decide.recovery_interval);
        let turn = self.watchdog.as_ref().map(Watchdog::next_turn);
        // Loading them takes a moment: not while a command runs.
        let attempt = self.kernel.next_attempt().filter(|_| !executor.is_busy());
        let stall = self.stall;
        let is_quiet = is_quiet(decider, executor);
        let (ended, output, started) = executor.awaited();
        let drill = state_dir.persisted().completed_drill.clone();
        let input = tokio::select! {
            batch = stall.pass(Source::KernelEvents, self.kernel.next()) => Input::KernelEvents(batch),
            report = stall.pass(Source::Probe, self.prober.next()) => Input::Probe(report),
            report = stall.pass(Source::GatewayProbe, self.local_prober.next()) => Input::GatewayProbe(report),
            report = stall.pass(Source::PortForward, self.port_forward.next()) => Input::PortForward(report),
            answers = stall.pass(Source::Witnesses, self.quorum.next()) => Input::Witnesses(answers),
            end = stall.pass(Source::Command, ended) => match end {
                SlotEnd::Command(command, result) => Input::CommandEnded(command, result),
                SlotEnd::Preparation(outcome) => Input::Prepared(*outcome),
            },
            found = started => Input::StartSeen(found),
            sight = self.standby.next(drill.as_ref()) => Input::Standby(Box::new(sight)),
            report = self.rounds.next(is_quiet) => Input::Synced(report),
            () = self.guard.next() => Input::Guard,
            () = stall.pass(Source::Output, output) => Input::Output,
            pending = stall.pass(Source::ControlSocket, self.control.next()) => Input::Request(pending),
            () = pause(self.waiting.next()) => Input::OrderOverdue,
            request = stall.pass(Source::Page, view(&mut self.web)) => Input::View(request),
            question = is_well(&mut self.dead_mans_switch) => Input::IsWell(question),
            read = self.reload.next() => Input::Configuration(Box::new(read)),
            acquired = state_dir.acquired() => Input::Lock(acquired),
            () = stall.pass(Source::Look, pause(look)) => Input::Look,
            () = stall.pass(Source::Look, self.port.ended(matters)) => Input::Look,
            () = stall.pass(Source::Time, pause(wake)) => Input::Time,
            () = pause(turn) => Input::Watchdog,
            () = pause(attempt) => Input::KernelEventsDue,
        };
        self.note_progress(&input);
        input
    }

    fn note_progress(&mut self, input: &Input) {
        match input {
            Input::KernelEvents(Ok(_)) => self.progress.made(Source::KernelEvents),
            Input::Probe(primary::Report::Ended(_)) => self.progress.made(Source::Probe),
            Input::GatewayProbe(_) => self.progress.made(Source::GatewayProbe),
            Input::Witnesses(_) => self.progress.made(Source::Witnesses),
            Input::CommandEnded(..) | Input::Prepared(_) => self.progress.made(Source::Command),
            Input::Output => self.progress.made(Source::Output),
            // Computed before each wait.
            Input::KernelEvents(Err(_))
            | Input::Probe(primary::Report::Tripped(_))
            | Input::Synced(_)
            | Input::PortForward(_)
            | Input::StartSeen(_)
            | Input::Request(_)
            | Input::OrderOverdue
            | Input::View(_)
            | Input::IsWell(_)
            | Input::Configuration(_)
            | Input::Lock(_)
            | Input::Look
            | Input::Standby(_)
            | Input::Guard
            | Input::KernelEventsDue
            | Input::Watchdog
            | Input::Time => {}
        }
    }

    fn feed_watchdog(&mut self, decider: &Decider, executor: &Executor) {
        let is_due = self.watchdog.as_mut().is_some_and(Watchdog::is_due);
        if is_due
            && self.gets_on(decider, executor)
            && let Some(watchdog) = &mut self.watchdog
        {
            watchdog.feed();
        }
    }

    /// May the watchdog be fed?
    fn gets_on(&mut self, decider: &Decider, executor: &Executor) -> bool {
        let now = clock::now();
        let work = Work {
            // A unit test can't count on a kernel program.
            kernel_events: self.kernel.has_waiting() || self.stall.pretends(),
            is_asking_witnesses: self.quorum.is_asking(),
            command_has_ended: executor.has_ended(),
            output_is_due: executor.output_is_due(),
            control_waits_since: self.control.waits_since(),
            control_is_unaccepted: self.control.has_unaccepted(),
            page_waits_since: self.web.as_ref().and_then(Web::waits_since),
            port_forward_until: self.port_forward.asks_until(),
            looks_since: self.port.looks_since(),
            wake: decider.next_wake().filter(|wake| *wake <= now),
        };
        self.progress.note(&work, now, self.timeout);
        self.progress.gets_on(now)
    }

    /// For how long the machine was suspended since this was asked last: timers and connections mean nothing
    /// across that.
    pub(crate) fn slept(&mut self) -> Option<Duration> {
        let suspended = clock::suspended();
        let slept = suspended.saturating_sub(self.suspended);
        self.suspended = suspended;
        self.progress.suspended(slept);
        (slept >= SUSPENDED).then_some(slept)
    }

    // --- what is begun beside the loop -------------------------------------------------------

    /// Probes the primary, while the local gateway is being started or not.
    pub(crate) fn probe(&mut self, probe: ProbeId, cause: Cause, is_starting: bool) {
        self.cause = Some(cause);
        self.attribution.probe_begins(&Here {
            port: &self.port,
            has_events: self.kernel.is_on(),
            lost: self.kernel.lost(),
            is_starting,
        });
        self.progress
            .waits(Source::Probe, Some(clock::now() + self.timeout));
        let timeout = match cause {
            // It has to end with the silence that it answers.
            Cause::Guard => self.guard.probe_timeout(),
            Cause::Scheduled | Cause::BadNews | Cause::GoodNews | Cause::Ordered => None,
        };
        self.prober.start(
            probe,
            timeout.map_or(self.timeout, |short| short.min(self.timeout)),
        );
    }

    /// Why the probe was made that has ended.
    pub(crate) fn take_cause(&mut self) -> Option<Cause> {
        self.cause.take()
    }

    /// Asks the local gateway whether it answers.
    pub(crate) fn probe_gateway(&mut self, probe: GatewayProbeId) {
        self.progress
            .waits(Source::GatewayProbe, Some(clock::now() + self.timeout));
        self.local_prober
            .start(probe, &self.port.listeners().gateways_addresses());
    }

    /// When the local gateway's process began, if it listens and that is another than was seen last.
    pub(crate) fn gateway_began(&mut self) -> Option<Time> {
        let gateways = self
            .port
            .listeners()
            .holders()
            .filter(|(_, is_gateway)| *is_gateway);
        let began = gateways.map(|(holder, _)| holder.started).min();
        let began = began.filter(|ticks| *ticks > 0).map(started::time);
        let is_news = began.is_some() && began != self.gateway_began;
        if is_news {
            self.gateway_began = began;
        }
        began.filter(|_| is_news)
    }

    /// What must not end for good.
    pub(crate) const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// No gateway listens.
    pub(crate) fn gateway_ended(&mut self) {
        self.gateway_began = None;
    }

    fn serve_at(&mut self, metrics: Option<SocketAddr>) {
        // The old one goes first: its port may be the new one's.
        self.web = None;
        // Nobody misses one that isn't wanted any longer.
        let part = self.parts.part("the page and the metrics");
        part.works();
        self.web = metrics.map(|metrics| Web::at(metrics, part, self.changes.clone()));
    }

    /// Calls this service from now on as long as all is well.
    fn call(&mut self, service: Option<&config::DeadMansSwitch>) {
        self.dead_mans_switch = None;
        let part = self.parts.part(dead_mans_switch::PART);
        part.works();
        self.dead_mans_switch = service.map(|service| DeadMansSwitch::new(service, part));
    }

    /// How the calls of the dead man's switch do, if there is one.
    pub(crate) fn dead_mans_switch(&self) -> Option<ChannelStatus> {
        self.dead_mans_switch.as_ref().map(DeadMansSwitch::status)
    }

    // --- tests -------------------------------------------------------------------------------

    /// As if polls of the port hung.
    #[cfg(test)]
    pub(crate) fn hang(&mut self) {
        self.port.hang();
    }
}

/// The primary serves, and nothing is about to be started or stopped.
pub(crate) fn is_quiet(decider: &Decider, executor: &Executor) -> bool {
    decider.state() == State::Standby
        && decider.primary_answers() == Some(true)
        && !executor.is_busy()
}

fn prober(configuration: &Configuration, persisted: &Persisted) -> Prober {
    let good = persisted.good_addresses(&configuration.primary.to_string());
    Prober::new(
        configuration.primary.clone(),
        &configuration.check,
        configuration.decide.timeout,
    )
    .beside(configuration.port)
    .after(good)
}

/// Waits until somebody looks at the page or the metrics. Cancel-safe.
async fn view(web: &mut Option<Web>) -> web::view::ViewRequest {
    match web {
        Some(web) => web.next().await,
        None => std::future::pending().await,
    }
}

/// Waits until the dead man's switch asks. Cancel-safe.
async fn is_well(switch: &mut Option<DeadMansSwitch>) -> Question {
    match switch {
        Some(switch) => switch.next().await,
        None => std::future::pending().await,
    }
}

async fn pause(duration: Option<Duration>) {
    match duration {
        // A timer needs a turn of the runtime: it would never fire where each event sets another one.
        Some(Duration::ZERO) => {}
        Some(duration) => sleep(duration).await,
        None => std::future::pending().await,
    }
}
