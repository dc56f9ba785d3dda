//! Is there a way out? Plays a copy of the decider on in a calm world, in which the primary answers
//! always or never and commands work.

use std::time::Duration;

use failover_decide::{
    Action, Command, CommandResult, Decider, Event, Failure, Outcome, PortObservation, ProbeId,
    RoundId, Settings, State, Time,
};

/// How long a probe that is answered and a command take here: less than any timeout can be.
const ANSWER: Duration = Duration::from_millis(1);
const COMMAND: Duration = Duration::from_millis(10);
/// Backoff is at most an interval, so this number of intervals is plenty.
const PATIENCE: u32 = 20;
/// More events than a calm world needs.
const MOST_EVENTS: u32 = 10_000;

/// What is in flight, and who listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) probe: Option<ProbeId>,
    pub(super) command: Option<Command>,
    pub(super) listening: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Escape {
    timeout: Duration,
    patience: Duration,
    quorum: u32,
}

/// The calm world.
struct Calm {
    decider: Decider,
    now: Time,
    timeout: Duration,
    answers: bool,
    probe: Option<(Time, ProbeId)>,
    command: Option<(Time, Command, bool)>,
    witnesses: Option<(Time, RoundId)>,
    quorum: u32,
    listening: bool,
}

impl Escape {
    pub(super) fn new(settings: &Settings) -> Self {
        let round = settings.interval + settings.timeout;
        Self {
            timeout: settings.timeout,
            quorum: settings.witness_quorum,
            patience: (round * settings.strikes.get()).max(round * PATIENCE)
                // After some that had all their time, a start has four times as much.
                + settings.start_timeout * 4
                + settings.stop_timeout,
        }
    }

    /// # Errors
    /// The state's name that was not left.
    pub(super) fn settles(
        &self,
        now: Time,
        decider: &Decider,
        facts: Facts,
        answers: bool,
    ) -> Result<(), &'static str> {
        let mut calm = Calm {
            decider: decider.clone(),
            now,
            timeout: self.timeout,
            answers,
            probe: None,
            // What was in flight when the world became calm comes to nothing.
            command: facts.command.map(|command| (now + COMMAND, command, false)),
            // A round in flight is given up in time.
            witnesses: None,
            quorum: self.quorum,
            listening: facts.listening,
        };
        if let Some(probe) = facts.probe {
            calm.ask(probe);
        }
        let until = now + self.patience;
        for _ in 0..MOST_EVENTS {
            if calm.has_settled() {
                return Ok(());
            }
            if !calm.step(until) {
                break;
            }
        }
        Err(calm.decider.state().name())
    }
}

impl Calm {
    fn has_settled(&self) -> bool {
        let wanted = if self.answers {
            State::Standby
        } else {
            State::Active
        };
        self.decider.state() == wanted && self.listening != self.answers
    }

    /// Lets the next thing happen; there may be none.
    fn step(&mut self, until: Time) -> bool {
        let probe = self.probe.map(|(at, _)| at);
        let command = self.command.map(|(at, ..)| at);
        let witnesses = self.witnesses.map(|(at, _)| at);
        let times = [self.decider.next_wake(), probe, command, witnesses];
        let Some(next) = times.into_iter().flatten().min() else {
            return false;
        };
        if next > until {
            return false;
        }
        self.now = self.now.max(next);
        if let Some((_, probe)) = self.probe.take_if(|(at, _)| *at <= next) {
            let outcome = if self.answers {
                Outcome::Connected { took: ANSWER }
            } else {
                Outcome::Failed {
                    failure: Failure::TimedOut,
                    took: self.timeout,
                }
            };
            self.tell(Event::ProbeEnded { probe, outcome });
        } else if let Some((_, command, works)) = self.command.take_if(|(at, ..)| *at <= next) {
            self.command_ended(command, works);
        } else if let Some((_, round)) = self.witnesses.take_if(|(at, _)| *at <= next) {
            let answered = self.quorum;
            self.tell(Event::Witnesses { round, answered });
        } else {
            self.tell(Event::Woke);
        }
        true
    }

    fn command_ended(&mut self, command: Command, works: bool) {
        let result = if works {
            let gateway = match command {
                Command::Start => Some(PortObservation::Listening),
                Command::Stop => Some(PortObservation::Absent),
                Command::Fence => None,
            };
            if let Some(gateway) = gateway {
                self.listening = gateway == PortObservation::Listening;
                self.tell(Event::Port(gateway));
            }
            CommandResult::Succeeded
        } else {
            CommandResult::Signalled {
                signal: libc::SIGKILL,
            }
        };
        self.tell(Event::CommandEnded { command, result });
    }

    fn tell(&mut self, event: Event) {
        for action in self.decider.handle(self.now, [event]) {
            match action {
                Action::Probe { probe, .. } => self.ask(probe),
                Action::Run(command) => self.command = Some((self.now + COMMAND, command, true)),
                Action::Kill(command) => self.command = Some((self.now + ANSWER, command, false)),
                Action::AskWitnesses { round } => {
                    self.witnesses = Some((self.now + ANSWER, round));
                }
                Action::Record(_)
                | Action::ProbeGateway { .. }
                | Action::PingRouters
                | Action::Withhold(_) => {}
            }
        }
    }

    fn ask(&mut self, probe: ProbeId) {
        let takes = if self.answers { ANSWER } else { self.timeout };
        self.probe = Some((self.now + takes, probe));
    }
}
