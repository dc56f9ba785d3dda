//! How each command failed when it was run last, for people: what a further attempt is told with. It
//! must not know what is decided.

use std::path::Path;

use failover_decide::{Command, CommandResult};
use failover_linux::escape::Escaped;

#[derive(Debug, Default)]
pub(crate) struct Failures {
    start: Option<String>,
    stop: Option<String>,
    fence: Option<String>,
}

impl Failures {
    /// It ended like this; all that it said is in the state directory, and this was its last line.
    pub(crate) fn ended(
        &mut self,
        command: Command,
        result: &CommandResult,
        last_line: Option<&str>,
        state_dir: &Path,
    ) {
        let told = match (command, result) {
            // Told only when there is a further attempt.
            (Command::Start, CommandResult::Succeeded) => {
                "the last one succeeded, but nothing listened afterwards".to_owned()
            }
            (Command::Stop, CommandResult::Succeeded) => {
                "the last one succeeded, but something listens still".to_owned()
            }
            (Command::Fence, CommandResult::Succeeded) => {
                self.fence = None;
                return;
            }
            (_, CommandResult::NotRun { .. }) => format!("the last one {result}"),
            _ => {
                let file = state_dir.join(format!("{command}.log"));
                let said = match last_line {
                    Some(line) => format!(", and said last: {}", Escaped(line)),
                    None => ", and said nothing".to_owned(),
                };
                format!("the last one {result}{said} (see {})", file.display())
            }
        };
        *self.place(command) = Some(told);
    }

    /// Why there is a further attempt, as the end of a sentence.
    pub(crate) fn told(&self, command: Command) -> String {
        let failure = match command {
            Command::Start => &self.start,
            Command::Stop => &self.stop,
            Command::Fence => &self.fence,
        };
        failure
            .as_ref()
            .map(|failure| format!("; {failure}"))
            .unwrap_or_default()
    }

    fn place(&mut self, command: Command) -> &mut Option<String> {
        match command {
            Command::Start => &mut self.start,
            Command::Stop => &mut self.stop,
            Command::Fence => &mut self.fence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(command: Command, result: &CommandResult, last_line: Option<&str>) -> String {
        let mut failures = Failures::default();
        failures.ended(command, result, last_line, Path::new("/state"));
        failures.told(command)
    }

    #[test]
    fn a_failure_is_told_with_how_it_ended_what_it_said_last_and_where_the_rest_is() {
        let failed = CommandResult::Failed { code: 7 };
        assert_eq!(
            told(Command::Start, &failed, Some("no \u{1b}[2Jsuch file")),
            "; the last one failed with exit code 7, and said last: no \\u{1b}[2Jsuch file \
             (see /state/start.log)"
        );
        assert_eq!(
            told(Command::Fence, &failed, None),
            "; the last one failed with exit code 7, and said nothing (see /state/fence.log)"
        );
        let not_run = CommandResult::NotRun {
            reason: "it isn't there".to_owned(),
        };
        assert_eq!(
            told(Command::Stop, &not_run, None),
            "; the last one could not be run: it isn't there"
        );
    }

    #[test]
    fn a_success_that_led_to_nothing_is_told_as_that_and_a_fences_ends_it() {
        let succeeded = CommandResult::Succeeded;
        let start = told(Command::Start, &succeeded, Some("started"));
        assert_eq!(
            start,
            "; the last one succeeded, but nothing listened afterwards"
        );
        assert_eq!(told(Command::Fence, &succeeded, None), "");
        assert_eq!(Failures::default().told(Command::Start), "");
    }
}
