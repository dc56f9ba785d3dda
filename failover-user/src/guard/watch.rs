//! How PC-A's own gateway is, as its kernel and its service manager see it: what the heartbeats say.
//!
//! The port shows whether it serves; once it doesn't, the service manager is asked whether that is for good. Nothing
//! here decides or starts anything.

use std::time::Duration;

use tokio::time::timeout;
use tracing::debug;

use failover_decide::PortObservation;
use failover_guard::beat::GatewayState;

use crate::gateway::{
    command::unit::{UnitState, states},
    spec::LocalGateway,
};

/// The service manager's answer takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the port alone says; `None`: the service manager has to be asked.
pub(super) const fn of_port(port: PortObservation) -> Option<GatewayState> {
    match port {
        PortObservation::Listening => Some(GatewayState::Listening),
        PortObservation::Terminating => Some(GatewayState::Draining),
        PortObservation::Absent => None,
        // Something else has the port: nothing is known of the gateway that clients could use.
        PortObservation::Foreign => Some(GatewayState::Unknown),
    }
}

/// How a gateway is that doesn't listen.
pub(super) async fn of_manager(gateway: &LocalGateway) -> GatewayState {
    let Some(unit) = &gateway.unit else {
        // Nobody restarts what no service manager knows.
        return GatewayState::Ended;
    };
    match timeout(PATIENCE, states(unit, gateway.user.as_ref())).await {
        Ok(Ok(states)) => of_units(&states),
        Ok(Err(error)) => {
            debug!(%error, "how the gateway's unit is isn't known");
            GatewayState::Unknown
        }
        Err(_) => GatewayState::Unknown,
    }
}

/// A unit that isn't loaded has been stopped, and was not started again.
fn of_units(states: &[UnitState]) -> GatewayState {
    let mut states = states.iter().map(|state| of_state(state.state()));
    let last_resort = states.next().unwrap_or(GatewayState::Stopped);
    // Several profiles: one that may come up speaks for all.
    states.fold(last_resort, |one, other| match (one, other) {
        (GatewayState::Starting | GatewayState::Restarting, _) => one,
        (_, GatewayState::Starting | GatewayState::Restarting) => other,
        (one, _) => one,
    })
}

/// What `ActiveState` and `SubState` say of a gateway that doesn't listen (org.freedesktop.systemd1(5)).
fn of_state(state: (&str, &str)) -> GatewayState {
    match state {
        ("activating", "auto-restart" | "auto-restart-queued") => GatewayState::Restarting,
        ("activating" | "active" | "reloading" | "refreshing", _) => GatewayState::Starting,
        ("deactivating", _) => GatewayState::Draining,
        ("failed", _) => GatewayState::Failed,
        ("inactive", _) => GatewayState::Stopped,
        _ => GatewayState::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_waits_for_its_restart_is_told_from_one_that_is_stopped_or_has_failed() {
        for (line, says) in [
            (
                "g.service activating auto-restart 0 1",
                GatewayState::Restarting,
            ),
            (
                "g.service activating start-pre 12 1",
                GatewayState::Starting,
            ),
            ("g.service active running 0 0", GatewayState::Starting),
            (
                "g.service deactivating stop-sigterm 0 0",
                GatewayState::Draining,
            ),
            ("g.service inactive dead 0 0", GatewayState::Stopped),
            ("g.service failed failed 0 5", GatewayState::Failed),
        ] {
            let state = UnitState::parsed(line).unwrap();
            assert_eq!(of_units(&[state]), says, "{line}");
        }
        assert_eq!(of_units(&[]), GatewayState::Stopped);
    }

    #[test]
    fn of_several_units_one_that_comes_up_counts() {
        let states = [
            "g.service inactive dead 0 0",
            "g-b.service activating auto-restart 0 1",
        ]
        .map(|line| UnitState::parsed(line).unwrap());
        assert_eq!(of_units(&states), GatewayState::Restarting);
    }
}
