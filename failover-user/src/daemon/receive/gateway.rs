//! The local gateway: its checks, the commands that start and stop it, and what a start began.

use failover_decide::{Begun, CommandResult, Event, GatewayProbeId, Step};

use crate::{
    daemon::Daemon,
    gateway::command::survivors::Found,
    observe::occurrence::{CommandCourse, GatewayProbeSeen, Occurrence, Seen},
    primary::local::LocalReport,
};

impl Daemon {
    /// The local gateway has answered its check, or not.
    pub(super) fn gateway_probed(&mut self, report: LocalReport<GatewayProbeId>) {
        let LocalReport {
            probe,
            outcome,
            readiness,
        } = report;
        // Who listens now comes first: one that was stopped meanwhile didn't have to answer.
        self.look_and_decide();
        let holders = self.inputs.port.listeners().holders();
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
    pub(super) fn command_ended(&mut self, command: Step, result: CommandResult) {
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
    pub(super) fn start_seen(&mut self, found: &Found) {
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
