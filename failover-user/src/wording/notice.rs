//! What notices say.

use failover_linux::escape::Escaped;

use crate::{
    notify::event::Event,
    state_dir::persisted::Paused,
    wording::{standby, sync},
};

/// What happened, as the beginning of a sentence.
pub(crate) const fn event(event: &Event) -> &'static str {
    match event {
        Event::Takeover { .. } => "takeover: the primary is down, and the local gateway serves",
        Event::Release { .. } => "release: the local gateway is stopped",
        Event::FailedStart => "the local gateway does not start",
        Event::FailedStop => "the local gateway does not stop",
        Event::FailedFence => "the primary is down and cannot be fenced",
        Event::GatewayHung => "the local gateway does not answer and is being restarted",
        Event::Isolated => "no witness answers, so there is no takeover",
        Event::Unarmed => "the primary was never seen healthy, so there is no takeover",
        Event::Blocked => "another program holds the local port, so there is no takeover",
        Event::Paused(_) => "paused: no takeover, no release",
        Event::Resumed => "resumed",
        Event::DrillFailed(_) => "a drill failed, so a takeover may fail",
        Event::DrillPassed { .. } => "a drill succeeded again",
        Event::CopiesStale { .. } => "the copy of PC-A's state is old, so a takeover may lose much",
        Event::CopiesFresh => "the copy of PC-A's state is fresh again",
        Event::BothChanged => "PC-A and PC-B both have changes that the other lacks",
        Event::Flapping { .. } => "the primary is flapping",
    }
}

/// Who ordered it, as the next part of that sentence.
pub(crate) fn ordered_by(by: &str) -> String {
    format!(", as {by} ordered")
}

/// Why, for an event that is no change of state: those have the state's reason.
pub(crate) fn own_reason(event: &Event) -> Option<String> {
    match event {
        Event::Paused(pause) => Some(paused(pause.as_ref())),
        Event::Resumed => Some("an operator ordered it, or the pause expired".to_owned()),
        Event::DrillFailed(failed) => Some(format!("the last drill {}", standby::failed(failed))),
        Event::DrillPassed { failures: 1 } => Some("the one before had failed".to_owned()),
        Event::DrillPassed { failures } => Some(format!("{failures} before it had failed")),
        Event::CopiesStale { age, why } => Some(sync::stale(*age, why)),
        Event::CopiesFresh => Some("a round has succeeded".to_owned()),
        Event::BothChanged => {
            Some("nothing is overwritten until you choose: `failover sync status`".to_owned())
        }
        Event::Flapping { release_needs } => Some(format!(
            "a release now needs {release_needs} successes in a row"
        )),
        Event::Takeover { .. }
        | Event::Release { .. }
        | Event::FailedStart
        | Event::FailedStop
        | Event::FailedFence
        | Event::GatewayHung
        | Event::Isolated
        | Event::Unarmed
        | Event::Blocked => None,
    }
}

/// Who ordered a pause, for how long, and why, made harmless.
fn paused(pause: Option<&Paused>) -> String {
    let Some(Paused {
        by, until, reason, ..
    }) = pause
    else {
        return "an operator ordered it".to_owned();
    };
    let until = until.map(|until| format!(" until {until:.0}"));
    let reason = reason
        .as_ref()
        .map(|reason| format!(": {}", Escaped(reason)));
    let [until, reason] = [until, reason].map(Option::unwrap_or_default);
    format!("{} ordered it{until}{reason}", Escaped(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_says_who_ordered_it_until_when_and_why() {
        let pause = Paused {
            since: "2026-11-24T03:00:00Z".parse().unwrap(),
            by: "user 1000".to_owned(),
            until: "2026-11-24T05:00:00Z".parse().ok(),
            reason: Some("moving \u{1b}[2Jhouse".to_owned()),
        };
        assert_eq!(
            paused(Some(&pause)),
            "user 1000 ordered it until 2026-11-24T05:00:00Z: moving \\u{1b}[2Jhouse"
        );
        let endless = Paused {
            until: None,
            reason: None,
            ..pause
        };
        assert_eq!(paused(Some(&endless)), "user 1000 ordered it");
    }
}
