//! What operators are answered.

use failover_decide::{Inhibitor, Outcome, Refusal, State, Time};
use failover_linux::clock;

/// Why an order isn't followed.
pub(crate) const fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Paused => "paused: nothing is run; `failover resume` first",
        Refusal::PrimaryAnswers => {
            "the primary answers, so two gateways would run; --force does it all the same"
        }
        Refusal::NotAsked => "it isn't known whether the primary answers",
        Refusal::CannotTell => "PC-B can't find out whether the primary still answers",
        Refusal::OthersAnswered => {
            "the last probe failed, but other clients' connections to the primary work; --force does it all the same"
        }
        Refusal::Unarmed => {
            "the primary was never seen healthy, so its address may be wrong; --force does it all the same"
        }
        Refusal::ForeignListener => "the local port is held by something that isn't the gateway",
        Refusal::AlreadyActive => "the local gateway serves already",
        Refusal::NothingToRelease => "no local gateway serves or is being started",
    }
}

/// The same, with what is known beside it: who holds the port, and the last probe.
pub(crate) fn refused(
    what: Refusal,
    held_by: impl FnOnce() -> String,
    last_probe: Option<&(Time, Outcome)>,
) -> String {
    let why = refusal(what);
    match what {
        Refusal::ForeignListener => format!("{why}: {}", held_by()),
        Refusal::CannotTell | Refusal::NotAsked => {
            let probe = match last_probe {
                Some((at, Outcome::Unknown { reason, .. })) => {
                    let at = clock::wall(*at).strftime("%H:%M:%S");
                    format!(" (the probe at {at} UTC says nothing: {reason})")
                }
                Some((_, Outcome::Connected { .. } | Outcome::Failed { .. })) | None => {
                    String::new()
                }
            };
            format!("{why}{probe}; if you know that it is down: `failover takeover --force`")
        }
        Refusal::Paused
        | Refusal::PrimaryAnswers
        | Refusal::OthersAnswered
        | Refusal::Unarmed
        | Refusal::AlreadyActive
        | Refusal::NothingToRelease => why.to_owned(),
    }
}

/// What a takeover that is ordered waits for, if for anything.
pub(crate) const fn waits_for(state: State) -> Option<&'static str> {
    match state {
        State::Isolated => Some(
            "not begun: no witness answers; it begins when one does and the primary still fails, and --force doesn't wait for that",
        ),
        State::Standby | State::Suspect { .. } => {
            Some("not begun: the primary, or the witnesses, are asked first")
        }
        State::Fencing { .. } => Some("not begun: the fence has to succeed first"),
        State::Starting { .. }
        | State::Active
        | State::Inhibited(
            Inhibitor::Paused
            | Inhibitor::Released
            | Inhibitor::Unarmed
            | Inhibitor::ForeignListener,
        )
        | State::Restarting { .. }
        | State::Stopping { .. } => None,
    }
}
