//! Why the state is what it is: the change that made it so, and what was known beside it. Only data:
//! how it is said is `wording`'s.

use failover_decide::{Change, Inhibitor, State, Step, Time};

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
    /// So many before those are forgotten.
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
        let last = |command| failures.of(command).cloned().map(Detail::LastAttempt);
        let detail = match change.to {
            State::Starting { attempt: 2.. } => last(Step::START),
            State::Fencing { attempt: 2.. } => last(Step::FENCE),
            State::Stopping { attempt: 2.. } | State::Restarting { attempt: 2.. } => {
                last(Step::STOP)
            }
            State::Inhibited(Inhibitor::ForeignListener) => Some(Detail::HeldBy(held_by())),
            State::Standby
            | State::Suspect { .. }
            | State::Isolated
            | State::Active
            | State::Inhibited(Inhibitor::Paused | Inhibitor::Released | Inhibitor::Unarmed)
            | State::Starting { .. }
            | State::Fencing { .. }
            | State::Stopping { .. }
            | State::Restarting { .. } => None,
        };
        Self {
            change,
            detail,
            connections,
        }
    }
}
