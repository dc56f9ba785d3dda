//! What is seen: noted for people, and told to the decider, in the order in which it has to be known.

use std::{net::SocketAddr, time::Duration};

use tracing::{debug, info, warn};

use failover_decide::{
    Begun, Command, CommandResult, Event, Evidence, GatewayProbeId, Inhibitor, Judges, Outcome,
    PortObservation, ProbeId, State, Time,
};
use failover_linux::{
    bpf::{
        event::{Bind, KernelEvent},
        load::Batch,
    },
    clock,
    escape::Escaped,
    process::is_this_program,
    sock_diag::acknowledged,
};

use crate::{
    daemon::{Daemon, inputs::Input},
    gateway::command::survivors::Found,
    log::lines as tell,
    preflight,
    primary::{
        Report,
        attribution::Here,
        check::readiness::{Readiness, Startup},
        evidence,
        local::LocalReport,
    },
    state_dir::lock::Refusal,
    witness::{
        Answers,
        quorum::{Purpose, QuorumResult, pinged},
    },
};

/// So many batches of kernel events are taken before an answer is judged.
const MOST_BATCHES: usize = 16;

impl Daemon {
    /// Deals with something that woke the loop.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    pub(super) fn receive(&mut self, input: Input) -> Result<(), Refusal> {
        if let Some(slept) = self.inputs.slept() {
            // Before anything else is told.
            warn!(
                slept = format_args!("{slept:.1?}"),
                "the machine was suspended; strikes start again"
            );
            self.handle(Event::Suspended);
        }
        match input {
            Input::KernelEvents(Ok(batch)) => self.kernel_events(&batch),
            Input::KernelEvents(Err(error)) => {
                self.inputs.kernel.end(&error);
                self.inputs.port.without_events();
            }
            Input::Probe(Report::Ended {
                probe,
                outcome,
                peer,
                readiness,
                certificate,
            }) => {
                let outcome = self.attributed(outcome, peer, readiness.as_ref());
                // What another one says of itself is none of the primary's.
                let readiness = readiness.filter(|_| !matches!(outcome, Outcome::Unknown { .. }));
                if let (Outcome::Connected { .. }, Some(peer)) = (&outcome, peer) {
                    self.inputs.prober.answered(peer);
                }
                self.note_certificate(certificate);
                self.note_readiness(&outcome, readiness);
                self.probe_ended(probe, outcome);
                self.answer_waiting();
            }
            Input::Probe(Report::Tripped(evidence)) => {
                info!(%evidence, "the connection to the primary has died");
                self.note(&format!("tripwire: {evidence}"));
                self.handle(Event::Evidence(evidence, clock::now()));
            }
            Input::GatewayProbe(report) => self.gateway_probed(report),
            Input::PortForward(Some(report)) => {
                let readiness = self.past.readiness.as_ref();
                let inputs = &mut self.inputs;
                inputs
                    .port_forward
                    .answered(&report, readiness, &inputs.port);
            }
            Input::Witnesses(answers) => self.witnesses_answered(&answers),
            Input::CommandEnded(command, result) => self.command_ended(command, result),
            Input::StartSeen(found) => self.start_seen(&found),
            Input::Output => self.executor.log_output(false),
            Input::Request(question) => self.answer(question),
            Input::OrderOverdue => self.answer_overdue(),
            Input::View(question) => {
                let status = self.status();
                self.dashboard.answer(question, status);
            }
            Input::Configuration(read) => self.reloaded(*read),
            Input::Lock(acquired) => acquired?,
            Input::Look => self.look(),
            Input::KernelEventsDue => {
                if self.inputs.kernel.try_again(&self.configuration) {
                    self.inputs.port.with_events();
                    self.look();
                }
            }
            Input::PortForward(None) | Input::Watchdog => {}
            Input::Time => self.handle(Event::Woke),
        }
        Ok(())
    }

    /// The outcome of a probe, if it can be the primary's: what the kernel has noted until now is known before
    /// it is judged.
    fn attributed(
        &mut self,
        outcome: Outcome,
        peer: Option<SocketAddr>,
        readiness: Option<&Readiness>,
    ) -> Outcome {
        for _ in 0..MOST_BATCHES {
            match self.inputs.kernel.drain() {
                Some(batch) if !batch.events.is_empty() || batch.lost > 0 => {
                    self.kernel_events(&batch);
                }
                Some(_) | None => break,
            }
        }
        let is_starting = self.is_starting();
        let inputs = &mut self.inputs;
        let here = Here {
            port: &inputs.port,
            has_events: inputs.kernel.is_on(),
            lost: inputs.kernel.lost(),
            is_starting,
        };
        inputs
            .attribution
            .attribute(outcome, peer, readiness, &here)
    }

    /// A probe that took so long has failed: did the primary answer anybody else meanwhile?
    fn ask_others(&mut self, took: Duration) {
        let undecided = matches!(
            self.decider.state(),
            State::Standby | State::Suspect { .. } | State::Isolated
        );
        if !undecided {
            return;
        }
        let prober = &self.inputs.prober;
        match acknowledged::acknowledged(prober.addresses(), &prober.own_sockets(), took) {
            Ok(Some(age)) if age < took => {
                let evidence = Evidence::Acknowledged;
                info!(%evidence, ?age, "the primary answers others");
                self.note(&evidence.to_string());
                let seen = Time::from_boot(clock::now().as_duration().saturating_sub(age));
                self.handle(Event::Evidence(evidence, seen));
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "whether the primary answers others isn't known"),
        }
    }

    /// The witnesses have answered.
    fn witnesses_answered(&mut self, answers: &Answers<Purpose>) {
        let judges = self.judges();
        let result = self.inputs.quorum.answered(answers, &judges).clone();
        if let Some(answered) = pinged(answers) {
            self.handle(Event::RoutersPinged { answered });
            let judges = self.judges();
            self.inputs.quorum.log_router(&judges);
        }
        self.dashboard.news();
        if let Purpose::Decision(round) = answers.round {
            let QuorumResult {
                answered,
                needed,
                summary,
                ..
            } = result;
            self.recorder
                .witnesses(clock::now(), answered, needed, &summary);
            self.handle(Event::Witnesses { round, answered });
        }
    }

    /// Who the default routers are now, where they are witnesses.
    pub(super) fn look_up_routers(&mut self) -> Option<Event> {
        let primary = self.inputs.prober.addresses();
        let found = self.inputs.quorum.look(primary);
        found.map(Event::DefaultRouters)
    }

    /// Who is to be asked before a takeover.
    pub(super) fn judges(&self) -> Judges {
        self.decider.judges(&self.inputs.quorum.routers())
    }

    pub(crate) fn kernel_events(&mut self, batch: &Batch) {
        let mut port_changed = batch.lost > 0;
        if batch.lost > 0 {
            self.inputs.port.events_lost();
        }
        self.inputs.kernel.add_lost(batch.lost);
        self.losses.note(batch.lost);
        self.dashboard.kernel_events(batch.events.len());
        for event in &batch.events {
            let change = match event {
                KernelEvent::TcpState(change) => change,
                KernelEvent::Bind(bind) => {
                    self.bind(bind);
                    continue;
                }
            };
            if change.local.port() == self.inputs.port.number().get() {
                self.inputs.attribution.changed(change);
            }
            if self.inputs.port.concerns(change) {
                port_changed = true;
                self.dashboard.listener(change);
            }
            let evidence = evidence::of(
                change,
                self.inputs.prober.addresses(),
                self.configuration.primary.port,
            );
            if let Some(evidence) = evidence {
                // What a `failover check` saw is true, but it is no other's connection, and no reason.
                let is_own = change.origin.pid.is_some_and(is_this_program);
                let told = format!("{evidence} ({})", change.origin.who());
                match is_own {
                    true => debug!(told, "of this program's own"),
                    false => self.note(&told),
                }
                self.handle(Event::Evidence(
                    evidence,
                    Time::from_boot(change.origin.time),
                ));
            }
        }
        if port_changed {
            self.look();
        }
    }

    /// Something happened on a connection to the primary.
    pub(crate) fn note(&mut self, what: &str) {
        self.recent.note(what);
        self.recorder.note(clock::now(), what);
        self.dashboard.evidence(what);
    }

    /// A command is in flight, or the gateway it started doesn't listen yet.
    pub(crate) fn is_starting(&self) -> bool {
        self.executor.is_busy() || matches!(self.decider.state(), State::Starting { .. })
    }

    /// Somebody has taken the port, or can't have it: perhaps the gateway that is being started.
    pub(crate) fn bind(&mut self, bind: &Bind) {
        if bind.local.port() != self.configuration.port.get() {
            return;
        }
        if bind.result.is_ok() {
            self.inputs.port.bound(&bind.origin);
        }
        if !self.is_starting()
            || bind.result != Err(libc::EADDRINUSE)
            || !self.inputs.refused_binds.is_due()
        {
            return;
        }
        self.look();
        let held_by = self.inputs.port.held_by();
        let origin = &bind.origin;
        warn!(
            address = %bind.local,
            by = %Escaped(&origin.comm),
            pid = origin.pid.unwrap_or(0),
            uid = origin.uid,
            held_by,
            "the port is taken (EADDRINUSE)"
        );
        self.dashboard.refused(bind);
    }

    /// A command has ended.
    pub(crate) fn command_ended(&mut self, command: Command, result: CommandResult) {
        // What the kernel saw of it comes first: a refused bind is the command's, not the next one's.
        if let Some(batch) = self.inputs.kernel.drain() {
            self.kernel_events(&batch);
        }
        let ended = self.executor.finish(command, result);
        self.recorder.said(&ended.output);
        self.last_line = ended.last_line;
        self.dashboard
            .command(&format!("the {command} command {}", ended.result));
        let result = match ended.instead {
            Some(launched) => self.launched(command, launched),
            None => Some(ended.result),
        };
        self.look();
        if let Some(result) = result {
            self.handle(Event::CommandEnded { command, result });
        }
    }

    /// Somebody looked what the start began.
    pub(crate) fn start_seen(&mut self, found: &Found) {
        if self.executor.start().is_news(found.begun) {
            info!(found = found.told, "{}", found.begun);
        }
        if found.begun == Begun::Gone {
            // Who listens now comes first.
            self.look();
        }
        self.handle(Event::Begun(found.begun));
    }

    /// The local port was looked at.
    pub(crate) fn note_gateway(&mut self, gateway: PortObservation) {
        match gateway {
            PortObservation::Listening => {
                let holders = self
                    .inputs
                    .port
                    .holders()
                    .filter(|(_, is_gateway)| *is_gateway);
                let programs = holders.filter_map(|(holder, _)| holder.executable.clone());
                self.executor.start().listen(programs);
                let began = self.inputs.gateway_began();
                // Its first answer is due so long after that.
                if let Some(began) = began.filter(|_| self.decider.gateway_comes_up()) {
                    self.handle(Event::GatewayBegan(began));
                }
            }
            PortObservation::Absent | PortObservation::Terminating | PortObservation::Foreign => {
                self.executor.start().lose();
                self.inputs.gateway_ended();
            }
        }
    }

    pub(crate) fn look(&mut self) {
        match self.inputs.port.look() {
            Ok(gateway) => {
                if gateway == PortObservation::Foreign {
                    self.recorder
                        .note_stranger(clock::now(), &self.inputs.port.held_by());
                }
                self.handle(Event::Port(gateway));
                self.note_gateway(gateway);
                self.tell_of_strangers();
                self.inputs
                    .port_forward
                    .look(&self.inputs.port, self.inputs.prober.addresses());
                self.dashboard.looked(self.inputs.port.is_listening());
            }
            Err(error) => warn!(%error, "who listens isn't known; asked again"),
        }
    }

    /// After the decider knows of them.
    pub(crate) fn tell_of_strangers(&mut self) {
        let blocks = self.decider.state() == State::Inhibited(Inhibitor::ForeignListener);
        self.inputs.port.tell_of_strangers(blocks);
    }

    pub(crate) fn probe_ended(&mut self, probe: ProbeId, outcome: Outcome) {
        let cause = self.inputs.take_cause();
        self.probes.tell(&outcome, cause, self.decider.state());
        self.dashboard.probe(&outcome);
        if matches!(outcome, Outcome::Connected { .. }) {
            self.recent.clear();
        }
        // What is seen comes first: the answer is judged by who listens now.
        let quiet = matches!(self.decider.state(), State::Standby)
            && matches!(outcome, Outcome::Connected { .. });
        if !quiet || self.inputs.port.is_stale() {
            self.look();
        }
        if self.past.probe.is_none()
            && let Some(finding) = preflight::first_probe(
                &self.configuration,
                &outcome,
                self.past.certificate.as_deref(),
            )
        {
            preflight::startup::log(&finding);
        }
        self.past.probe = Some((clock::now(), outcome.clone()));
        let answers = matches!(outcome, Outcome::Connected { .. });
        if answers && let Some(found) = self.look_up_routers() {
            self.handle(found);
        }
        match outcome {
            // Above TCP nobody else's connection gainsays it.
            Outcome::Failed { failure, .. } if failure.is_above_tcp() => {}
            Outcome::Failed { took, .. } => self.ask_others(took),
            Outcome::Connected { .. } | Outcome::Unknown { .. } => {}
        }
        self.handle(Event::ProbeEnded { probe, outcome });
        if answers {
            let judges = self.judges();
            self.inputs.quorum.primary_answers(&judges);
        }
        self.tell_of_strangers();
    }

    /// A certificate that isn't trusted is named once, not at each probe.
    pub(crate) fn note_certificate(&mut self, certificate: Option<String>) {
        if let Some(certificate) = certificate.as_ref()
            && self.past.certificate.as_ref() != Some(certificate)
        {
            warn!(
                certificate,
                "the primary shows a certificate that isn't trusted"
            );
        }
        self.past.certificate = certificate;
    }

    /// What the primary says of itself is told when it changes, and decides nothing.
    pub(crate) fn note_readiness(&mut self, outcome: &Outcome, readiness: Option<Readiness>) {
        let drains = readiness
            .as_ref()
            .is_some_and(|readiness| readiness.startup == Some(Startup::Draining));
        if matches!(outcome, Outcome::Connected { .. }) && drains != self.decider.primary_drains() {
            self.handle(Event::PrimaryDrains(drains));
        }
        match (outcome, readiness) {
            (_, Some(readiness)) => {
                tell::readiness(self.past.readiness.as_ref(), &readiness);
                self.inputs
                    .port_forward
                    .compare(&self.inputs.port, &readiness);
                self.past.readiness = Some(readiness);
            }
            // What it said before it failed is not true now.
            (Outcome::Connected { .. } | Outcome::Failed { .. }, None) => {
                self.past.readiness = None;
            }
            (Outcome::Unknown { .. }, None) => {}
        }
    }

    /// The local gateway has answered its check, or not.
    pub(crate) fn gateway_probed(&mut self, report: LocalReport<GatewayProbeId>) {
        let LocalReport {
            probe,
            outcome,
            readiness,
        } = report;
        // Who listens now comes first: one that was stopped meanwhile didn't have to answer.
        self.look();
        let holders = self
            .inputs
            .port
            .holders()
            .map(|(one, _)| one.key())
            .collect();
        self.inputs
            .attribution
            .local_says(readiness.as_ref(), holders);
        let draining = readiness.and_then(|readiness| readiness.draining_since);
        let counts = self.decider.counts_gateway_probe(probe) && draining.is_none();
        match &outcome {
            Outcome::Failed { .. } if counts && self.decider.gateway_comes_up() => info!(
                outcome = tell::outcome(&outcome),
                "the local gateway listens and hasn't answered yet"
            ),
            Outcome::Failed { .. } if counts => {
                warn!(
                    outcome = tell::outcome(&outcome),
                    strikes = self.decider.gateway_strikes() + 1,
                    "the local gateway listens and doesn't answer as it should"
                );
                self.recorder.gateway_fails(clock::now(), &outcome);
            }
            Outcome::Unknown { .. } if counts => {
                warn!(
                    outcome = tell::outcome(&outcome),
                    "the local gateway can't be checked"
                );
            }
            _ => debug!(
                outcome = tell::outcome(&outcome),
                "the local gateway was checked"
            ),
        }
        if let (Some(since), None) = (draining, self.past.gateway_draining) {
            info!(since = %clock::wall(since), "the local gateway drains: it finishes what it is at, and goes");
        }
        self.past.gateway_draining = draining;
        if draining.is_some() {
            self.handle(Event::GatewayDrains);
        }
        self.handle(Event::GatewayProbed { probe, outcome });
    }
}
