//! The deciding core: what was seen and when goes in, what to do comes out.
//!
//! No clock, no I/O, no async: the daemon, the tests and a simulator drive the very same code, with
//! [`Decider::handle`] and [`Decider::next_wake`]. It must not know of sockets, processes, eBPF or
//! log formats.
//!
//! Every rule is a function of what was observed last. Nothing is remembered that could be looked
//! at again, so a daemon that was killed and restarted decides like one that never stopped.

mod action;
mod backoff;
mod event;
mod isolation;
mod reconfigure;
mod schedule;
mod settings;
mod stability;
mod state;
mod strikes;
mod time;

#[cfg(test)]
mod tests;

pub use action::{Action, Command};
pub use event::{CommandResult, Event, Evidence, Failure, Gateway, Outcome, ProbeId, RoundId};
pub use reconfigure::Probing;
pub use schedule::Cause;
pub use settings::{Fence, Flapping, Settings};
pub use state::{Change, Reason, State};
pub use strikes::Strike;
pub use time::Time;

use std::time::Duration;

use backoff::Backoff;
use isolation::{Isolation, Turn};
use schedule::{InFlight, SLACK, Schedule};
use stability::Stability;
use strikes::Strikes;

/// A timer this late was not late: whoever waited for it was away. Far more than a loaded machine
/// needs, and shorter than any outage.
const ABSENCE: Duration = Duration::from_secs(2);

/// The state machine. See the module.
#[derive(Clone, Debug)]
pub struct Decider {
    settings: Settings,
    primary: Primary,
    /// `None` until somebody has looked: before that, nothing is run.
    gateway: Option<Seen>,
    attempt: Attempt,
    /// A start was cut short, so nobody knows what it left behind: a stop is due although nothing
    /// listens (yet).
    stop_owed: bool,
    starts: Backoff,
    stops: Backoff,
    fences: Backoff,
    /// The primary was made sure of since it answered last.
    fenced: bool,
    isolation: Isolation,
    stability: Stability,
    /// When somebody's connection last showed the primary alive.
    seen_alive: Option<Time>,
    /// Strikes in a row that this has prevented.
    vetoes: u32,
    schedule: Schedule,
    state: State,
    since: Time,
}

/// What the probes say of the primary.
#[derive(Clone, Debug)]
enum Primary {
    /// No probe has said anything yet, or what they said is too old.
    Unproven,
    /// The last probe that said anything was answered, at this time.
    Healthy {
        at: Time,
        /// So many in a row, a recovery interval apart.
        successes: u32,
        /// When the last of these was due.
        counted: Time,
    },
    /// The last one that said anything failed.
    Failing(Strikes),
}

/// The local gateway as it was seen last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Absent,
    Listening { since: Time },
}

/// The command slot: there is one, so two commands can't be in flight.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Attempt {
    Idle,
    Running {
        command: Command,
        since: Time,
        killed: bool,
        came_up: bool,
    },
    /// A start that said it succeeded, and nothing listens yet.
    Settling {
        since: Time,
    },
}

impl Decider {
    /// A decider that has seen nothing. Its first probe is due at once.
    #[must_use]
    pub fn new(settings: Settings, now: Time) -> Self {
        let backoff = Backoff::new(settings.recovery_interval, settings.interval, now);
        Self {
            primary: Primary::Unproven,
            gateway: None,
            attempt: Attempt::Idle,
            stop_owed: false,
            starts: backoff.clone(),
            stops: backoff.clone(),
            fences: backoff,
            fenced: false,
            isolation: Isolation::new(&settings),
            stability: Stability::new(&settings),
            seen_alive: None,
            vetoes: 0,
            schedule: Schedule::new(now),
            state: State::Standby,
            since: now,
            settings,
        }
    }

