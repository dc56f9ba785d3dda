//! The kernel's events, and the local port that they are about: what they say of the primary, and a look at who
//! listens where they say that something changed.

use tracing::warn;

use failover_decide::{Event, Evidence, PortObservation, Time};
use failover_linux::{
    bpf::{
        event::{Bind, KernelEvent, TcpStateChange},
        load::Batch,
    },
    process::is_this_program,
};

use crate::{
    daemon::Daemon,
    observe::occurrence::{Occurrence, Seen, Sighting, Source},
    primary::evidence,
};

impl Daemon {
    pub(super) fn kernel_events(&mut self, batch: &Batch) -> Vec<Event> {
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

    pub(super) fn evidence(&mut self, evidence: Evidence, source: Source, at: Time) -> Event {
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
            self.inputs.port.listeners_mut().bound(&bind.origin);
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
    pub(super) fn look(&mut self) -> Option<Event> {
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

    pub(in crate::daemon) fn look_and_decide(&mut self) {
        let event = self.look();
        self.decide(event);
    }

    /// Whatever else follows from a look at the local port, once it was decided by.
    pub(in crate::daemon) fn follow_port(&mut self, observation: PortObservation) {
        let inputs = &mut self.inputs;
        inputs
            .port_forward
            .look(&inputs.port, inputs.prober.addresses());
        match observation {
            PortObservation::Listening => {
                let holders = inputs
                    .port
                    .listeners()
                    .holders()
                    .filter(|(_, is_gateway)| *is_gateway);
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
}
