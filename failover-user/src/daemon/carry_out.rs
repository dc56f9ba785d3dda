//! What is decided: each action of the decider is carried out, and what follows at once from that is told
//! to it again.

use std::collections::VecDeque;

use tracing::warn;

use failover_decide::{Action, Change, Command, CommandResult, Event, Inhibitor, State};
use failover_linux::clock;

use crate::{
    daemon::Daemon,
    gateway::command::executor::{Environment, Launched},
    log::lines as tell,
};

impl Daemon {
    /// Feeds one event, and whatever follows at once from carrying out what it leads to.
    pub(crate) fn handle(&mut self, event: Event) {
        let actions = self.decide(event);
        self.carry_out_all(actions);
    }

    pub(crate) fn decide(&mut self, event: Event) -> Vec<Action> {
        let now = clock::now();
        if let Event::CommandEnded { command, result } = &event {
            let last_line = self.last_line.take();
            let state_dir = &self.configuration.state_dir;
            self.past
                .failures
                .ended(*command, result, last_line.as_deref(), state_dir);
        }
        self.recorder.sees(now, &event);
        let actions = self.decider.handle(now, event);
        self.recorder.decided(now, &self.decider, &actions);
        actions
    }

    pub(crate) fn carry_out_all(&mut self, mut actions: Vec<Action>) {
        let mut events = VecDeque::new();
        loop {
            for action in actions {
                events.extend(self.carry_out(action));
            }
            let Some(event) = events.pop_front() else {
                break;
            };
            actions = self.decide(event);
        }
        let is_starting = self.is_starting();
        self.inputs.kernel.tell_binds(is_starting);
        self.executor.start().follow(self.decider.awaits_start());
        self.remember();
        self.alarms
            .stands(&self.decider, self.state_dir.persisted().pause.as_ref());
    }

    pub(crate) fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Probe { probe, cause } => {
                let is_starting = self.is_starting();
                self.inputs.probe(probe, cause, is_starting);
                None
            }
            Action::AskWitnesses { round } => {
                let found = self.look_up_routers();
                let judges = self.judges();
                self.inputs.quorum.ask(round, &judges);
                found
            }
            Action::PingRouters => {
                let judges = self.judges();
                self.inputs.quorum.check(&judges);
                None
            }
            Action::ProbeGateway { probe } => {
                self.inputs.probe_gateway(probe);
                None
            }
            Action::Withhold(command) => {
                warn!(%command, "paused: the command would be run now, and isn't");
                None
            }
            Action::Run(command) => {
                // Before it can bind.
                self.inputs.kernel.tell_binds(true);
                self.run(command)
            }
            Action::Kill(command) => {
                let result = self.executor.kill(command)?;
                Some(Event::CommandEnded { command, result })
            }
            Action::Record(change) => {
                let detail = self.detail(&change);
                self.reason = tell::change(&change, &detail, &self.recent);
                self.alarms.changed(&change, &self.reason);
                self.dashboard
                    .change(&change, &(tell::why(&change) + &detail));
                if change.to == State::Active {
                    self.executor.ask_for_force_anew();
                }
                None
            }
        }
    }

    pub(crate) fn run(&mut self, command: Command) -> Option<Event> {
        if command == Command::Start && !self.executor.is_dry() {
            self.inputs.port.start_begins(self.decider.start_limit());
        }
        let launched = self.executor.run(command, self.environment());
        let result = self.launched(command, launched)?;
        Some(Event::CommandEnded { command, result })
    }

    /// The result of a command that was to be run, where that is known already.
    pub(crate) fn launched(
        &mut self,
        command: Command,
        launched: Launched,
    ) -> Option<CommandResult> {
        match launched {
            Launched::Runs => {
                self.dashboard
                    .command(&format!("the {command} command was started"));
                None
            }
            Launched::Pretended => None,
            Launched::Ended(result) => Some(result),
        }
    }

    /// What a command is told.
    fn environment(&self) -> Environment {
        let strikes = self.decider.strikes();
        let first = strikes.first().map(|strike| clock::told(strike.due));
        vec![
            ("FAILOVER_REASON", self.reason.clone()),
            ("FAILOVER_PRIMARY", self.configuration.primary.to_string()),
            ("FAILOVER_STRIKES", strikes.len().to_string()),
            ("FAILOVER_FIRST_STRIKE", first.unwrap_or_default()),
        ]
    }

    /// What else is known of why it is so, as the end of a sentence.
    fn detail(&self, change: &Change) -> String {
        let failures = &self.past.failures;
        match change.to {
            State::Starting { attempt: 2.. } => failures.told(Command::Start),
            State::Fencing { attempt: 2.. } => failures.told(Command::Fence),
            State::Stopping { attempt: 2.. } | State::Restarting { attempt: 2.. } => {
                failures.told(Command::Stop)
            }
            State::Inhibited(Inhibitor::ForeignListener) => {
                format!(": {}", self.inputs.port.held_by())
            }
            _ => String::new(),
        }
    }
}
