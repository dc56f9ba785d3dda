//! The daemon in the world: it gets time when the script lets it, carries actions out and reports.

use std::time::Duration;

use super::{
    super::{
        super::{
            Action, Begun, Cause, CommandResult, Event, Evidence, Failure, Outcome,
            PortObservation, ProbeId, Step, Time,
        },
        journal::Entry,
        script::{Echo, Sight},
    },
    Happening, InFlight, Run, World,
};

/// How long a witness takes to answer.
const WITNESSES_ANSWER: Duration = Duration::from_millis(10);
/// How long a probe may take that answers the guard's silence.
const FOR_GUARD: Duration = Duration::from_millis(200);
/// How long the local gateway takes to answer.
const ANSWERS: Duration = Duration::from_millis(1);
/// How long a step that only tests have takes.
const STEP: Duration = Duration::from_millis(300);
/// How often the daemon checks what a start command started.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);

impl World {
    /// When the daemon gets time for what is due at this time.
    pub(super) fn awake(&self, at: Time) -> Time {
        let boot = Time::from_boot(self.script.boot);
        self.script
            .stalls
            .iter()
            .map(|&(from, until)| (boot + from, boot + until))
            .find(|&(from, until)| (from..until).contains(&at))
            .map_or(at, |(_, until)| until)
    }

    pub(super) fn tell_of_gateway(&mut self) {
        let gateway = match (self.listens(), self.foreign) {
            (true, _) => PortObservation::Listening,
            (false, true) => PortObservation::Foreign,
            (false, false) if self.ending => PortObservation::Terminating,
            (false, false) => PortObservation::Absent,
        };
        self.journal.write(self.elapsed(), Entry::Gateway(gateway));
        if self.looked {
            self.tell(Event::Port(gateway));
        }
    }

    pub(super) fn tell(&mut self, event: Event) {
        let awake = self.awake(self.now);
        if awake > self.now {
            let delay = awake.since(self.now);
            self.plan_in(delay, Happening::Arrives(event));
            return;
        }
        self.note(&event);
        if let Some(together) = &mut self.together {
            together.push(event);
            return;
        }
        self.invariants
            .before(self.now, &event, self.decider.decider());
        let actions = self.decider.handle(self.now, event);
        let wake = self.decider.next_wake();
        self.invariants
            .after(self.now, &actions, wake, self.decider.decider());
        let violations = self.invariants.violations();
        assert!(
            violations.is_empty() || self.decider.is_mutated(),
            "{violations:?}"
        );
        for action in actions {
            self.carry_out(action);
        }
    }

    /// Hands in the waiting events. Were there any?
    pub(super) fn hand_in(&mut self) -> bool {
        let events = self.together.as_mut().map(std::mem::take);
        let Some(events) = events.filter(|events| !events.is_empty()) else {
            return false;
        };
        for action in self.decider.handle_together(self.now, events) {
            self.carry_out(action);
        }
        true
    }

    fn note(&mut self, event: &Event) {
        let entry = match event {
            Event::Woke
            | Event::Port(_)
            | Event::GatewayDrains
            | Event::PrimaryDrains(_)
            | Event::ProbeWanted
            | Event::GatewayBegan(_)
            | Event::Begun(_)
            | Event::Parking(_)
            | Event::Standby { .. }
            | Event::DefaultRouters(_)
            | Event::Guard(_)
            | Event::Armed => return,
            Event::GatewayProbed { outcome, .. } => Entry::GatewayProbed(outcome.clone()),
            Event::Operator(order) => Entry::Ordered(*order),
            Event::ProbeEnded { probe, outcome } => {
                if matches!(outcome, Outcome::Connected { .. }) {
                    self.held = Some(*probe);
                }
                Entry::ProbeEnded(outcome.clone())
            }
            Event::Evidence(evidence, _) => Entry::Evidence(*evidence),
            Event::RoutersPinged { answered } => Entry::Pinged(answered.len()),
            Event::Witnesses { answered, .. } => Entry::Witnesses(*answered),
            Event::Suspended => Entry::Suspended,
            Event::CommandEnded { command, result } => Entry::Ended(*command, result.clone()),
        };
        self.journal.write(self.elapsed(), entry);
    }

