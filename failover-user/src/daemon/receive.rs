//! What is seen: noted for people, and told to the decider, in the order in which it has to be known.

use tracing::{debug, info, warn};

use failover_decide::{
    Begun, Command, CommandResult, Event, GatewayProbeId, Inhibitor, Outcome, PortObservation,
    ProbeId, State, Time,
};
use failover_linux::{
    bpf::{
        event::{Bind, KernelEvent},
        load::{Batch, KernelEvents},
    },
    clock,
    escape::Escaped,
    process::is_this_program,
};

use crate::{
    daemon::{Daemon, preflight},
    gateway::{command::survivors::Found, port::started},
    log::lines as tell,
    primary::{
        check::readiness::{Readiness, Startup},
        evidence,
        local::LocalReport,
    },
};

impl Daemon {
    pub(crate) fn kernel_events(&mut self, batch: &Batch) {
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
            if change.local.port() == self.port.number().get() {
                self.origin.changed(change);
            }
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
        self.watchers.evidence(what);
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

    /// A command has ended.
    pub(crate) fn command_ended(&mut self, command: Command, result: CommandResult) {
        // What the kernel saw of it comes first: a refused bind is the command's, not the next one's.
        if let Some(batch) = self.kernel.as_mut().map(KernelEvents::drain) {
            self.kernel_events(&batch);
        }
        let ended = self.executor.finish(command, result);
        self.recorder.said(&ended.output);
        self.last_line = ended.last_line;
        self.watchers
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
                let holders = self.port.holders().filter(|(_, is_gateway)| *is_gateway);
                let programs = holders.filter_map(|(holder, _)| holder.executable.clone());
                self.executor.start().listen(programs);
                self.tell_when_gateway_began();
            }
            PortObservation::Absent | PortObservation::Terminating | PortObservation::Foreign => {
                self.executor.start().lose();
                self.gateway_began = None;
            }
        }
    }

    /// Its first answer is due so long after that.
    fn tell_when_gateway_began(&mut self) {
        let gateways = self.port.holders().filter(|(_, is_gateway)| *is_gateway);
        let began = gateways.map(|(holder, _)| holder.started).min();
        let began = began.filter(|ticks| *ticks > 0).map(started::time);
        if began.is_some() && began != self.gateway_began {
            self.gateway_began = began;
            let comes_up = began.filter(|_| self.decider.gateway_comes_up());
            if let Some(began) = comes_up {
                self.handle(Event::GatewayBegan(began));
            }
        }
    }

    pub(crate) fn look(&mut self) {
        match self.port.look() {
            Ok(gateway) => {
                if gateway == PortObservation::Foreign {
                    self.recorder
                        .note_stranger(clock::now(), &self.port.held_by());
                }
                self.handle(Event::Port(gateway));
                self.note_gateway(gateway);
                self.tell_of_strangers();
                self.tunnel.look(&self.port, self.prober.addresses());
                self.past.tunnel = self.tunnel.problem();
                self.watchers.looked(self.port.is_listening());
            }
            Err(error) => warn!(%error, "who listens isn't known; asked again"),
        }
    }

    /// After the decider knows of them.
    pub(crate) fn tell_of_strangers(&mut self) {
        let blocks = self.decider.state() == State::Inhibited(Inhibitor::ForeignListener);
        self.port.tell_of_strangers(blocks);
    }

    pub(crate) fn probe_ended(&mut self, probe: ProbeId, outcome: Outcome) {
        let cause = self.probe_cause.take();
        self.probes.tell(&outcome, cause, self.decider.state());
        self.watchers.probe(&outcome);
        if matches!(outcome, Outcome::Connected { .. }) {
            self.recent.clear();
        }
        // What is seen comes first: the answer is judged by who listens now.
        let quiet = matches!(self.decider.state(), State::Standby)
            && matches!(outcome, Outcome::Connected { .. });
        if !quiet || self.port.is_stale() {
            self.look();
        }
        if self.past.probe.is_none()
            && let Some(finding) = crate::preflight::first_probe(
                &self.configuration,
                &outcome,
                self.past.certificate.as_deref(),
            )
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

    /// The local gateway has answered its check, or not.
    pub(crate) fn gateway_probed(&mut self, report: LocalReport<GatewayProbeId>) {
        let LocalReport {
            probe,
            outcome,
            readiness,
        } = report;
        // Who listens now comes first: one that was stopped meanwhile didn't have to answer.
        self.look();
        let holders = self.port.holders().map(|(one, _)| one.key()).collect();
        self.origin.local_says(readiness.as_ref(), holders);
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
