//! Why the state is what it is: the change, and what was known beside it. Only data; the texts are in
//! `wording`.

use failover_decide::{Change, StateKind, Step, Time};

use crate::gateway::command::failures::{Failure, Failures};

/// Why the state is what it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Explanation {
    /// What changed, why, and the strikes that count.
    pub(crate) change: Change,
    /// What else is known of it.
    pub(crate) detail: Option<Detail>,
    /// What happened on connections to the primary at the time of the strikes.
    pub(crate) connections: Connections,
}

/// What is known of a state beside its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Detail {
    /// How the attempt before this one failed.
    LastAttempt(Failure),
    /// Who holds the port that isn't the gateway.
    HeldBy(String),
}

/// What happened on connections to the primary.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Connections {
    /// When, and what, oldest first.
    pub(crate) events: Vec<(Time, String)>,
    /// Number of earlier events that are dropped.
    pub(crate) forgotten: u64,
}

impl Explanation {
    /// Of a change, with how commands failed before it and who holds the port.
    pub(crate) fn new(
        change: Change,
        failures: &Failures,
        held_by: impl FnOnce() -> String,
        connections: Connections,
    ) -> Self {
        let again = change.to.attempt().is_some_and(|attempt| attempt > 1);
        let last = |step| failures.of(step).filter(|_| again).cloned();
        let detail = match change.to.kind() {
            StateKind::Starting => last(Step::START).map(Detail::LastAttempt),
            StateKind::Fencing => last(Step::FENCE).map(Detail::LastAttempt),
            StateKind::Stopping | StateKind::Restarting => {
                last(Step::STOP).map(Detail::LastAttempt)
            }
            StateKind::Blocked => Some(Detail::HeldBy(held_by())),
            StateKind::Standby
            | StateKind::Suspect
            | StateKind::Isolated
            | StateKind::Paused
            | StateKind::Released
            | StateKind::Unarmed
            | StateKind::Active => None,
        };
        Self {
            change,
            detail,
            connections,
        }
    }
}
