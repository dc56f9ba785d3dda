//! Decides which step is due, and whether it may be taken now. Every start is decided here.

use crate::{
    gate::{Gates, Passage, Question, Wait},
    input::{event::Begun, order::Order},
    known::{
        backoff::Backoff,
        parking::Parked,
        situation::{Attempt, PortState, Primary, Situation},
    },
    output::action::Action,
    step::Step,
    time::Time,
};

/// A step that is due, and what it still waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Due {
    pub(crate) step: Step,
    pub(crate) wait: Option<Wait>,
}

impl Situation {
    /// Begins the step that is due, if the gates are open, or ends the one in progress.
    pub(crate) fn command(&mut self, gates: Gates, now: Time, actions: &mut Vec<Action>) {
        let is_idle = self.attempt == Attempt::Idle || self.attempt.is_of_standby();
        if self.orders.releases() && is_idle && self.leaves_nothing() {
            self.orders.released();
        }
        self.interrupt_drill();
        if !is_idle && gates.inhibitor(self, Step::STOP).is_none() {
            self.cut_short(now, actions);
        }
        self.cut_parking_short(actions);
        if let Attempt::Running {
            command,
            killed: false,
            ..
        } = self.attempt
            && self.deadline().is_some_and(|deadline| now >= deadline)
        {
            if command == Step::START && self.begun != Some(Begun::Gone) {
                self.overdue = self.overdue.saturating_add(1);
            }
            self.kill(actions);
        }
        match self.attempt {
            // Parking never delays a takeover: what the gates wait for is queried meanwhile.
            Attempt::Running { killed, .. } if self.attempt.is_of_standby() => {
                if let Some(due) = self.due_takeover(gates) {
                    if due.wait.is_some() {
                        self.take(now, due, actions);
                    } else if !killed && self.attempt.step() == Some(Step::PARK) {
                        // The gateway keeps starting, and the start command continues it.
                        self.kill(actions);
                    }
                }
            }
            Attempt::Running { .. } | Attempt::Activating { .. } => {}
            Attempt::Idle => {
                if let Some(due) = self.due(gates)
                    && now >= self.not_before(due.step)
                {
                    self.take(now, due, actions);
                }
            }
        }
        self.note_withheld(gates, actions);
    }

    /// Is there nothing left that a release could undo?
    fn leaves_nothing(&self) -> bool {
        !self.listening() && !self.stop_owed && self.owed().is_none()
    }

    /// Takes a step whose pause is over, or queries what it waits for.
    fn take(&mut self, now: Time, due: Due, actions: &mut Vec<Action>) {
        let Some(wait) = due.wait else {
            return self.run(now, due.step, actions);
        };
        match wait.question {
            Some(Question::Witnesses) => {
                let round = self.isolation.ask(now);
                actions.extend(round.map(|round| Action::AskWitnesses { round }));
            }
            Some(Question::Primary) => self.schedule.ask_too(now),
            None => {}
        }
    }

    /// When a command must be ended, or may begin, unless something happens before.
    pub(crate) fn next_command(&self, gates: Gates) -> Option<Time> {
        match self.attempt {
            Attempt::Running { .. } if self.attempt.is_of_standby() => {
                let due = self.waiting_takeover(gates);
                let takeover = due.and_then(|due| self.next_of(due));
                [self.deadline(), takeover].into_iter().flatten().min()
            }
            Attempt::Running { .. } | Attempt::Activating { .. } => self.deadline(),
            Attempt::Idle => self.next_of(self.due(gates)?),
        }
    }

    /// When this step may begin, or when what it waits for must be queried.
    fn next_of(&self, due: Due) -> Option<Time> {
        let not_before = self.not_before(due.step);
        match due.wait {
            None => Some(not_before),
            Some(wait) => match (wait.until, wait.question) {
                (Some(until), _) => Some(until.max(not_before)),
                (None, question) => question.map(|_| not_before),
            },
        }
    }

    /// Ends an attempt that has lost its reason.
    fn cut_short(&mut self, now: Time, actions: &mut Vec<Action>) {
        match self.attempt {
            // The primary is back: a start in flight is interrupted, then undone.
            Attempt::Running {
                command: Step::START,
                killed,
                ..
            } if self.must_release() => {
                self.stop_owed = true;
                if !killed {
                    self.kill(actions);
                }
            }
            Attempt::Activating { .. } if self.must_release() => {
                self.attempt = Attempt::Idle;
                self.run(now, Step::STOP, actions);
            }
            // A start command that stays in the foreground is the gateway itself: killing it ends one that hangs.
            Attempt::Running {
                command: Step::START,
                killed: false,
                ..
            } if self.hangs() => {
                // It may leave something else running.
                self.stop_owed = true;
                self.kill(actions);
            }
            Attempt::Running {
                command,
                killed: false,
                ..
            } if self.is_preparation(command)
                && (self.orders.releases() || (self.healthy() && !self.orders.forces())) =>
            {
                self.kill(actions);
            }
            Attempt::Running { .. } | Attempt::Activating { .. } | Attempt::Idle => {}
        }
    }

