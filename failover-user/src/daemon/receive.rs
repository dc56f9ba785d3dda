//! What wakes the loop, turned into events for the decider, in the order in which it has to know them. It
//! decides nothing of what follows.

use std::{net::SocketAddr, time::Duration};

use tracing::warn;

use failover_decide::{
    Begun, Command, CommandResult, Event, Evidence, GatewayProbeId, Judges, Outcome,
    PortObservation, ProbeId, State, Time,
};
use failover_linux::{
    bpf::{
        event::{Bind, KernelEvent, TcpStateChange},
        load::Batch,
    },
    clock,
    process::is_this_program,
    sock_diag::acknowledged,
};

use crate::{
    daemon::{Daemon, inputs::Input},
    gateway::command::survivors::Found,
    observe::occurrence::{
        CommandCourse, GatewayProbeSeen, Occurrence, ProbeSeen, Seen, Sighting, Source,
    },
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
        quorum::{Purpose, pinged},
    },
};

/// So many batches of kernel events are taken before an answer is judged.
const MOST_BATCHES: usize = 16;

/// A probe of the primary that has ended, and whatever else its answer told.
struct Probed {
    probe: ProbeId,
    outcome: Outcome,
    peer: Option<SocketAddr>,
    readiness: Option<Readiness>,
    certificate: Option<String>,
}

