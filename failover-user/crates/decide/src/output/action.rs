//! What comes out of a decision.

use std::fmt;

use crate::{
    id::{GatewayProbeId, ProbeId, RoundId},
    known::parking::{DrillEnd, StandbyState},
    output::change::Change,
    step::Step,
};

/// Something that the caller of the decider must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Probe the primary, and report [`crate::Event::ProbeEnded`] within the timeout.
    Probe {
        /// To be reported with the outcome.
        probe: ProbeId,
        /// Why now.
        cause: Cause,
    },
    /// Run the command, and report [`crate::Event::CommandEnded`] when it has ended.
    Run(Step),
    /// End the command in flight with its whole process group; then the same report.
    Kill(Step),
    /// Query the witnesses, and report [`crate::Event::Witnesses`] within the timeout.
    AskWitnesses {
        /// To be reported with the answers.
        round: RoundId,
    },
    /// Ping the default routers although no takeover needs them now, and report
    /// [`crate::Event::RoutersPinged`]: only one that answers while the primary is healthy counts as a
    /// witness.
    PingRouters,
    /// Check whether the local gateway answers, and report [`crate::Event::GatewayProbed`] within the
    /// timeout.
    ProbeGateway {
        /// To be reported with the outcome.
        probe: GatewayProbeId,
    },
    /// Report that this command would have been run, but for the pause.
    Withhold(Step),
    /// Report a change of state.
    Record(Change),
    /// Report how ready the local gateway is now.
    Standby(StandbyState),
    /// Report that a drill has ended.
    DrillEnded(DrillEnd),
}

/// Why a probe was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It was time.
    Scheduled,
    /// A connection to the primary broke.
    BadNews,
    /// A connection to the primary was established.
    GoodNews,
    /// An operator's order depends on it.
    Ordered,
    /// The guard on the primary's host is silent, or says that its gateway is gone: the answer is needed long before
    /// the timeout, and a silence as short as that is no strike.
    Guard,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheduled => "scheduled",
            Self::BadNews => "bad-news",
            Self::GoodNews => "good-news",
            Self::Ordered => "ordered",
            Self::Guard => "guard",
        })
    }
}
