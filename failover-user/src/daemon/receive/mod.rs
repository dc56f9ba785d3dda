//! Turns an input into events for the decider, in the order in which it needs them, and reports what was seen to
//! the observers. It must not know what is decided by any of that.

mod gateway;
mod guard;
mod kernel;
mod primary;
mod standby;
mod sync;

use failover_decide::{Event, Judges};
use failover_linux::clock;

use crate::{
    daemon::{Daemon, inputs::Input},
    observe::occurrence::{Occurrence, Seen, Source},
    primary::Report,
    state_dir::lock::Refusal,
    status::Protection,
    witness::{
        Answers,
        quorum::{Purpose, pinged},
    },
};

impl Daemon {
    /// Deals with something that woke the loop.
    ///
    /// # Errors
    /// When another daemon has the state directory.
    pub(in crate::daemon) fn receive(&mut self, input: Input) -> Result<(), Refusal> {
        if let Some(slept) = self.inputs.slept() {
            // Before any other event.
            self.observe(&Occurrence::Seen(Seen::Suspend(slept)));
            self.inputs.guard.interrupted();
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
                if self.inputs.kernel.try_again() {
                    self.inputs.port.with_events();
                    self.look_and_decide();
                }
            }
            Input::Probe(Report::Ended(report)) => {
                self.probe_ended(report);
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
            Input::Prepared(outcome) => self.prepared(&outcome),
            Input::Synced(report) => self.synced(&report),
            Input::StartSeen(found) => self.start_seen(&found),
            Input::Output => self.executor.log_output(false),
            Input::Request(pending) => self.answer(pending),
            Input::OrderOverdue => self.answer_overdue(),
            Input::View(request) => {
                let snapshot = self.snapshot();
                self.observers.dashboard.answer(request, snapshot);
            }
            Input::IsWell(question) => {
                let is_well = self.snapshot().protection != Protection::Unsafe;
                // It has ended if it doesn't wait any longer.
                let _ = question.send(is_well);
            }
            Input::Configuration(read) => self.reloaded(*read),
            Input::Lock(acquired) => acquired?,
            Input::Look => self.look_and_decide(),
            Input::Standby(sight) => self.standby_seen(&sight),
            // Followed in each turn.
            Input::Guard | Input::PortForward(None) | Input::Watchdog => {}
            Input::Time => self.decide([Event::Woke]),
        }
        Ok(())
    }

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
    pub(in crate::daemon) fn look_up_routers(&mut self) -> Option<Event> {
        let primary = self.inputs.prober.addresses();
        let found = self.inputs.quorum.look(primary);
        found.map(Event::DefaultRouters)
    }

    /// Who must be asked before a takeover.
    pub(in crate::daemon) fn judges(&self) -> Judges {
        self.decider.judges(&self.inputs.quorum.routers())
    }
}
