//! A probe of the primary that has ended: whose answer it was, what else it says, and what has to be known before
//! it is judged.

use std::{net::SocketAddr, time::Duration};

use tracing::warn;

use failover_decide::{Event, Evidence, Outcome, State, Time};
use failover_linux::{clock, sock_diag::acknowledged};

use crate::{
    daemon::Daemon,
    observe::occurrence::{Occurrence, ProbeSeen, Seen, Source},
    primary::{
        ProbeReport,
        attribution::Here,
        check::readiness::{Readiness, Startup},
    },
};

/// The most batches of kernel events that are taken before an answer is judged.
const MOST_BATCHES: usize = 16;

impl Daemon {
    /// A probe of the primary has ended.
    pub(super) fn probe_ended(&mut self, report: ProbeReport) {
        let ProbeReport {
            probe,
            outcome,
            peer,
            readiness,
            certificate,
        } = report;
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

    /// What a probe reports beside its outcome is an occurrence when it changes.
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
}
