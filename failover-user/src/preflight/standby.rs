//! Could the local gateway be parked, as it is configured to be?

use crate::{
    config::{Configuration, KernelEventsMode, StandbyChoice},
    gateway::parking::possible,
    named::Named as _,
    preflight::{Finding, Level},
};

const NAME: &str = "standby";

/// Asks the unit's service manager and the kernel. Blocking.
pub(super) fn standby(configuration: &Configuration) -> Finding {
    let choice = configuration.standby.choice;
    if choice == StandbyChoice::Cold {
        return Finding::ok(NAME, "cold: the local gateway is started when it is needed");
    }
    if configuration.kernel_events == KernelEventsMode::Off {
        return impossible(choice, "kernel-events is off; set it to auto");
    }
    match possible(&configuration.parking(), &configuration.gateway) {
        Ok(()) => Finding::ok(
            NAME,
            format!(
                "{}: the local gateway can be parked; `failover drill` shows that it works",
                choice.name()
            ),
        ),
        Err(error) => impossible(choice, &format!("{error:#}")),
    }
}

/// Who configured it wants to know; for `auto` the takeover is a cold start, as before.
fn impossible(choice: StandbyChoice, why: &str) -> Finding {
    let level = match choice {
        StandbyChoice::Auto | StandbyChoice::Cold => Level::Ok,
        StandbyChoice::Warm | StandbyChoice::Hot => Level::Warning,
    };
    let text = format!(
        "{}: a takeover is a cold start, because the local gateway cannot be parked: {why}",
        choice.name()
    );
    Finding::of_error(NAME, level, &text)
}
