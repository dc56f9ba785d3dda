//! What operators are answered.

use failover_decide::Refusal;

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