    /// Takes in one event and returns what is to be done, in order.
    pub fn handle(&mut self, now: Time, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let absent = event == Event::Suspended || self.was_absent(now);
        if absent {
            self.begin_anew(now);
        }
        let mut reason = self.absorb(now, event);
        if absent {
            reason = Reason::Absence;
        }
        self.settle(now, reason, &mut actions);
        actions
    }

    /// Whatever follows from what is seen now.
    fn settle(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let mut commands = Vec::new();
        self.forget_old_strikes(now);
        self.command(now, &mut commands);
        // People read why before they read what.
        self.note_change(now, reason, actions);
        actions.append(&mut commands);
        // After the change of state, which sets the pace.
        if let Some(action) = self.schedule.probe(now, self.pace()) {
            actions.push(action);
        }
    }

    /// When to call [`Self::handle`] with [`Event::Woke`], if nothing else happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        let command = match self.attempt {
            Attempt::Running { .. } | Attempt::Settling { .. } => self.deadline(),
            Attempt::Idle => self.wanted().map(|command| {
                let paused = self.pauses(command).not_before();
                let gate = match command {
                    Command::Stop => None,
                    Command::Start | Command::Fence => self.isolation.waits_until(),
                };
                gate.map_or(paused, |gate| gate.max(paused))
            }),
        };
        [self.schedule.next(self.pace()), command]
            .into_iter()
            .flatten()
            .min()
    }

    /// The state, as people name it.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Since when it has been in this state.
    #[must_use]
    pub fn since(&self) -> Time {
        self.since
    }

    /// The failed probes in a row that count, oldest first.
    #[must_use]
    pub fn strikes(&self) -> &[Strike] {
        match &self.primary {
            Primary::Failing(strikes) => strikes.as_slice(),
            Primary::Unproven | Primary::Healthy { .. } => &[],
        }
    }

    /// How many successes in a row a release takes now.
    #[must_use]
    pub fn release_needs(&self) -> u32 {
        self.stability.needed()
    }

    // --- taking in ---------------------------------------------------------------------------

    fn absorb(&mut self, now: Time, event: Event) -> Reason {
        match event {
            Event::Woke | Event::Suspended => self.absorb_time(now),
            Event::ProbeEnded { probe, outcome } => self.absorb_probe(now, probe, outcome),
            Event::Evidence(evidence) => {
                let failing = matches!(self.primary, Primary::Failing(_));
                self.schedule.evidence(now, evidence, failing);
                if evidence.is_good() {
                    self.absorb_sign_of_life(now);
                }
                Reason::Evidence(evidence)
            }
            Event::Witnesses { round, answered } => {
                if self.isolation.answered(round, answered) == Turn::Reconnected
                    && matches!(self.primary, Primary::Failing(_))
                {
                    self.primary = Primary::Unproven;
                }
                Reason::Witnesses { answered }
            }
            Event::Gateway(gateway) => self.absorb_gateway(now, gateway),
            Event::CommandEnded { command, result } => self.absorb_command(now, command, result),
        }
    }

    fn absorb_time(&mut self, now: Time) -> Reason {
        if let Attempt::Settling { since } = self.attempt
            && now >= since + self.settings.start_timeout
        {
            self.attempt = Attempt::Idle;
            self.starts.failed(now);
            return Reason::NeverListened;
        }
        Reason::Time
    }

    fn absorb_probe(&mut self, now: Time, probe: ProbeId, outcome: Outcome) -> Reason {
        let Some(ended) = self.schedule.ended(probe, &outcome) else {
            return Reason::Time;
        };
        match &outcome {
            Outcome::Connected { .. } => self.absorb_success(now, ended),
            // A probe brought forward by good news is a bonus: its failure changes nothing.
            Outcome::Failed { .. } if ended.cause == Cause::GoodNews || ended.distrusted => {}
            // Somebody else saw it alive meanwhile: the probe was wrong, not the primary.
            Outcome::Failed { .. }
                if self.seen_alive.is_some_and(|seen| seen >= ended.due)
                    && self.vetoes < self.settings.veto_limit =>
            {
                self.vetoes += 1;
                return Reason::Vetoed(outcome);
            }
            Outcome::Failed { failure, took } => {
                let strike = Strike {
                    due: ended.due,
                    failure: *failure,
                    took: *took,
                };
                if !matches!(self.primary, Primary::Failing(_)) {
                    self.primary = Primary::Failing(Strikes::new(&self.settings));
                    self.stops.reset(now);
                }
                if let Primary::Failing(strikes) = &mut self.primary {
                    strikes.add(strike);
                }
            }
            // Neither a strike nor a reset.
            Outcome::Unknown { .. } => {}
        }
        Reason::Probe(outcome)
    }

    fn absorb_success(&mut self, now: Time, ended: InFlight) {
        let spacing = self.settings.recovery_interval.saturating_sub(SLACK);
        self.primary = match self.primary {
            Primary::Healthy {
                successes, counted, ..
            } => {
                let counts = ended.due >= counted + spacing;
                Primary::Healthy {
                    at: now,
                    successes: successes.saturating_add(u32::from(counts)),
                    counted: if counts { ended.due } else { counted },
                }
            }
            Primary::Unproven | Primary::Failing(_) => Primary::Healthy {
                at: now,
                successes: 1,
                counted: ended.due,
            },
        };
        self.starts.reset(now);
        self.fences.reset(now);
        self.fenced = false;
        self.isolation.forget();
        self.vetoes = 0;
        if self.trusted() {
            self.stability.release(now);
        }
    }

    /// Somebody's connection shows that the primary lives: its last strike was none.
    fn absorb_sign_of_life(&mut self, now: Time) {
        self.seen_alive = Some(now);
        if let Primary::Failing(strikes) = &mut self.primary
            && !strikes.reached()
            && self.vetoes < self.settings.veto_limit
        {
            self.vetoes += 1;
            strikes.take_back();
        }
    }

    /// Whoever drives the decider came much later than it should have.
    fn was_absent(&self, now: Time) -> bool {
        let answer = self
            .schedule
            .in_flight_since()
            .map(|since| since + self.settings.timeout);
        let expected = [self.next_wake(), answer].into_iter().flatten().min();
        expected.is_some_and(|expected| now.since(expected) > ABSENCE)
    }

    /// What was seen before the absence says nothing of now, and no deadline was fair.
    fn begin_anew(&mut self, now: Time) {
        if matches!(self.primary, Primary::Failing(_)) {
            self.primary = Primary::Unproven;
        }
        self.fenced = false;
        self.schedule.distrust();
        match &mut self.attempt {
            Attempt::Running { since, .. } | Attempt::Settling { since } => *since = now,
            Attempt::Idle => {}
        }
    }

    fn absorb_gateway(&mut self, now: Time, gateway: Gateway) -> Reason {
        match (self.gateway, gateway) {
            (Some(Seen::Listening { .. }), Gateway::Listening)
            | (Some(Seen::Absent), Gateway::Absent) => return Reason::Time,
            (_, Gateway::Listening) => {
                self.gateway = Some(Seen::Listening { since: now });
                match &mut self.attempt {
                    Attempt::Running { came_up, .. } => *came_up = true,
                    Attempt::Settling { .. } => self.attempt = Attempt::Idle,
                    Attempt::Idle => {}
                }
            }
            (before, Gateway::Absent) => {
                self.gateway = Some(Seen::Absent);
                if matches!(self.state, State::Stopping { .. }) {
                    self.stops.reset(now);
                } else if let Some(Seen::Listening { since }) = before {
                    self.starts.vanished(now, now.since(since));
                }
            }
        }
        Reason::Gateway(gateway)
    }

    fn absorb_command(&mut self, now: Time, ended: Command, result: CommandResult) -> Reason {
        let Attempt::Running {
            command,
            since,
            killed,
            came_up,
        } = self.attempt
        else {
            return Reason::Time;
        };
        if command != ended {
            return Reason::Time;
        }
        self.attempt = Attempt::Idle;
        let listening = self.listening();
        match command {
            Command::Start if listening || came_up => {}
            // Cut short because the primary is back: no failure of the gateway's.
            Command::Start if killed && self.stop_owed => {}
            Command::Start if result == CommandResult::Succeeded => {
                self.attempt = Attempt::Settling { since };
            }
            Command::Start => self.starts.failed(now),
            Command::Stop => {
                self.stop_owed = false;
                if listening {
                    self.stops.failed(now);
                }
            }
            // The primary is back: whatever was made sure of then is not true now.
            Command::Fence if self.healthy() => {}
            Command::Fence => {
                self.fenced =
                    result == CommandResult::Succeeded || self.settings.fence == Fence::Optional;
                if !self.fenced {
                    self.fences.failed(now);
                }
            }
        }
        Reason::CommandEnded { command, result }
    }

    fn forget_old_strikes(&mut self, now: Time) {
        if let Primary::Failing(strikes) = &mut self.primary {
            strikes.forget_old(now);
            if strikes.as_slice().is_empty() {
                self.primary = Primary::Unproven;
            }
        }
    }

    // --- deciding ----------------------------------------------------------------------------

    /// Starts or ends a command where what is seen asks for it.
    fn command(&mut self, now: Time, actions: &mut Vec<Action>) {
        match self.attempt {
            Attempt::Running {
                command: Command::Start,
                killed,
                ..
            } if self.trusted() => {
                // Good news is believed at once: a start in flight is cut short, then undone.
                self.stop_owed = true;
                if !killed {
                    self.kill(actions);
                }
            }
            Attempt::Running {
                command: Command::Fence,
                killed: false,
                ..
            } if self.healthy() => self.kill(actions),
            Attempt::Running { killed: false, .. }
                if self.deadline().is_some_and(|deadline| now >= deadline) =>
            {
                self.kill(actions);
            }
            Attempt::Settling { .. } if self.trusted() => {
                self.stop_owed = true;
                self.attempt = Attempt::Idle;
                self.run(now, Command::Stop, actions);
            }
            Attempt::Running { .. } | Attempt::Settling { .. } => {}
            Attempt::Idle => {
                if let Some(command) = self.wanted()
                    && now >= self.pauses(command).not_before()
                {
                    if command == Command::Stop || self.isolation.ruled_out(now) {
                        self.run(now, command, actions);
                    } else if let Some(round) = self.isolation.ask(now) {
                        actions.push(Action::AskWitnesses { round });
                    }
                }
            }
        }
    }

    /// The command that what is seen asks for.
    fn wanted(&self) -> Option<Command> {
        match (&self.primary, self.gateway?) {
            _ if self.trusted() && self.stop_owed => Some(Command::Stop),
            // Only an answer since it listens counts: somebody may have started it for a reason
            // that no probe has seen yet.
            (Primary::Healthy { at, .. }, Seen::Listening { since })
                if *at >= since && self.trusted() =>
            {
                Some(Command::Stop)
            }
            (Primary::Failing(strikes), Seen::Absent) if strikes.reached() => {
                let made_sure = self.fenced || self.settings.fence == Fence::None;
                Some(if made_sure {
                    Command::Start
                } else {
                    Command::Fence
                })
            }
            _ => None,
        }
    }

    fn pauses(&self, command: Command) -> &Backoff {
        match command {
            Command::Start => &self.starts,
            Command::Stop => &self.stops,
            Command::Fence => &self.fences,
        }
    }

    fn run(&mut self, now: Time, command: Command, actions: &mut Vec<Action>) {
        match command {
            Command::Start => {
                self.stop_owed = false;
                self.starts.begin();
                self.stability.takeover(now);
            }
            Command::Stop => self.stops.begin(),
            Command::Fence => self.fences.begin(),
        }
        self.attempt = Attempt::Running {
            command,
            since: now,
            killed: false,
            came_up: false,
        };
        actions.push(Action::Run(command));
    }

    fn kill(&mut self, actions: &mut Vec<Action>) {
        if let Attempt::Running {
            command, killed, ..
        } = &mut self.attempt
        {
            *killed = true;
            actions.push(Action::Kill(*command));
        }
    }

    /// When the attempt has had its time.
    fn deadline(&self) -> Option<Time> {
        match self.attempt {
            // A start command that stays in the foreground is the gateway itself: leave it alone.
            Attempt::Running {
                command: Command::Start,
                ..
            } if self.listening() => None,
            Attempt::Running {
                command: Command::Start,
                since,
                killed: false,
                ..
            }
            | Attempt::Settling { since } => Some(since + self.settings.start_timeout),
            Attempt::Running {
                command: Command::Stop,
                since,
                killed: false,
                ..
            } => Some(since + self.settings.stop_timeout),
            Attempt::Running {
                command: Command::Fence,
                since,
                killed: false,
                ..
            } => Some(since + self.settings.fence_timeout),
            Attempt::Running { killed: true, .. } | Attempt::Idle => None,
        }
    }

    /// The last probe that said anything was answered.
    fn healthy(&self) -> bool {
        matches!(self.primary, Primary::Healthy { .. })
    }

    /// It was, and often enough to let go of the local gateway.
    fn trusted(&self) -> bool {
        matches!(self.primary, Primary::Healthy { successes, .. }
            if successes >= self.stability.needed())
    }

    fn listening(&self) -> bool {
        matches!(self.gateway, Some(Seen::Listening { .. }))
    }

    // --- telling -----------------------------------------------------------------------------

    fn note_change(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let state = self.derived_state();
        if state == self.state {
            return;
        }
        if !state.same_name(self.state) {
            self.since = now;
        }
        let change = Change {
            from: self.state,
            to: state,
            reason,
            strikes: self.strikes().to_vec(),
        };
        self.state = state;
        actions.push(Action::Record(change));
    }

    /// The state is a function of what is seen: it can't disagree with it.
    fn derived_state(&self) -> State {
        let runs = match self.attempt {
            Attempt::Idle => None,
            Attempt::Running { command, .. } => Some(command),
            Attempt::Settling { .. } => Some(Command::Start),
        };
        let starting = State::Starting {
            attempt: self.starts.attempt(),
        };
        let stopping = State::Stopping {
            attempt: self.stops.attempt(),
        };
        let fencing = State::Fencing {
            attempt: self.fences.attempt(),
        };
        let wanted = self.wanted();
        let stop_wanted = wanted == Some(Command::Stop);
        match &self.primary {
            _ if self.stop_owed && (stop_wanted || runs.is_some()) => stopping,
            _ if self.listening() && (stop_wanted || runs == Some(Command::Stop)) => stopping,
            _ if self.listening() => State::Active,
            _ if runs == Some(Command::Start) => starting,
            _ if runs == Some(Command::Fence) => fencing,
            Primary::Failing(_) if wanted.is_some() && self.isolation.is_isolated() => {
                State::Isolated
            }
            Primary::Failing(_) if wanted.is_some() && self.isolation.was_ruled_out() => {
                match wanted {
                    Some(Command::Fence) => fencing,
                    _ => starting,
                }
            }
            Primary::Failing(strikes) => State::Suspect {
                strikes: strikes.count(),
            },
            Primary::Healthy { .. } | Primary::Unproven => State::Standby,
        }
    }

    /// How often the primary is probed now.
    fn pace(&self) -> Duration {
        match self.state {
            State::Standby | State::Isolated => self.settings.interval,
            State::Suspect { .. } => self.settings.confirm_interval,
            State::Fencing { .. }
            | State::Starting { .. }
            | State::Active
            | State::Stopping { .. } => self.settings.recovery_interval,
        }
    }
}