    /// Ends a parking that has lost its reason.
    fn cut_parking_short(&mut self, actions: &mut Vec<Action>) {
        if let Attempt::Running {
            command: Step::PARK,
            killed: false,
            ..
        } = self.attempt
            && (self.listening() || !self.wants_parked())
        {
            self.kill(actions);
        }
    }

    /// The step of a takeover that is due, and whose pause is over.
    fn due_takeover(&self, gates: Gates) -> Option<Due> {
        let due = self.due(gates)?;
        let is_ready = self.now >= self.not_before(due.step);
        (is_ready && self.steps.is_of_takeover(due.step)).then_some(due)
    }

    /// The step of a takeover that is due and will do something about a command in the slot.
    fn waiting_takeover(&self, gates: Gates) -> Option<Due> {
        let due = self.due(gates)?;
        let parks = matches!(
            self.attempt,
            Attempt::Running {
                command: Step::PARK,
                killed: false,
                ..
            }
        );
        (self.steps.is_of_takeover(due.step) && (parks || due.wait.is_some())).then_some(due)
    }

    /// The step that is due, unless a gate inhibits it: the one that the situation requires, or one that has
    /// to be taken before it.
    pub(crate) fn due(&self, gates: Gates) -> Option<Due> {
        let mut step = self.asked_for()?;
        // Each turn goes to an earlier step.
        for _ in self.steps.all() {
            let wait = match gates.check(self, step) {
                Passage::Open => None,
                Passage::Waits(wait) => Some(wait),
                Passage::Inhibited(_) => return None,
                Passage::After(earlier) => {
                    step = earlier;
                    continue;
                }
            };
            return Some(Due { step, wait });
        }
        None
    }

    /// The step that the situation requires.
    fn asked_for(&self) -> Option<Step> {
        match (self.port?, &self.primary) {
            // What a failed start left behind is stopped before anything else, unless it serves by now.
            (port, _) if self.stop_owed && (self.must_release() || !port.listens()) => {
                Some(Step::STOP)
            }
            (PortState::Listening { .. }, _) if self.orders.releases() || self.hangs() => {
                Some(Step::STOP)
            }
            // Only an answer that is newer than the listener counts: an operator may have started it for a
            // failure that no probe has seen yet.
            (PortState::Listening { since }, Primary::Healthy { at, .. })
                if *at >= since && self.must_release() =>
            {
                Some(Step::STOP)
            }
            (PortState::Listening { .. }, _) if self.is_failed() => None,
            (port @ PortState::Listening { .. }, _) => self.standby_step(port),
            (PortState::Absent | PortState::Foreign, _)
                if self.must_release() && self.owed().is_some() =>
            {
                self.owed()
            }
            (PortState::Absent | PortState::Terminating | PortState::Foreign, _)
                if self.is_failed() && !self.must_discard_first() =>
            {
                Some(Step::START)
            }
            (port @ (PortState::Absent | PortState::Terminating | PortState::Foreign), _) => {
                self.standby_step(port)
            }
        }
    }

    /// During a pause, reports what would have been run.
    fn note_withheld(&mut self, gates: Gates, actions: &mut Vec<Action>) {
        let withheld = match (self.orders.pause(), self.attempt) {
            (Some(_), Attempt::Idle) => self.due_without_pause(gates),
            _ => None,
        };
        if withheld != self.withheld {
            self.withheld = withheld;
            actions.extend(withheld.map(Action::Withhold));
        }
    }

    /// The step that would be due if the pause were over.
    fn due_without_pause(&mut self, gates: Gates) -> Option<Step> {
        let orders = self.orders;
        self.orders.follow(Order::Resume);
        let due = self.due(gates);
        self.orders = orders;
        due.map(|due| due.step).filter(|step| !step.is_of_standby())
    }

    /// The end of the backoff after failed attempts.
    pub(crate) fn not_before(&self, step: Step) -> Time {
        self.backoffs
            .get(step)
            .map_or(self.now, Backoff::not_before)
    }

    fn run(&mut self, now: Time, command: Step, actions: &mut Vec<Action>) {
        self.back_off(command, Backoff::begin);
        let definition = self.steps.get(command);
        if let Some(undo) = definition.and_then(|definition| definition.undone_by) {
            self.owed.set(undo, true);
        }
        // A takeover by order says nothing about the primary.
        if command == Step::START && !self.orders.takes_over() {
            let failed = self.strikes().first().map_or(now, |strike| strike.due);
            self.flap_damping.takeover(failed);
        }
        if command == Step::START {
            // It continues a parked gateway.
            self.parking.parked = Parked::Absent;
        }
        self.attempt = Attempt::Running {
            command,
            since: now,
            killed: false,
            came_up: false,
            vanished: false,
            outdated: false,
        };
        self.begun = None;
        actions.push(Action::Run(command));
    }

    /// Is it a step of a takeover that comes before the start?
    fn is_preparation(&self, step: Step) -> bool {
        step != Step::START && self.steps.is_of_takeover(step)
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
}