    fn carry_out(&mut self, action: Action) {
        let entry = match action {
            Action::Probe { probe, cause } => {
                self.probe(probe, cause);
                Entry::Probe(cause)
            }
            Action::AskWitnesses { round } => {
                let now = self.elapsed();
                let answers = self.script.witnesses.iter().rev();
                let answer = answers.into_iter().find(|(from, _)| *from <= now);
                if let Some(&(_, Some(answered))) = answer {
                    let answer = Event::Witnesses { round, answered };
                    self.plan_in(WITNESSES_ANSWER, Happening::Arrives(answer));
                }
                Entry::AskWitnesses
            }
            Action::PingRouters => {
                let now = self.elapsed();
                let mut pings = self.script.pings.iter().rev();
                let answers = pings.find(|(from, _)| *from <= now);
                let routers = match answers {
                    Some((_, true)) => self.script.routers_at(now),
                    Some((_, false)) | None => &[],
                };
                let answered = routers.iter().map(|router| router.id.clone()).collect();
                let answer = Event::RoutersPinged { answered };
                self.plan_in(WITNESSES_ANSWER, Happening::Arrives(answer));
                Entry::PingRouters
            }
            Action::Run(command) => {
                self.run(command);
                Entry::Run(command)
            }
            Action::Kill(command) => {
                self.kill();
                Entry::Kill(command)
            }
            Action::ProbeGateway { probe } => {
                let timeout = self.script.settings.timeout;
                let hangs = self.hangs || self.now < self.answers;
                let outcome = match hangs {
                    true => Outcome::Failed {
                        failure: Failure::TimedOut,
                        took: timeout,
                    },
                    false => Outcome::Connected { took: ANSWERS },
                };
                let took = if hangs { timeout } else { ANSWERS };
                let answer = Event::GatewayProbed { probe, outcome };
                self.plan_in(took, Happening::Arrives(answer));
                Entry::GatewayProbe
            }
            Action::Withhold(command) => Entry::Withheld(command),
            Action::Record(change) => Entry::State(change.to),
            Action::Standby(state) => Entry::Standby(state),
            Action::DrillEnded(end) => Entry::DrillEnded(end),
        };
        self.journal.write(self.elapsed(), entry);
    }

    fn probe(&mut self, probe: ProbeId, cause: Cause) {
        self.held = None;
        let timeout = match cause {
            Cause::Guard => FOR_GUARD.min(self.script.settings.timeout),
            Cause::Scheduled | Cause::BadNews | Cause::GoodNews | Cause::Ordered => {
                self.script.settings.timeout
            }
        };
        let (took, outcome) = self.primary.probed(timeout);
        let echo = match outcome {
            Outcome::Connected { .. } => Some(Evidence::Established),
            Outcome::Failed { failure, .. } => match failure {
                Failure::Refused => Some(Evidence::Refused),
                Failure::TimedOut | Failure::Unreachable { .. } => Some(Evidence::TimedOut),
                // The connection was made, which speaks for nobody.
                Failure::NoAnswer(_) | Failure::WrongAnswer(_) | Failure::Gone(_) => None,
            },
            Outcome::Unknown { .. } => Some(Evidence::Refused),
        };
        let seen = self.now + took;
        let echo = echo.map(|evidence| Happening::Arrives(Event::Evidence(evidence, seen)));
        let ended = Happening::Arrives(Event::ProbeEnded { probe, outcome });
        let order = match self.script.echo {
            Echo::No => [Some(ended), None],
            Echo::BeforeTheProbeEnds => [echo, Some(ended)],
            Echo::AfterTheProbeEnded => [Some(ended), echo],
        };
        for happening in order.into_iter().flatten() {
            self.plan_in(took, happening);
        }
    }

