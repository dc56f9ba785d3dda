//! How well PC-B protects PC-A.

use failover_decide::{Decider, State};

use crate::named::Named;

/// How well PC-B protects PC-A.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protection {
    /// One gateway serves, and PC-B would take over if it died.
    Safe,
    /// The primary is down, and PC-B serves or is about to: nothing stands behind it.
    Degraded,
    /// There is a problem: PC-B would not take over, or not let go, or two gateways serve.
    Unsafe,
}

impl Protection {
    /// While nothing keeps PC-B from taking over and letting go.
    pub(crate) fn without_problems(decider: &Decider) -> Self {
        let begins = match decider.state() {
            State::Fencing { .. } | State::Starting { .. } | State::Restarting { .. } => true,
            State::Standby
            | State::Suspect { .. }
            | State::Isolated
            | State::Active
            | State::Inhibited(_)
            | State::Stopping { .. } => false,
        };
        match begins || decider.is_listening() {
            true => Self::Degraded,
            false => Self::Safe,
        }
    }
}

impl Named for Protection {
    const ALL: &'static [Self] = &[Self::Safe, Self::Degraded, Self::Unsafe];

    fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Degraded => "degraded",
            Self::Unsafe => "unsafe",
        }
    }
}
