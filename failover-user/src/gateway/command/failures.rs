//! How each command failed when it was run last: what a further attempt is explained with. It must not
//! know what is decided.

use std::path::{Path, PathBuf};

use failover_decide::{CommandResult, Step};

/// How a command ended that has to be run again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failure {
    /// Which.
    pub(crate) command: Step,
    /// How it ended. Where it succeeded, that led to nothing.
    pub(crate) result: CommandResult,
    /// What it said last.
    pub(crate) last_line: Option<String>,
    /// All that it said.
    pub(crate) log: PathBuf,
}

/// The last failure of each command.
#[derive(Debug, Default)]
pub(crate) struct Failures(Vec<Failure>);

impl Failures {
    /// Records how a command ended. Its output is in the state directory; this was its last line.
    pub(crate) fn ended(
        &mut self,
        command: Step,
        result: &CommandResult,
        last_line: Option<&str>,
        state_dir: &Path,
    ) {
        self.0.retain(|failure| failure.command != command);
        // Shown only when there is a further attempt; a fence that succeeded needs none.
        if command == Step::FENCE && result.is_success() {
            return;
        }
        self.0.push(Failure {
            command,
            result: result.clone(),
            last_line: last_line.map(str::to_owned),
            log: state_dir.join(format!("{command}.log")),
        });
    }

    /// Why there is a further attempt.
    pub(crate) fn of(&self, command: Step) -> Option<&Failure> {
        self.0.iter().find(|failure| failure.command == command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_failure_of_each_command_is_known_until_a_fence_succeeds() {
        let mut failures = Failures::default();
        let state_dir = Path::new("/state");
        let failed = |code| CommandResult::Failed { code };
        failures.ended(Step::START, &failed(1), Some("no such file"), state_dir);
        failures.ended(Step::FENCE, &failed(2), None, state_dir);
        failures.ended(Step::FENCE, &failed(3), None, state_dir);
        let start = failures.of(Step::START).unwrap();
        assert_eq!(start.last_line.as_deref(), Some("no such file"));
        assert_eq!(start.log, Path::new("/state/start.log"));
        assert_eq!(failures.of(Step::FENCE).unwrap().result, failed(3));
        failures.ended(Step::FENCE, &CommandResult::Succeeded, None, state_dir);
        assert_eq!(failures.of(Step::FENCE), None);
        assert_eq!(failures.of(Step::STOP), None);
    }
}
