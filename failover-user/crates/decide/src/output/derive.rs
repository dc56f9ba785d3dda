//! The state that people see, and the pace that it sets: both are functions of what is known, so they
//! can't disagree with it.

use std::time::Duration;

use crate::{
    known::situation::{Attempt, PortState, Primary, Situation},
    output::{
        action::Action,
        state::{Change, Reason, State},
    },
    step::Command,
    time::Time,
};

impl Situation {
    pub(crate) fn note_change(&mut self, now: Time, reason: Reason, actions: &mut Vec<Action>) {
        let state = self.derived_state();
        if state == self.state {
            return;
        }
        if state.kind() != self.state.kind() {
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

    fn derived_state(&self) -> State {
        let runs = match self.attempt {
            Attempt::Idle => None,
            Attempt::Running { command, .. } => Some(command),
            Attempt::Activating { .. } => Some(Command::Start),
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
        let ruled_out = self.isolation.was_ruled_out() || self.orders.forces();
        match &self.primary {
            _ if self.stop_owed && self.lets_go() && (stop_wanted || runs.is_some()) => stopping,
            _ if self.listening() && (stop_wanted || runs == Some(Command::Stop)) => {
                if self.lets_go() {
                    stopping
                } else {
                    State::Restarting {
                        attempt: self.stops.attempt(),
                    }
                }
            }
            _ if self.listening() => State::Active,
            _ if self.port == Some(PortState::Terminating) && self.lets_go() => stopping,
            _ if runs == Some(Command::Start) => starting,
            _ if runs == Some(Command::Fence) => fencing,
            // What a failed start left behind is cleaned up before the next.
            _ if self.stop_owed && self.is_failed() && (stop_wanted || runs.is_some()) => starting,
            _ if self.is_failed() && self.inhibitor().is_some() => {
                self.inhibitor().map_or(State::Standby, State::Inhibited)
            }
            _ if wanted.is_some() && !ruled_out && self.isolation.is_isolated() => State::Isolated,
            // The witnesses have answered, and a last probe says whether the path is still gone.
            Primary::Failing(strikes)
                if wanted.is_some() && self.awaits_probe() && !self.orders.forces() =>
            {
                State::Suspect {
                    strikes: strikes.count(),
                }
            }
            _ if wanted == Some(Command::Fence) && ruled_out => fencing,
            _ if wanted == Some(Command::Start) && ruled_out => starting,
            Primary::Failing(strikes) => State::Suspect {
                strikes: strikes.count(),
            },
            Primary::Healthy { .. } | Primary::Unproven => State::Standby,
        }
    }

    /// How often the primary is probed now.
    pub(crate) fn pace(&self) -> Duration {
        match self.state {
            State::Standby | State::Isolated | State::Inhibited(_) => self.settings.interval,
            State::Suspect { .. } => self.settings.confirm_interval,
            State::Fencing { .. }
            | State::Starting { .. }
            | State::Active
            | State::Restarting { .. }
            | State::Stopping { .. } => self.settings.recovery_interval,
        }
    }
}