    fn run(&mut self, command: Step) {
        let run = Run(self.last_run.0 + 1);
        self.last_run = run;
        let (ends, foreground, survives) = match command {
            Step::START => {
                let scripts = &self.script.starts;
                let start = if std::mem::take(&mut self.parked) {
                    self.script.goes_on.clone()
                } else {
                    scripts[self.starts.min(scripts.len() - 1)].clone()
                };
                self.starts += 1;
                self.lives = Some((run, self.now + start.lives));
                if let Some(delay) = start.listens {
                    self.plan_in(delay, Happening::GatewayListens(run, start.dies));
                }
                (start.ends, start.foreground, start.survives)
            }
            Step::STOP => {
                let scripts = &self.script.stops;
                let stop = scripts[self.stops.min(scripts.len() - 1)].clone();
                self.stops += 1;
                if let Some(delay) = stop.gone {
                    self.plan_in(delay, Happening::GatewayIsStopped);
                }
                (stop.ends, false, false)
            }
            Step::FENCE => {
                let scripts = &self.script.fences;
                let ends = scripts[self.fences.min(scripts.len() - 1)].clone();
                self.fences += 1;
                (ends, false, false)
            }
            Step::PARK => {
                let scripts = &self.script.parks;
                let ends = scripts[self.parks.min(scripts.len() - 1)].clone();
                self.parks += 1;
                (ends, false, false)
            }
            Step::DISCARD => {
                let scripts = &self.script.discards;
                let ends = scripts[self.discards.min(scripts.len() - 1)].clone();
                self.discards += 1;
                (ends, false, false)
            }
            // One that only a test has.
            _ => (Some((STEP, CommandResult::Succeeded)), false, false),
        };
        if let Some((delay, result)) = ends {
            self.plan_in(delay, Happening::CommandEnds(run, result));
        }
        self.in_flight = Some(InFlight {
            run,
            command,
            foreground,
            survives,
        });
    }

    /// What was seen of the start is out of date.
    pub(super) fn look_anew(&mut self) {
        self.hand_in();
        self.look += 1;
        self.look(self.look);
    }

    /// Checks repeatedly whether a process of the start is alive.
    pub(super) fn look(&mut self, turn: u64) {
        if turn != self.look || !self.decider.decider().awaits_start() {
            return;
        }
        let awake = self.awake(self.now);
        if awake > self.now {
            self.plan_in(awake.since(self.now), Happening::Look(turn));
            return;
        }
        let begun = match (self.script.sight, self.something_lives()) {
            (Sight::None, _) => return,
            (Sight::Bad, _) => Begun::Unknown,
            (Sight::Good, true) => Begun::Alive,
            (Sight::Good, false) => Begun::Gone,
        };
        self.plan_in(LOOKS_AGAIN, Happening::Look(turn));
        self.tell(Event::Begun(begun));
    }

    /// The start command that still runs is no sign of life once its gateway was lost.
    fn something_lives(&self) -> bool {
        let run = Some(self.last_run);
        let is_dead = |run: &Run| self.dead.contains(run);
        let comes = self.agenda.values().any(|happening| {
            matches!(happening, Happening::GatewayListens(comes, _) if Some(*comes) == run && !is_dead(comes))
        });
        let lives = self
            .lives
            .is_some_and(|(run, until)| run == self.last_run && !is_dead(&run) && self.now < until);
        comes || lives || self.ending || self.listens()
    }

    fn kill(&mut self) {
        if let Some(InFlight { run, survives, .. }) = self.in_flight {
            if !survives {
                self.dead.push(run);
            }
            let killed = CommandResult::Signalled { signal: 9 };
            self.plan_in(self.script.dying, Happening::CommandEnds(run, killed));
        }
    }
}
