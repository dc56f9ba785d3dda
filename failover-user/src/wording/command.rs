//! What becomes of commands.

use failover_decide::{CommandResult, Step};
use failover_linux::escape::Escaped;

use crate::gateway::command::failures::Failure;

/// It runs.
pub(crate) fn started(command: Step) -> String {
    format!("the {command} command was started")
}

/// It has ended.
pub(crate) fn ended(command: Step, result: &CommandResult) -> String {
    format!("the {command} command {}", self::result(result))
}

/// How a command ended, as the end of a sentence.
pub(crate) fn result(result: &CommandResult) -> String {
    match result {
        CommandResult::Succeeded => "succeeded".to_owned(),
        CommandResult::Failed { code } => format!("failed with exit code {code}"),
        CommandResult::Signalled { signal } => format!("was terminated by signal {signal}"),
        CommandResult::NotRun { reason } => format!("could not be run: {reason}"),
        CommandResult::Abandoned => "was killed but did not exit".to_owned(),
    }
}

/// Why a further attempt is made, as the end of a sentence.
pub(crate) fn last_attempt(failure: &Failure) -> String {
    let Failure {
        command,
        result,
        last_line,
        log,
    } = failure;
    let ended = self::result(result);
    match (*command, result) {
        (Step::START, CommandResult::Succeeded) => {
            "; the last attempt succeeded, but nothing listened".to_owned()
        }
        (Step::STOP, CommandResult::Succeeded) => {
            "; the last attempt succeeded, but something still listens".to_owned()
        }
        (_, CommandResult::NotRun { .. }) => format!("; the last attempt {ended}"),
        (
            _,
            CommandResult::Succeeded
            | CommandResult::Failed { .. }
            | CommandResult::Signalled { .. }
            | CommandResult::Abandoned,
        ) => {
            let output = match last_line {
                Some(line) => format!("; last output: {}", Escaped(line)),
                None => "; no output".to_owned(),
            };
            format!("; the last attempt {ended}{output} (see {})", log.display())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(command: Step, result: CommandResult, last_line: Option<&str>) -> String {
        last_attempt(&Failure {
            command,
            result,
            last_line: last_line.map(str::to_owned),
            log: format!("/state/{command}.log").into(),
        })
    }

    #[test]
    fn a_failure_has_its_result_the_last_output_and_the_log() {
        let failed = CommandResult::Failed { code: 7 };
        assert_eq!(
            failure(Step::START, failed.clone(), Some("no \u{1b}[2Jsuch file")),
            "; the last attempt failed with exit code 7; last output: no \\u{1b}[2Jsuch file \
             (see /state/start.log)"
        );
        assert_eq!(
            failure(Step::FENCE, failed, None),
            "; the last attempt failed with exit code 7; no output (see /state/fence.log)"
        );
        let not_run = CommandResult::NotRun {
            reason: "it isn't there".to_owned(),
        };
        assert_eq!(
            failure(Step::STOP, not_run, None),
            "; the last attempt could not be run: it isn't there"
        );
    }

    #[test]
    fn a_success_without_effect_is_described_as_one() {
        assert_eq!(
            failure(Step::START, CommandResult::Succeeded, Some("started")),
            "; the last attempt succeeded, but nothing listened"
        );
    }
}
