//! Is every state left? A copy of the decider is run in a calm world, in which the primary answers always or
//! never, commands work and nothing interferes: it must end in standby, or active.

use std::time::Duration;

use super::{
    books::Books,
    violation::{Invariant, Violations},
};
use crate::{
    Action, CommandResult, Decider, Event, Failure, GatewayProbeId, Outcome, PortObservation,
    ProbeId, RoundId, Settings, State, Step, Time,
};

/// How long a probe that is answered and a command take here: less than any timeout can be.
const ANSWER: Duration = Duration::from_millis(1);
const COMMAND: Duration = Duration::from_millis(10);
/// Backoff is at most an interval, so this number of intervals is plenty.
const PATIENCE: u32 = 20;
/// More events than a calm world needs.
const MOST_EVENTS: u32 = 10_000;
/// SIGKILL of Linux.
const KILLED: CommandResult = CommandResult::Signalled { signal: 9 };

impl Books {
    /// Whatever the state is now, a primary that answers leads to standby, and one that doesn't to an active
    /// local gateway.
    pub(super) fn state_is_left(&self, now: Time, decider: &Decider, violations: &mut Violations) {
        if !self.orders.leave_it_to_the_primary() {
            return;
        }
        for answers in [true, false] {
            // An unarmed decider doesn't take over.
            if !answers && !self.armed {
                continue;
            }
            let mut calm = CalmWorld::after(self, now, decider, answers);
            let settled = calm.settles_until(now + patience(&self.settings));
            violations.unless(settled, Invariant::StateLeft, || {
                let state = calm.decider.state().name();
                let primary = if answers { "answers" } else { "doesn't answer" };
                format!("{state}, though the primary {primary}")
            });
        }
    }
}

/// Longer than a calm world takes.
fn patience(settings: &Settings) -> Duration {
    let round = settings.interval.saturating_add(settings.timeout);
    let flapping = settings.flapping.as_ref();
    let successes = flapping.map_or(Duration::ZERO, |rules| {
        let most = rules.successes.iter().map(|count| count.get()).max();
        let gap = settings.recovery_interval.max(rules.interval);
        gap.saturating_add(settings.timeout)
            .saturating_mul(most.unwrap_or(1))
    });
    round
        .saturating_mul(settings.strikes.get().saturating_add(PATIENCE))
        .saturating_add(successes)
        // After two starts that timed out, a start has four times its timeout, and so has the first answer.
        .saturating_add(settings.start_timeout.saturating_mul(8))
        .saturating_add(settings.stop_timeout)
        .saturating_add(settings.fence_timeout)
        .saturating_add(settings.guard.restart_time)
}

/// See the module.
struct CalmWorld {
    decider: Decider,
    now: Time,
    timeout: Duration,
    answers: bool,
    probe: Option<(Time, ProbeId)>,
    gateway_probe: Option<(Time, GatewayProbeId)>,
    command: Option<(Time, Step, bool)>,
    witnesses: Option<(Time, RoundId)>,
    listening: bool,
}

impl CalmWorld {
    /// What was in flight when the world became calm fails; a round of witness queries times out.
    fn after(books: &Books, now: Time, decider: &Decider, answers: bool) -> Self {
        let mut calm = Self {
            decider: decider.clone(),
            now,
            timeout: books.settings.timeout,
            answers,
            probe: None,
            gateway_probe: books.gateway_probe.map(|probe| (now + ANSWER, probe)),
            command: books
                .command
                .map(|running| (now + COMMAND, running.command, false)),
            witnesses: None,
            listening: books.listens(),
        };
        if let Some((probe, ..)) = books.probe {
            calm.ask(probe);
        }
        match books.gateway {
            Some((PortObservation::Absent | PortObservation::Listening, _)) => {}
            Some((PortObservation::Terminating | PortObservation::Foreign, _)) | None => {
                calm.tell(Event::Port(PortObservation::Absent));
            }
        }
        calm
    }

    fn settles_until(&mut self, until: Time) -> bool {
        for _ in 0..MOST_EVENTS {
            if self.has_settled() {
                return true;
            }
            if !self.step(until) {
                return false;
            }
        }
        false
    }

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
        let times = [
            self.decider.next_wake(),
            self.probe.map(|(at, _)| at),
            self.gateway_probe.map(|(at, _)| at),
            self.command.map(|(at, ..)| at),
            self.witnesses.map(|(at, _)| at),
        ];
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
        } else if let Some((_, probe)) = self.gateway_probe.take_if(|(at, _)| *at <= next) {
            let outcome = Outcome::Connected { took: ANSWER };
            self.tell(Event::GatewayProbed { probe, outcome });
        } else if let Some((_, command, works)) = self.command.take_if(|(at, ..)| *at <= next) {
            self.command_ended(command, works);
        } else if let Some((_, round)) = self.witnesses.take_if(|(at, _)| *at <= next) {
            let answered = u32::MAX;
            self.tell(Event::Witnesses { round, answered });
        } else {
            self.tell(Event::Woke);
        }
        true
    }

    fn command_ended(&mut self, command: Step, works: bool) {
        let result = if works {
            let gateway = match command {
                Step::START => Some(PortObservation::Listening),
                Step::STOP => Some(PortObservation::Absent),
                _ => None,
            };
            if let Some(gateway) = gateway {
                self.listening = gateway == PortObservation::Listening;
                self.tell(Event::Port(gateway));
            }
            CommandResult::Succeeded
        } else {
            KILLED
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
                Action::ProbeGateway { probe } => {
                    self.gateway_probe = Some((self.now + ANSWER, probe));
                }
                Action::Record(_)
                | Action::PingRouters
                | Action::Withhold(_)
                | Action::Standby(_)
                | Action::DrillEnded(_) => {}
            }
        }
    }

    fn ask(&mut self, probe: ProbeId) {
        let takes = if self.answers { ANSWER } else { self.timeout };
        self.probe = Some((self.now + takes, probe));
    }
}
