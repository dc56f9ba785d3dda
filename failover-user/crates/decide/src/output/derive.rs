//! The state that people see, and the pace that it sets: both are functions of what is known, so they
//! can't disagree with it.

use std::time::Duration;

use crate::{
    gate::{Gates, Shown},
    known::situation::{Attempt, PortState, Primary, Situation},
    output::{
        action::Action,
        change::{Change, Reason},
        state::State,
    },
    step::Step,
    time::Time,
};

impl Situation {
    pub(crate) fn note_change(
        &mut self,
        gates: Gates,
        now: Time,
        reason: Reason,
        actions: &mut Vec<Action>,
    ) {
        let state = self.derived_state(gates);
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

    pub(crate) fn note_standby(&mut self, now: Time, actions: &mut Vec<Action>) {
        let state = self.standby_state();
        if state != self.parking.state {
            self.parking.state = state;
            self.parking.since = now;
            actions.push(Action::Standby(state));
        }
    }

    fn derived_state(&self, gates: Gates) -> State {
        let taken = match self.attempt {
            Attempt::Idle => None,
            Attempt::Running { command, .. } => Some(command),
            Attempt::Activating { .. } => Some(Step::START),
        };
        let taken = taken.filter(|step| !step.is_of_standby());
        let due = self.due(gates).filter(|due| !due.step.is_of_standby());
        let stop_is_due = due.is_some_and(|due| due.step == Step::STOP);
        let stop_is_taken = taken == Some(Step::STOP);
        let starting = State::Starting {
            attempt: self.attempt_of(Step::START),
        };
        let stopping = State::Stopping {
            attempt: self.attempt_of(Step::STOP),
        };
        match (taken, due) {
            _ if self.stop_owed && self.must_release() && (stop_is_due || taken.is_some()) => {
                stopping
            }
            _ if self.listening() && (stop_is_due || stop_is_taken) => {
                if self.must_release() {
                    stopping
                } else {
                    State::Restarting {
                        attempt: self.attempt_of(Step::STOP),
                    }
                }
            }
            _ if self.listening() => State::Active,
            _ if self.port == Some(PortState::Terminating) && self.must_release() => stopping,
            (Some(step), _) if !stop_is_taken => self.state_of(step),
            // What a failed start left behind is cleaned up before the next.
            _ if self.stop_owed && self.is_failed() && (stop_is_due || stop_is_taken) => starting,
            _ if self.is_failed()
                && let Some(inhibitor) = gates.inhibitor(self, Step::START) =>
            {
                State::Inhibited(inhibitor)
            }
            (_, Some(due)) if !stop_is_due => match due.wait.map(|wait| wait.shown) {
                None | Some(Shown::Step) => self.state_of(due.step),
                Some(Shown::Isolated) => State::Isolated,
                Some(Shown::Suspect) => self.state_of_primary(),
            },
            (None | Some(_), _) => self.state_of_primary(),
        }
    }

    /// The state while this step is taken.
    fn state_of(&self, step: Step) -> State {
        let definition = self.steps.get(step);
        let attempt = self.attempt_of(step);
        let state = definition.and_then(|definition| definition.state);
        state.map_or_else(|| self.state_of_primary(), |state| state(attempt))
    }

    /// The state while no step is taken.
    fn state_of_primary(&self) -> State {
        match &self.primary {
            Primary::Failing(strikes) => State::Suspect {
                strikes: strikes.count(),
            },
            Primary::Healthy { .. } | Primary::Unproven => State::Standby,
        }
    }

    /// The interval at which the primary is probed now.
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
