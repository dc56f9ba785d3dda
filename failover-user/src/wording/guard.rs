//! PC-A's guard in words.

use failover_guard::beat::{Announcement, GatewayState};

use crate::{
    control::AskError,
    guard::{
        asking::LetGo,
        hook::{Otherwise, is_free},
        link::Hearing,
        view::GuardView,
    },
};

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

/// How a request to PC-B to release its gateway ended, and what follows.
pub(crate) fn let_go(ended: &Result<LetGo, AskError>, otherwise: Otherwise) -> String {
    let told = match ended {
        Ok(LetGo::Released) => "PC-B has released its gateway".to_owned(),
        Ok(LetGo::NothingToRelease) => "PC-B's gateway does not serve".to_owned(),
        Ok(LetGo::Silent) => "PC-B cannot be reached".to_owned(),
        Ok(LetGo::Unanswered) => {
            "PC-B does not answer the question; it may run an earlier version".to_owned()
        }
        Ok(LetGo::NotInTime { drains: true }) => {
            "PC-B's gateway is still draining, and serves until it has finished".to_owned()
        }
        Ok(LetGo::NotInTime { drains: false }) => {
            "PC-B has not released its gateway in time".to_owned()
        }
        Ok(LetGo::Refused { why }) => format!("PC-B does not release its gateway: {why}"),
        Err(AskError::NotRunning { .. }) => {
            "the guard is not running, so PC-B cannot be asked".to_owned()
        }
        Err(AskError::NotPermitted { path }) => format!(
            "this account may not ask the guard (its socket is {}): in a system unit write \
             `ExecStartPre=-+`, in a user unit name the account with --user in GUARD_OPTIONS",
            path.display()
        ),
        Err(error) => error.to_string(),
    };
    let follows = match (is_free(ended), otherwise) {
        (true, _) => "the gateway starts",
        (false, Otherwise::Start) => "the gateway starts all the same (--or=start)",
        (false, Otherwise::Refuse) => "the gateway does not start (--or=refuse)",
    };
    format!("{told}; {follows}")
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
