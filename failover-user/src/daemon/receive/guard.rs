//! What PC-A's guard says, for the decider; and what is reported to it of the local gateway.

use failover_decide::{Event, StandbyState, State};
use failover_guard::beat::GatewayState;

use crate::daemon::Daemon;

impl Daemon {
    /// Tells the decider what is known of PC-A's guard, where it knows something else: also after an absence, which
    /// makes it forget.
    pub(in crate::daemon) fn follow_guard(&mut self) {
        let seen = self.inputs.guard.observation();
        if seen != self.decider.guard() {
            self.decide([Event::Guard(seen)]);
        }
    }

    /// Tells PC-A's guard how the local gateway is.
    pub(in crate::daemon) fn tell_guard(&mut self) {
        let state = match (self.decider.state(), self.decider.standby_state()) {
            _ if self.decider.is_listening() && self.decider.must_release() => {
                GatewayState::Draining
            }
            _ if self.decider.is_listening() => GatewayState::Answering,
            (State::Starting { .. }, _) => GatewayState::Starting,
            (_, StandbyState::Parked) => GatewayState::Parked,
            _ => GatewayState::Stopped,
        };
        self.inputs.guard.say(state);
    }
}
