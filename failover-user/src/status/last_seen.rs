//! What was seen last, for whoever asks how it is: the last probe, what both gateways said of themselves, how
//! commands failed, and why the state is what it is. An observer; decides nothing.

use failover_decide::{Change, Command, Event, Inhibitor, Outcome, Probing, State};

use crate::{
    gateway::port::LocalPort,
    log::{lines, lines::EvidenceLog},
    observe::occurrence::{
        CommandCourse, Context, DaemonCourse, Decided, Observer, Occurrence, ProbeSeen, Seen,
        Source,
    },
    status::snapshot::Past,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct LastSeen {
    pub(crate) past: Past,
    /// What happened on connections to the primary since the last good probe.
    evidence: EvidenceLog,
    /// Why the state changed last.
    reason: String,
    /// The last line of the command that has just ended.
    last_line: Option<String>,
}

impl LastSeen {
    /// Why the state changed last.
    pub(crate) fn reason(&self) -> &str {
        &self.reason
    }

    /// Why the state changes now: in a sentence, and with all that led to it.
    pub(crate) fn explain(&self, change: &Change, port: &LocalPort) -> (String, String) {
        let detail = self.detail(change.to, port);
        let why = lines::why(change) + &detail;
        let reason = lines::reason(change, &detail, &self.evidence);
        (why, reason)
    }

    /// What else is known of why it is so, as the end of a sentence.
    fn detail(&self, state: State, port: &LocalPort) -> String {
        let failures = &self.past.failures;
        match state {
            State::Starting { attempt: 2.. } => failures.told(Command::Start),
            State::Fencing { attempt: 2.. } => failures.told(Command::Fence),
            State::Stopping { attempt: 2.. } | State::Restarting { attempt: 2.. } => {
                failures.told(Command::Stop)
            }
            State::Inhibited(Inhibitor::ForeignListener) => format!(": {}", port.held_by()),
            State::Standby
            | State::Suspect { .. }
            | State::Isolated
            | State::Fencing { .. }
            | State::Starting { .. }
            | State::Active
            | State::Inhibited(_)
            | State::Restarting { .. }
            | State::Stopping { .. } => String::new(),
        }
    }

    fn probe(&mut self, probe: &ProbeSeen, context: &Context) {
        let past = &mut self.past;
        past.probe = Some((context.now, probe.outcome.clone()));
        past.certificate = probe.certificate.map(str::to_owned);
        match (probe.outcome, probe.readiness) {
            (_, Some(readiness)) => past.readiness = Some(readiness.clone()),
            // What it said before it failed is not true now.
            (Outcome::Connected { .. } | Outcome::Failed { .. }, None) => past.readiness = None,
            (Outcome::Unknown { .. }, None) => {}
        }
        if matches!(probe.outcome, Outcome::Connected { .. }) {
            self.evidence.clear();
        }
    }

    fn seen(&mut self, seen: &Seen, context: &Context) {
        match seen {
            Seen::Probe(probe) => self.probe(probe, context),
            Seen::GatewayProbe(probe) => self.past.gateway_draining = probe.draining,
            Seen::Evidence(sighting) => match sighting.source {
                Source::Kernel(_) | Source::Tripwire | Source::Acknowledged(_) => {
                    self.evidence.note(&sighting.to_string());
                }
                Source::Own(_) => {}
            },
            Seen::Suspend(_)
            | Seen::KernelEvents { .. }
            | Seen::Listener(_)
            | Seen::RefusedBind(_)
            | Seen::Port(_)
            | Seen::Certificate(_)
            | Seen::Readiness(_)
            | Seen::GatewayDrains(_)
            | Seen::Witnesses { .. }
            | Seen::Start(_) => {}
        }
    }

    fn decided(&mut self, decided: &Decided, context: &Context) {
        match decided {
            Decided::Event(Event::CommandEnded { command, result }) => {
                let last_line = self.last_line.take();
                let state_dir = &context.configuration.state_dir;
                self.past
                    .failures
                    .ended(*command, result, last_line.as_deref(), state_dir);
            }
            Decided::State(change) => change.reason.clone_into(&mut self.reason),
            Decided::Event(_)
            | Decided::Actions(_)
            | Decided::Withheld(_)
            | Decided::Paused
            | Decided::PauseOver
            | Decided::HoldOver
            | Decided::Armed => {}
        }
    }
}

impl Observer for LastSeen {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Daemon(DaemonCourse::Reconfigured(Probing::OfAnother)) => {
                self.past.probe = None;
                self.evidence.clear();
            }
            Occurrence::Seen(seen) => self.seen(seen, context),
            Occurrence::Decided(decided) => self.decided(decided, context),
            Occurrence::Command(_, CommandCourse::Ended { last_line, .. }) => {
                self.last_line = last_line.map(str::to_owned);
            }
            Occurrence::Daemon(_)
            | Occurrence::Command(_, CommandCourse::Started)
            | Occurrence::Order(..)
            | Occurrence::Turned => {}
        }
    }
}
