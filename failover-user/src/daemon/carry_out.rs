//! What is decided: the decider is given what came together, each action that follows is carried out, and what
//! is known at once of that is given to it again. Then what must survive is kept.

use std::collections::VecDeque;

use failover_decide::{Action, Change, CommandResult, Event, Inhibitor, StandbyState, State, Step};
use failover_linux::clock;

use crate::{
    daemon::{Daemon, armed_for},
    gateway::command::executor::{Environment, Launched},
    observe::occurrence::{CommandCourse, Decided, Occurrence},
    state_dir,
    state_dir::Durable,
    wording,
};

impl Daemon {
    /// Decides by what came together, and carries out what follows.
    pub(super) fn decide(&mut self, events: impl IntoIterator<Item = Event>) {
        let events: Vec<Event> = events.into_iter().collect();
        if events.is_empty() {
            return;
        }
        let observed = events.iter().rev().find_map(|event| match event {
            Event::Port(observation) => Some(*observation),
            _ => None,
        });
        let is_probed = |event: &Event| matches!(event, Event::ProbeEnded { .. });
        let has_probed = events.iter().any(is_probed);
        let actions = self.conclude(events);
        self.carry_out_all(actions);
        if let Some(observation) = observed {
            self.follow_port(observation);
        }
        if observed.is_some() || has_probed {
            // After the decider knows of them.
            let blocks = self.decider.state() == State::Inhibited(Inhibitor::ForeignListener);
            self.inputs.port.log_foreign(blocks);
        }
    }

    fn conclude(&mut self, events: Vec<Event>) -> Vec<Action> {
        let now = clock::now();
        for event in &events {
            self.observe_at(now, &Occurrence::Decided(Decided::Event(event)));
        }
        let actions = self.decider.handle(now, events);
        self.observe_at(now, &Occurrence::Decided(Decided::Actions(&actions)));
        actions
    }

    /// Carries these out, and whatever follows at once from that.
    pub(super) fn carry_out_all(&mut self, mut actions: Vec<Action>) {
        let mut events = VecDeque::new();
        loop {
            for action in actions {
                events.extend(self.carry_out(action));
            }
            let Some(event) = events.pop_front() else {
                break;
            };
            actions = self.conclude(vec![event]);
        }
        let is_starting = self.is_starting();
        self.inputs.kernel.tell_binds(is_starting);
        self.executor.start().follow(self.decider.awaits_start());
        self.tell_guard();
        self.keep();
    }

    /// Carries it out. What is known of that at once.
    pub(super) fn carry_out(&mut self, action: Action) -> Option<Event> {
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
                self.observe(&Occurrence::Decided(Decided::Withheld(command)));
                None
            }
            Action::Run(command) => {
                let result = self.run(command)?;
                Some(Event::CommandEnded { command, result })
            }
            Action::Kill(command) => {
                let result = self.executor.kill(command)?;
                Some(Event::CommandEnded { command, result })
            }
            Action::Record(change) => {
                self.record(change);
                None
            }
            Action::Standby(state) => {
                if state == StandbyState::Parked {
                    self.learn();
                }
                self.inputs.standby.hurry();
                self.observe(&Occurrence::Decided(Decided::Standby(state)));
                None
            }
            Action::DrillEnded(end) => {
                self.drill_ended(end);
                None
            }
        }
    }

    fn record(&mut self, change: Change) {
        let state = change.to;
        let explanation = self.observers.last_seen.explain(change, &self.inputs.port);
        self.observe(&Occurrence::Decided(Decided::State(&explanation)));
        if state == State::Active {
            // Also one that somebody else has started.
            self.serves();
            self.learn();
            self.executor.ask_for_force_again();
        }
    }

    // --- commands ----------------------------------------------------------------------------

    /// Runs a command. Its result, where that is known at once.
    pub(super) fn run(&mut self, command: Step) -> Option<CommandResult> {
        // Before it can bind.
        self.inputs.kernel.tell_binds(true);
        if command == Step::START && !self.executor.is_dry() {
            let limit = self.decider.start_limit();
            self.inputs.port.listeners_mut().start_begins(limit);
        }
        let environment = self.environment();
        if let Some((task, worker)) = self.preparation(command) {
            self.executor.prepare(task, worker, command, environment);
            return None;
        }
        self.run_prepared(command, environment)
    }

    /// Runs a command now that nothing has to be done before it. Its result, where that is known at once.
    pub(super) fn run_prepared(
        &mut self,
        command: Step,
        environment: Environment,
    ) -> Option<CommandResult> {
        if command == Step::START {
            self.serves();
        }
        let launched = self.executor.run(command, environment);
        self.launched(command, launched)
    }

    /// A command began like this. Its result, where that is known at once.
    pub(super) fn launched(&mut self, command: Step, launched: Launched) -> Option<CommandResult> {
        match launched {
            Launched::Runs => {
                self.observe(&Occurrence::Command(command, CommandCourse::Started));
                None
            }
            Launched::Pretended => None,
            Launched::Ended(result) => Some(result),
        }
    }

    /// A command is in flight, or the gateway it started doesn't listen yet.
    pub(super) fn is_starting(&self) -> bool {
        self.executor.is_busy() || matches!(self.decider.state(), State::Starting { .. })
    }

    /// What a command is given to know.
    fn environment(&self) -> Environment {
        let strikes = self.decider.strikes();
        let first = strikes.first().map(|strike| clock::rfc3339(strike.due));
        let primary = &self.settings.configuration.primary;
        let explanation = self.observers.last_seen.explanation.as_ref();
        let reason = explanation.map(wording::reason::explanation);
        vec![
            ("FAILOVER_REASON", reason.unwrap_or_default()),
            ("FAILOVER_PRIMARY", primary.to_string()),
            ("FAILOVER_STRIKES", strikes.len().to_string()),
            ("FAILOVER_FIRST_STRIKE", first.unwrap_or_default()),
        ]
    }

    // --- what survives -----------------------------------------------------------------------

    /// Keeps what must survive, once it is so.
    fn keep(&mut self) {
        let configuration = &self.settings.configuration;
        let changes = self.state_dir.keep(&Durable {
            primary: configuration.primary.to_string(),
            armed_for: armed_for(configuration),
            decided: self.decider.persistent_state(),
            answered: self.inputs.prober.good_addresses(),
            gateway: &configuration.gateway,
            bound: self.inputs.port.listeners().gateway_bound(),
        });
        for change in changes {
            self.observe(&Occurrence::Decided(match change {
                state_dir::Change::PauseOver => Decided::PauseOver,
                state_dir::Change::HoldOver => Decided::HoldOver,
                state_dir::Change::Armed => Decided::Armed,
            }));
        }
    }

    /// Tells the decider what survived of this primary.
    pub(super) fn recall(&mut self) {
        let armed_for = armed_for(&self.settings.configuration);
        if self.state_dir.persisted().armed_for == Some(armed_for) {
            self.decide([Event::Armed]);
        }
    }
}
