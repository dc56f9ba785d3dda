//! Deciding: which command is due, and whether it may run now. The only place where a start can come
//! from.

use crate::{
    input::{event::Begun, order::Order},
    known::situation::{Attempt, PortState, Primary, Situation},
    output::{action::Action, state::Inhibitor},
    settings::Fence,
    step::Command,
    time::Time,
};

impl Situation {
    /// Starts or ends a command where what is seen asks for it.
    pub(crate) fn command(&mut self, now: Time, actions: &mut Vec<Action>) {
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
            Attempt::Running { .. } | Attempt::Activating { .. } => {}
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
        self.note_withheld(actions);
    }

    /// When a command is to be ended, or begun unless something else happens before.
    pub(crate) fn next_command(&self) -> Option<Time> {
        match self.attempt {
            Attempt::Running { .. } | Attempt::Activating { .. } => self.deadline(),
            Attempt::Idle => self.wanted().map(|command| {
                let paused = self.pauses(command).not_before();
                let gate = match command {
                    Command::Start | Command::Fence if !self.orders.forces() => {
                        match self.awaits_probe() {
                            true => self.isolation.counts_until(),
                            false => self.isolation.waits_until(),
                        }
                    }
                    Command::Start | Command::Fence | Command::Stop => None,
                };
                gate.map_or(paused, |gate| gate.max(paused))
            }),
        }
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
            Attempt::Activating { .. } if self.lets_go() => {
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
            Attempt::Running { .. } | Attempt::Activating { .. } | Attempt::Idle => {}
        }
    }

    /// The command that what is seen asks for, and nobody forbids.
    pub(crate) fn wanted(&self) -> Option<Command> {
        match self.orders.pause() {
            Some(_) => None,
            None => self.needed(),
        }
    }

    /// The command that what is seen asks for.
    fn needed(&self) -> Option<Command> {
        match (self.port?, &self.primary) {
            // What a failed start left behind goes before anything else, unless it serves by now.
            (gateway, _) if self.stop_owed && (self.lets_go() || !gateway.listens()) => {
                Some(Command::Stop)
            }
            (PortState::Listening { .. }, _) if self.orders.releases() || self.hangs() => {
                Some(Command::Stop)
            }
            // Only an answer since it listens counts: somebody may have started it for a reason
            // that no probe has seen yet.
            (PortState::Listening { since }, Primary::Healthy { at, .. })
                if *at >= since && self.lets_go() =>
            {
                Some(Command::Stop)
            }
            (PortState::Absent | PortState::Terminating, _)
                if self.is_failed() && self.inhibitor().is_none() =>
            {
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
    pub(crate) fn inhibitor(&self) -> Option<Inhibitor> {
        if self.orders.pause().is_some() {
            Some(Inhibitor::Paused)
        } else if self.orders.hold_until().is_some() {
            Some(Inhibitor::Released)
        } else if !self.armed && !self.orders.forces() {
            Some(Inhibitor::Unarmed)
        } else if self.port == Some(PortState::Foreign) {
            Some(Inhibitor::ForeignListener)
        } else {
            None
        }
    }

    /// During a pause people are told what would have been run.
    fn note_withheld(&mut self, actions: &mut Vec<Action>) {
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
        resumed.orders.follow(Order::Resume);
        resumed.needed()
    }

    fn run(&mut self, now: Time, command: Command, actions: &mut Vec<Action>) {
        match command {
            Command::Start => {
                self.starts.begin();
                // One that an operator orders says nothing of the primary.
                if !self.orders.takes_over() {
                    let failed = self.strikes().first().map_or(now, |strike| strike.due);
                    self.flap_damping.takeover(failed);
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
}
