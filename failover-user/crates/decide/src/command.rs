//! Deciding: which command is due, and whether it may run now. The only place where a start can come
//! from.

use super::{
    Action, Attempt, Begun, Decider, Fence, Hold, Primary, Seen, Time, action::Command,
    backoff::Backoff,
};

impl Decider {
    /// Starts or ends a command where what is seen asks for it.
    pub(super) fn command(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.attempt == Attempt::Idle && !self.listening() && !self.stop_owed {
            // There is nothing left that a release could stop.
            self.orders.released();
        }
        if self.orders.pause().is_none() {
            self.cut_short(now, actions);
        }
        match self.attempt {
            Attempt::Running {
                command,
                killed: false,
                ..
            } if self.deadline().is_some_and(|deadline| now >= deadline) => {
                if command == Command::Start && self.begun != Some(Begun::Gone) {
                    self.overdue = self.overdue.saturating_add(1);
                }
                self.kill(actions);
            }
            Attempt::Running { .. } | Attempt::Settling { .. } => {}
            Attempt::Idle => {
                if let Some(command) = self.wanted()
                    && now >= self.pauses(command).not_before()
                {
                    let passes = command == Command::Stop || self.orders.forces();
                    if passes || (self.isolation.ruled_out(now) && !self.awaits_probe()) {
                        self.run(now, command, actions);
                    } else if self.isolation.ruled_out(now) {
                        // A probe says whether the path is still gone.
                        self.schedule.ask_too(now);
                    } else if let Some(round) = self.isolation.ask(now) {
                        actions.push(Action::AskWitnesses { round });
                    }
                }
            }
        }
        self.tell_withheld(actions);
    }

    /// Ends an attempt that has lost its reason.
    fn cut_short(&mut self, now: Time, actions: &mut Vec<Action>) {
        match self.attempt {
            // Good news is believed at once: a start in flight is cut short, then undone.
            Attempt::Running {
                command: Command::Start,
                killed,
                ..
            } if self.lets_go() => {
                self.stop_owed = true;
                if !killed {
                    self.kill(actions);
                }
            }
            Attempt::Settling { .. } if self.lets_go() => {
                self.attempt = Attempt::Idle;
                self.run(now, Command::Stop, actions);
            }
            // A start that stays in the foreground is the gateway: one that hangs ends with it.
            Attempt::Running {
                command: Command::Start,
                killed: false,
                ..
            } if self.hangs() => {
                // It may have left something else behind.
                self.stop_owed = true;
                self.kill(actions);
            }
            Attempt::Running {
                command: Command::Fence,
                killed: false,
                ..
            } if self.orders.releases() || (self.healthy() && !self.orders.forces()) => {
                self.kill(actions);
            }
            Attempt::Running { .. } | Attempt::Settling { .. } | Attempt::Idle => {}
        }
    }

    /// The command that what is seen asks for, and nobody forbids.
    pub(super) fn wanted(&self) -> Option<Command> {
        match self.orders.pause() {
            Some(_) => None,
            None => self.needed(),
        }
    }

    /// The command that what is seen asks for.
    fn needed(&self) -> Option<Command> {
        match (self.gateway?, &self.primary) {
            // What a failed start left behind goes before anything else, unless it serves by now.
            (gateway, _) if self.stop_owed && (self.lets_go() || !gateway.listens()) => {
                Some(Command::Stop)
            }
            (Seen::Listening { .. }, _) if self.orders.releases() || self.hangs() => {
                Some(Command::Stop)
            }
            // Only an answer since it listens counts: somebody may have started it for a reason
            // that no probe has seen yet.
            (Seen::Listening { since }, Primary::Healthy { at, .. })
                if *at >= since && self.lets_go() =>
            {
                Some(Command::Stop)
            }
            (Seen::Absent | Seen::Ending, _) if self.is_failed() && self.held_by().is_none() => {
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

    /// What keeps a takeover from being made, although the primary has failed.
    pub(super) fn held_by(&self) -> Option<Hold> {
        if self.orders.pause().is_some() {
            Some(Hold::Paused)
        } else if self.orders.hold().is_some() {
            Some(Hold::Released)
        } else if !self.armed && !self.orders.forces() {
            Some(Hold::Unarmed)
        } else if self.gateway == Some(Seen::Foreign) {
            Some(Hold::PortTaken)
        } else {
            None
        }
    }

    /// It has failed often enough, or an operator says so.
    pub(super) fn is_failed(&self) -> bool {
        let needs_one = self.orders.takes_over();
        self.orders.forces()
            || matches!(&self.primary, Primary::Failing(strikes)
                if strikes.reached() || (needs_one && strikes.count() > 0))
    }

    /// Strikes for want of a path count once a witness has answered and the path was still gone after
    /// that: had it come back in between, the witness would say nothing of the time before.
    pub(super) fn awaits_probe(&self) -> bool {
        matches!(&self.primary, Primary::Failing(strikes) if strikes.need_witness())
            && self
                .isolation
                .connected_at()
                .is_some_and(|answered| self.pathless.is_none_or(|pathless| pathless < answered))
    }

    /// The local gateway listens and doesn't answer, and would be started again.
    pub(super) fn hangs(&self) -> bool {
        self.listening() && self.local.hangs() && self.is_failed() && !self.lets_go()
    }

    /// The local gateway is to go: the primary is believed, or an operator says so.
    #[must_use]
    pub fn lets_go(&self) -> bool {
        self.orders.releases() || (self.trusted() && !self.orders.forces())
    }

    /// During a pause people are told what would have been run.
    fn tell_withheld(&mut self, actions: &mut Vec<Action>) {
        let needed = match (self.orders.pause(), self.attempt) {
            (Some(_), Attempt::Idle) => self.needed_but_for_pause(),
            _ => None,
        };
        if needed != self.withheld {
            self.withheld = needed;
            actions.extend(needed.map(Action::Withhold));
        }
    }

    fn needed_but_for_pause(&self) -> Option<Command> {
        let mut resumed = self.clone();
        resumed.orders.follow(super::Order::Resume);
        resumed.needed()
    }

    pub(super) fn pauses(&self, command: Command) -> &Backoff {
        match command {
            Command::Start => &self.starts,
            Command::Stop => &self.stops,
            Command::Fence => &self.fences,
        }
    }

    fn run(&mut self, now: Time, command: Command, actions: &mut Vec<Action>) {
        match command {
            Command::Start => {
                self.starts.begin();
                // One that an operator orders says nothing of the primary.
                if !self.orders.takes_over() {
                    let failed = self.strikes().first().map_or(now, |strike| strike.due);
                    self.stability.takeover(failed);
                }
            }
            Command::Stop => self.stops.begin(),
            Command::Fence => self.fences.begin(),
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
    pub(super) fn deadline(&self) -> Option<Time> {
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
                vanished,
                ..
            } => Some(self.running_deadline(since, vanished)),
            Attempt::Settling {
                since,
                ended,
                failed,
                gone,
            } => Some(self.settling_deadline(since, ended, failed, gone)),
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
    pub(super) fn healthy(&self) -> bool {
        matches!(self.primary, Primary::Healthy { .. })
    }

    /// It was, and often enough to let go of the local gateway.
    pub(super) fn trusted(&self) -> bool {
        matches!(self.primary, Primary::Healthy { successes, .. }
            if successes >= self.stability.needed())
    }

    pub(super) fn listening(&self) -> bool {
        matches!(self.gateway, Some(Seen::Listening { .. }))
    }
}

impl Seen {
    fn listens(self) -> bool {
        matches!(self, Self::Listening { .. })
    }
}