impl Daemon {
    /// Deals with something that woke the loop.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    pub(super) fn receive(&mut self, input: Input) -> Result<(), Refusal> {
        if let Some(slept) = self.inputs.slept() {
            // Before anything else is told.
            self.observe(&Occurrence::Seen(Seen::Suspend(slept)));
            self.decide([Event::Suspended]);
        }
        match input {
            Input::KernelEvents(Ok(batch)) => {
                let events = self.kernel_events(&batch);
                self.decide(events);
            }
            Input::KernelEvents(Err(error)) => {
                self.inputs.kernel.end(&error);
                self.inputs.port.without_events();
            }
            Input::KernelEventsDue => {
                let configuration = &self.settings.configuration;
                if self.inputs.kernel.try_again(configuration) {
                    self.inputs.port.with_events();
                    self.look_and_decide();
                }
            }
            Input::Probe(Report::Ended {
                probe,
                outcome,
                peer,
                readiness,
                certificate,
            }) => {
                self.probe_ended(Probed {
                    probe,
                    outcome,
                    peer,
                    readiness,
                    certificate,
                });
                self.answer_waiting();
            }
            Input::Probe(Report::Tripped(evidence)) => {
                let event = self.evidence(evidence, Source::Tripwire, clock::now());
                self.decide([event]);
            }
            Input::GatewayProbe(report) => self.gateway_probed(report),
            Input::PortForward(Some(report)) => {
                let readiness = self.observers.last_seen.readiness.as_ref();
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
                let snapshot = self.snapshot();
                self.observers.dashboard.answer(question, snapshot);
            }
            Input::Configuration(read) => self.reloaded(*read),
            Input::Lock(acquired) => acquired?,
            Input::Look => self.look_and_decide(),
            Input::PortForward(None) | Input::Watchdog => {}
            Input::Time => self.decide([Event::Woke]),
        }
        Ok(())
    }

    // --- the kernel --------------------------------------------------------------------------

    fn kernel_events(&mut self, batch: &Batch) -> Vec<Event> {
        let mut events = Vec::new();
        let mut port_changed = batch.lost > 0;
        if batch.lost > 0 {
            self.inputs.port.events_lost();
        }
        self.inputs.kernel.add_lost(batch.lost);
        self.observe(&Occurrence::Seen(Seen::KernelEvents {
            count: batch.events.len(),
            lost: batch.lost,
        }));
        for event in &batch.events {
            match event {
                KernelEvent::TcpState(change) => {
                    if change.local.port() == self.inputs.port.number().get() {
                        self.inputs.attribution.changed(change);
                    }
                    if self.inputs.port.concerns(change) {
                        port_changed = true;
                        self.observe(&Occurrence::Seen(Seen::Listener(change)));
                    }
                    events.extend(self.evidence_of(change));
                }
                KernelEvent::Bind(bind) => events.extend(self.bind(bind)),
            }
        }
        if port_changed {
            events.extend(self.look());
        }
        events
    }

    /// What a change of a connection's state says of the primary, if it says something.
    fn evidence_of(&mut self, change: &TcpStateChange) -> Option<Event> {
        let evidence = evidence::of(
            change,
            self.inputs.prober.addresses(),
            self.settings.configuration.primary.port,
        )?;
        let origin = &change.origin;
        // What a `failover check` saw is true, but it is no other's connection, and no reason.
        let source = match origin.pid.is_some_and(is_this_program) {
            true => Source::Own(origin),
            false => Source::Kernel(origin),
        };
        Some(self.evidence(evidence, source, Time::from_boot(origin.time)))
    }

    fn evidence(&mut self, evidence: Evidence, source: Source, at: Time) -> Event {
        self.observe(&Occurrence::Seen(Seen::Evidence(Sighting {
            evidence,
            source,
        })));
        Event::Evidence(evidence, at)
    }

    /// Somebody has taken the port, or can't have it: perhaps the gateway that is being started.
    fn bind(&mut self, bind: &Bind) -> Option<Event> {
        if bind.local.port() != self.inputs.port.number().get() {
            return None;
        }
        if bind.result.is_ok() {
            self.inputs.port.bound(&bind.origin);
        }
        let is_refused = bind.result == Err(libc::EADDRINUSE);
        if !self.is_starting() || !is_refused || !self.inputs.refused_binds.is_due() {
            return None;
        }
        let event = self.look();
        self.observe(&Occurrence::Seen(Seen::RefusedBind(bind)));
        event
    }

    // --- the local port ----------------------------------------------------------------------

    /// Looks who listens, for the decider.
    fn look(&mut self) -> Option<Event> {
        match self.inputs.port.look() {
            Ok(observation) => {
                self.observe(&Occurrence::Seen(Seen::Port(observation)));
                Some(Event::Port(observation))
            }
            Err(error) => {
                warn!(%error, "who listens isn't known; asked again");
                None
            }
        }
    }

    pub(super) fn look_and_decide(&mut self) {
        let event = self.look();
        self.decide(event);
    }

    /// Whatever else follows from a look at the local port, once it was decided by.
    pub(super) fn follow_port(&mut self, observation: PortObservation) {
        let inputs = &mut self.inputs;
        inputs
            .port_forward
            .look(&inputs.port, inputs.prober.addresses());
        match observation {
            PortObservation::Listening => {
                let holders = inputs.port.holders().filter(|(_, is_gateway)| *is_gateway);
                let programs = holders.filter_map(|(holder, _)| holder.executable.clone());
                self.executor.start().listen(programs);
                let began = self.inputs.gateway_began();
                // Its first answer is due so long after that.
                if let Some(began) = began.filter(|_| self.decider.gateway_comes_up()) {
                    self.decide([Event::GatewayBegan(began)]);
                }
            }
            PortObservation::Absent | PortObservation::Terminating | PortObservation::Foreign => {
                self.executor.start().lose();
                inputs.gateway_ended();
            }
        }
    }

    // --- the primary -------------------------------------------------------------------------

    fn probe_ended(&mut self, probed: Probed) {
        let Probed {
            probe,
            outcome,
            peer,
            readiness,
            certificate,
        } = probed;
        let mut events = self.take_kernel_events();
        let outcome = self.attributed(outcome, peer, readiness.as_ref());
        // What another one says of itself is none of the primary's.
        let readiness = readiness.filter(|_| !matches!(outcome, Outcome::Unknown { .. }));
        let answers = matches!(outcome, Outcome::Connected { .. });
        if let Some(peer) = peer.filter(|_| answers) {
            self.inputs.prober.answered(peer);
        }
        events.extend(self.drains(answers, readiness.as_ref()));
        self.observe_probe(&outcome, readiness.as_ref(), certificate.as_deref());
        if let Some(readiness) = &readiness {
            let inputs = &mut self.inputs;
            inputs.port_forward.compare(&inputs.port, readiness);
        }
        // What is seen comes first: the answer is judged by who listens now.
        let is_quiet = answers && self.decider.state() == State::Standby;
        if !is_quiet || self.inputs.port.is_stale() {
            events.extend(self.look());
        }
        match &outcome {
            Outcome::Connected { .. } => events.extend(self.look_up_routers()),
            // Above TCP nobody else's connection gainsays it.
            Outcome::Failed { failure, took } if !failure.is_above_tcp() => {
                events.extend(self.ask_others(*took));
            }
            Outcome::Failed { .. } | Outcome::Unknown { .. } => {}
        }
        events.push(Event::ProbeEnded { probe, outcome });
        self.decide(events);
        if answers {
            let judges = self.judges();
            self.inputs.quorum.primary_answers(&judges);
        }
    }

    /// What the kernel has noted until now is known before an answer is judged.
    fn take_kernel_events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..MOST_BATCHES {
            match self.inputs.kernel.drain() {
                Some(batch) if !batch.events.is_empty() || batch.lost > 0 => {
                    events.extend(self.kernel_events(&batch));
                }
                Some(_) | None => break,
            }
        }
        events
    }

    /// The outcome of a probe, if it can be the primary's.
    fn attributed(
        &mut self,
        outcome: Outcome,
        peer: Option<SocketAddr>,
        readiness: Option<&Readiness>,
    ) -> Outcome {
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

    /// What a probe tells beside its outcome is told when it changes.
    fn observe_probe(
        &mut self,
        outcome: &Outcome,
        readiness: Option<&Readiness>,
        certificate: Option<&str>,
    ) {
        let before = &self.observers.last_seen;
        let other_certificate =
            certificate.filter(|one| before.certificate.as_deref() != Some(one));
        let says_the_same = |now: &&Readiness| {
            let before = before.readiness.as_ref();
            before.is_some_and(|before| before.says_the_same(now))
        };
        let other_readiness = readiness.filter(|now| !says_the_same(now));
        if let Some(certificate) = other_certificate {
            self.observe(&Occurrence::Seen(Seen::Certificate(certificate)));
        }
        if let Some(readiness) = other_readiness {
            self.observe(&Occurrence::Seen(Seen::Readiness(readiness)));
        }
        let cause = self.inputs.take_cause();
        self.observe(&Occurrence::Seen(Seen::Probe(ProbeSeen {
            outcome,
            cause,
            certificate,
            readiness,
        })));
    }

    /// What the primary says of its own going, where that is another than before.
    fn drains(&self, answers: bool, readiness: Option<&Readiness>) -> Option<Event> {
        let drains =
            readiness.is_some_and(|readiness| readiness.startup == Some(Startup::Draining));
        let is_news = answers && drains != self.decider.primary_drains();
        is_news.then_some(Event::PrimaryDrains(drains))
    }

    /// A probe that took so long has failed: did the primary answer anybody else meanwhile?
    fn ask_others(&mut self, took: Duration) -> Option<Event> {
        let undecided = matches!(
            self.decider.state(),
            State::Standby | State::Suspect { .. } | State::Isolated
        );
        if !undecided {
            return None;
        }
        let prober = &self.inputs.prober;
        match acknowledged::acknowledged(prober.addresses(), &prober.own_sockets(), took) {
            Ok(Some(age)) if age < took => {
                let seen = Time::from_boot(clock::now().as_duration().saturating_sub(age));
                let source = Source::Acknowledged(age);
                Some(self.evidence(Evidence::Acknowledged, source, seen))
            }
            Ok(_) => None,
            Err(error) => {
                warn!(%error, "whether the primary answers others isn't known");
                None
            }
        }
    }

    // --- the witnesses -----------------------------------------------------------------------

    fn witnesses_answered(&mut self, answers: &Answers<Purpose>) {
        let judges = self.judges();
        let result = self.inputs.quorum.answered(answers, &judges).clone();
        if let Some(answered) = pinged(answers) {
            self.decide([Event::RoutersPinged { answered }]);
            let judges = self.judges();
            self.inputs.quorum.log_router(&judges);
        }
        let round = match answers.round {
            Purpose::Decision(round) => Some(round),
            Purpose::Check => None,
        };
        self.observe(&Occurrence::Seen(Seen::Witnesses {
            result: &result,
            for_decision: round.is_some(),
        }));
        let answered = result.answered;
        self.decide(round.map(|round| Event::Witnesses { round, answered }));
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

    // --- the local gateway -------------------------------------------------------------------

    /// The local gateway has answered its check, or not.
    fn gateway_probed(&mut self, report: LocalReport<GatewayProbeId>) {
        let LocalReport {
            probe,
            outcome,
            readiness,
        } = report;
        // Who listens now comes first: one that was stopped meanwhile didn't have to answer.
        self.look_and_decide();
        let holders = self.inputs.port.holders();
        let holders = holders.map(|(one, _)| one.key()).collect();
        self.inputs
            .attribution
            .local_says(readiness.as_ref(), holders);
        let draining = readiness.and_then(|readiness| readiness.draining_since);
        let drained = self.observers.last_seen.gateway_draining;
        self.observe(&Occurrence::Seen(Seen::GatewayProbe(GatewayProbeSeen {
            outcome: &outcome,
            counts: self.decider.counts_gateway_probe(probe) && draining.is_none(),
            draining,
        })));
        if let (Some(since), None) = (draining, drained) {
            self.observe(&Occurrence::Seen(Seen::GatewayDrains(since)));
        }
        let drains = draining.map(|_| Event::GatewayDrains);
        let probed = Event::GatewayProbed { probe, outcome };
        self.decide(drains.into_iter().chain([probed]));
    }

    /// A command has ended.
    fn command_ended(&mut self, command: Command, result: CommandResult) {
        // What the kernel saw of it comes first: a refused bind is the command's, not the next one's.
        let batch = self.inputs.kernel.drain();
        let mut events = match batch {
            Some(batch) => self.kernel_events(&batch),
            None => Vec::new(),
        };
        let ended = self.executor.finish(command, result);
        self.observe(&Occurrence::Command(
            command,
            CommandCourse::Ended {
                result: &ended.result,
                output: &ended.output,
                last_line: ended.last_line.as_deref(),
            },
        ));
        let result = match ended.instead {
            Some(launched) => self.launched(command, launched),
            None => Some(ended.result),
        };
        events.extend(self.look());
        events.extend(result.map(|result| Event::CommandEnded { command, result }));
        self.decide(events);
    }

    /// Somebody looked what the start began.
    fn start_seen(&mut self, found: &Found) {
        if self.executor.start().is_news(found.begun) {
            self.observe(&Occurrence::Seen(Seen::Start(found)));
        }
        // Who listens now comes first.
        let looked = match found.begun {
            Begun::Gone => self.look(),
            Begun::Alive | Begun::Unknown => None,
        };
        let begun = Event::Begun(found.begun);
        self.decide(looked.into_iter().chain([begun]));
    }
}
