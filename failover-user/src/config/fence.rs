//! The fence: the command that makes sure that the primary is gone.

use std::time::Duration;

use thiserror::Error;

use crate::config::{
    command::{CommandError, LONGEST_COMMAND, SHORTEST_COMMAND, command},
    duration::{HumanDuration, minutes},
    option::{Always, essential, judgement, option_set},
};
use crate::gateway::command::command_line::CommandLine;

option_set! {
    /// How the primary is fenced.
    pub(crate) struct FenceOptions => FenceValues {
        /// Command that fences the primary before the local gateway starts, e.g. switches its power off
        #[arg(value_name = "COMMAND")]
        fence: Option<String> = essential().secret().example("ssh plug.lan off".to_owned());

        /// No takeover unless the fence command succeeds
        #[arg(value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        fence_required: Option<bool> = judgement()
            .default_if(fence.is_some(), true);

        /// Timeout of the fence command; then it is killed
        #[arg(value_name = "DURATION")]
        fence_timeout: Always<HumanDuration> = judgement()
            .range(SHORTEST_COMMAND, LONGEST_COMMAND)
            .default(minutes(1));
    }
}

/// A fence that can't be one.
#[derive(Debug, Error)]
pub enum FenceError {
    /// There is none to require.
    #[error("fence-required is set without fence; set fence to a command, or remove it")]
    NothingToRequire,
    /// Not a command.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl FenceError {
    /// The option that has to change.
    pub(super) const fn option(&self) -> &'static str {
        match self {
            Self::NothingToRequire => "fence-required",
            Self::Command(error) => error.option,
        }
    }
}

#[derive(Debug)]
pub(super) struct Fence {
    pub(super) command: Option<CommandLine>,
    pub(super) mode: failover_decide::Demand,
    pub(super) timeout: Duration,
}

impl FenceValues {
    pub(super) fn checked(self) -> Result<Fence, FenceError> {
        let Self {
            fence,
            fence_required,
            fence_timeout,
        } = self;
        let mode = match (&fence, fence_required) {
            (None, None) => failover_decide::Demand::None,
            (None, Some(_)) => return Err(FenceError::NothingToRequire),
            (Some(_), None | Some(true)) => failover_decide::Demand::Required,
            (Some(_), Some(false)) => failover_decide::Demand::Optional,
        };
        Ok(Fence {
            command: fence.map(|line| command("fence", &line)).transpose()?,
            mode,
            timeout: fence_timeout.get(),
        })
    }
}
