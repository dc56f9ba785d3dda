//! A command that an option names.

use thiserror::Error;

use crate::config::duration::{HumanDuration, hours, milliseconds};
use crate::gateway::command::command_line::{CommandLine, CommandLineError};

/// Outside of these, somebody mistyped a command's timeout.
pub(super) const SHORTEST_COMMAND: HumanDuration = milliseconds(100);
pub(super) const LONGEST_COMMAND: HumanDuration = hours(1);

/// A command that can't be run.
#[derive(Debug, Error)]
#[error("{option}: {source}")]
pub struct CommandError {
    /// The option.
    pub option: &'static str,
    /// Why.
    pub source: CommandLineError,
}

pub(super) fn command(option: &'static str, line: &str) -> Result<CommandLine, CommandError> {
    CommandLine::parse(line).map_err(|source| CommandError { option, source })
}
