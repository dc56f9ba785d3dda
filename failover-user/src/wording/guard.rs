//! PC-A's guard in words.

use failover_guard::beat::{Announcement, GatewayState};

use crate::guard::{link::Hearing, view::GuardView};

/// One line, without when it was heard.
pub(crate) fn heard(guard: &GuardView) -> String {
    if guard.fault.is_some() {
        return "cannot be heard".to_owned();
    }
    let mut text = match &guard.hearing {
        hearing if *hearing == Hearing::Never => return "not heard yet".to_owned(),
        hearing if *hearing == Hearing::Beats => "heard".to_owned(),
        hearing if *hearing == Hearing::Missing => "heartbeats are missing".to_owned(),
        _ => "silent".to_owned(),
    };
    if let Some(state) = guard.gateway {
        text.push_str(&format!(", its gateway {}", gateway(state)));
    }
    if let Some(announced) = guard.announcement.and_then(announcement) {
        text.push_str(&format!(", {announced}"));
    }
    text
}

/// A gateway as its host sees it.
pub(crate) const fn gateway(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Starting => "is being started",
        GatewayState::Listening => "listens",
        GatewayState::Answering => "answers",
        GatewayState::Draining => "is draining",
        GatewayState::Stopped => "was stopped",
        GatewayState::Ended => "has exited",
        GatewayState::Restarting => "is being restarted",
        GatewayState::Failed => "has failed for good",
        GatewayState::Parked => "is parked",
        GatewayState::Unknown => "is in an unknown state",
    }
}

const fn announcement(announced: Announcement) -> Option<&'static str> {
    match announced {
        Announcement::ShutsDown => Some("the machine is shutting down"),
        Announcement::Reboots => Some("the machine is rebooting"),
        Announcement::StopsGateway => Some("the gateway is being stopped"),
        Announcement::Upgrades => Some("the guard was stopped"),
        Announcement::Fenced => Some("it has fenced itself"),
        Announcement::Unknown => None,
    }
}
