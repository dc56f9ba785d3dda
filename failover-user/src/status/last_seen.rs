//! What was seen last, for the status: the last probe, what both gateways said of themselves, how
//! commands failed, and why the state is what it is. An observer; decides nothing.

use std::time::Duration;

use failover_decide::{Change, Event, Outcome, Probing, StandbyState, Time};

use crate::{
    gateway::{command::failures::Failures, port::LocalPort},
    log::lines::EvidenceLog,
    observe::occurrence::{
        CommandCourse, Context, DaemonCourse, Decided, Observer, Occurrence, ProbeSeen, Seen,
        Source,
    },
    primary::check::readiness::Readiness,
    standby::mode::Effective,
    status::explanation::Explanation,
    wording,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct LastSeen {
    /// The last probe that has ended, and when.
    pub(crate) probe: Option<(Time, Outcome)>,
    /// What the primary last said of itself, unless it failed since.
    pub(crate) readiness: Option<Readiness>,
    /// The certificate that the last probe didn't trust.
    pub(crate) certificate: Option<String>,
    /// Since when the local gateway says that it drains, unless it listens no longer.
    pub(crate) gateway_draining: Option<Time>,
    /// How commands failed.
    pub(crate) failures: Failures,
    /// How ready the local gateway is kept, and why.
    pub(crate) standby: Option<Effective>,
    /// How long the last parking took.
    pub(crate) parking_took: Option<Duration>,
    /// Since when the local gateway is being parked.
    parking: Option<Time>,
    /// Why the state changed last.
    pub(crate) explanation: Option<Explanation>,
    /// What happened on connections to the primary since the last good probe.
    evidence: EvidenceLog,
    /// The last line of the command that has just ended.
    last_line: Option<String>,
}

impl LastSeen {
    /// Why the state changes now, with all that led to it.
    pub(crate) fn explain(&self, change: Change, port: &LocalPort) -> Explanation {
        let connections = self.evidence.of_strikes(&change.strikes);
        Explanation::new(
            change,
            &self.failures,
            || port.listeners().held_by(),
            connections,
        )
    }

    fn probe(&mut self, probe: &ProbeSeen, context: &Context) {
        self.probe = Some((context.now, probe.outcome.clone()));
        self.certificate = probe.certificate.map(str::to_owned);
        match (probe.outcome, probe.readiness) {
            (_, Some(readiness)) => self.readiness = Some(readiness.clone()),
            // What it said before it failed is not true now.
            (Outcome::Connected { .. } | Outcome::Failed { .. }, None) => self.readiness = None,
            (Outcome::Unknown { .. }, None) => {}
        }
        if matches!(probe.outcome, Outcome::Connected { .. }) {
            self.evidence.clear();
        }
    }

    /// How ready the local gateway is has changed.
    pub(super) fn standby_changed(&mut self, state: StandbyState, now: Time) {
        match state {
            StandbyState::Parking => self.parking = Some(now),
            StandbyState::Parked => {
                let begun = self.parking.take();
                self.parking_took = begun.map(|begun| now.since(begun)).or(self.parking_took);
            }
            StandbyState::Cold | StandbyState::Discarding => self.parking = None,
        }
    }

    fn seen(&mut self, seen: &Seen, context: &Context) {
        match seen {
            Seen::Probe(probe) => self.probe(probe, context),
            Seen::GatewayProbe(probe) => self.gateway_draining = probe.draining,
            Seen::Evidence(sighting) => match sighting.source {
                Source::Kernel(_) | Source::Tripwire | Source::Acknowledged(_) => {
                    self.evidence.note(&wording::reason::sighting(sighting));
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
                self.failures
                    .ended(*command, result, last_line.as_deref(), state_dir);
            }
            Decided::State(explanation) => self.explanation = Some((*explanation).clone()),
            Decided::StandbyMode(effective) => self.standby = Some((*effective).clone()),
            Decided::Standby(state) => self.standby_changed(*state, context.now),
            Decided::Event(_)
            | Decided::Actions(_)
            | Decided::Withheld(_)
            | Decided::Paused
            | Decided::PauseOver
            | Decided::HoldOver
            | Decided::DrillEnded(_)
            | Decided::Armed => {}
        }
    }
}

impl Observer for LastSeen {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            Occurrence::Daemon(DaemonCourse::Reconfigured(Probing::OfAnother)) => {
                self.probe = None;
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
            | Occurrence::Sync(_)
            | Occurrence::Turned => {}
        }
    }
}

/// A configuration that was read while the daemon ran, and isn't in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RefusedConfiguration {
    /// When it was read.
    pub(crate) at: Time,
    /// What is wrong with it, in a line.
    pub(crate) error: String,
}
