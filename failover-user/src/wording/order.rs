//! Answers to operators.

use failover_decide::{Outcome, Refusal, Time};
use failover_linux::clock;

use crate::standby::mode::Why;

/// Why an order is refused.
pub(crate) const fn refusal(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Paused => "paused: run `failover resume` first",
        Refusal::PrimaryAnswers => {
            "the primary answers, so two gateways would run; use --force to do it anyway"
        }
        Refusal::NotAsked => "the primary's state is not known",
        Refusal::CannotTell => "PC-B cannot tell whether the primary still answers",
        Refusal::OthersAnswered => {
            "the last probe failed, but other clients' connections to the primary work; use --force to do it anyway"
        }
        Refusal::Unarmed => {
            "the primary was never seen healthy, so its address may be wrong; use --force to do it anyway"
        }
        Refusal::ForeignListener => "another program holds the local port",
        Refusal::AlreadyActive => "the local gateway is already running",
        Refusal::NothingToRelease => "there is no local gateway to stop",
        Refusal::PrimaryFails => "the primary fails; a drill would be in the way of a takeover",
        Refusal::DrillRuns => "a drill is already running",
        Refusal::CannotPark => {
            "the local gateway cannot be parked on this machine; see `failover check`"
        }
    }
}

/// The same, with what is known beside it: who holds the port, the last probe, and why the standby is cold.
pub(crate) fn refused(
    what: Refusal,
    held_by: impl FnOnce() -> String,
    last_probe: Option<&(Time, Outcome)>,
    standby: Option<&Why>,
) -> String {
    let why = refusal(what);
    match what {
        Refusal::ForeignListener => format!("{why}: {}", held_by()),
        Refusal::CannotTell | Refusal::NotAsked => {
            let probe = match last_probe {
                Some((at, Outcome::Unknown { reason, .. })) => {
                    let at = clock::wall(*at).strftime("%H:%M:%S");
                    format!(" (the result of the probe at {at} UTC is unknown: {reason})")
                }
                Some((_, Outcome::Connected { .. } | Outcome::Failed { .. })) | None => {
                    String::new()
                }
            };
            format!("{why}{probe}; if you are sure that it is down: `failover takeover --force`")
        }
        Refusal::Paused
        | Refusal::PrimaryAnswers
        | Refusal::OthersAnswered
        | Refusal::Unarmed
        | Refusal::AlreadyActive
        | Refusal::NothingToRelease
        | Refusal::PrimaryFails
        | Refusal::DrillRuns => why.to_owned(),
        Refusal::CannotPark => match standby {
            Some(Why::NotKnownYet) => {
                "whether the local gateway can be parked is not known yet; try again in a few seconds"
                    .to_owned()
            }
            Some(standby) => super::standby::why(standby),
            None => why.to_owned(),
        },
    }
}
