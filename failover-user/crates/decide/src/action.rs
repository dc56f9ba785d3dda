//! What comes out of a decision.

use std::fmt;

use super::{Cause, Change, GatewayProbeId, ProbeId, RoundId};

/// Something to be done by whoever drives the decider.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Probe the primary, and report [`super::Event::ProbeEnded`] within the timeout.
    Probe {
        /// To be told with the outcome.
        probe: ProbeId,
        /// Why now.
        cause: Cause,
    },
    /// Run the command, and report [`super::Event::CommandEnded`] when it has ended.
    Run(Command),
    /// End the command in flight with its whole process group; then the same report.
    Kill(Command),
    /// Ask the witnesses, and report [`super::Event::Witnesses`] within the timeout.
    AskWitnesses {
        /// To be told with the answer.
        round: RoundId,
    },
    /// Ask the local gateway whether it answers, and report [`super::Event::GatewayProbed`] within the
    /// timeout.
    ProbeGateway {
        /// To be told with the outcome.
        probe: GatewayProbeId,
    },
    /// Tell people that this command would have been run, but for the pause.
    Withhold(Command),
    /// Tell people.
    Record(Change),
}

/// The commands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Command {
    /// Start the local gateway.
    Start,
    /// Stop the local gateway.
    Stop,
    /// Make sure that the primary is gone.
    Fence,
}

impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Fence => "fence",
        })
    }
}
