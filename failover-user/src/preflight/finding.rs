//! Results of checks, and their text for people. Pure.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No problem.
    Ok,
    /// May cause trouble later.
    Warning,
    /// Prevents a takeover, or causes harm.
    Error,
}

/// The result of one check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Finding {
    /// The check's name.
    pub name: &'static str,
    /// The severity.
    pub level: Level,
    /// The result.
    pub message: String,
    /// The remedy, if there is one.
    pub remedy: Option<String>,
}

/// All findings.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Report(pub Vec<Finding>);

impl Finding {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self {
            name,
            level: Level::Ok,
            message: message.into(),
            remedy: None,
        }
    }

    pub(super) fn warning(
        name: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            level: Level::Warning,
            message: message.into(),
            remedy: Some(remedy.into()),
        }
    }

    pub(super) fn error(
        name: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Error,
            ..Self::warning(name, message, remedy)
        }
    }

    /// Splits one of the program's errors: the problem, a semicolon, the remedy.
    pub(super) fn of_error(name: &'static str, level: Level, error: &impl fmt::Display) -> Self {
        let text = error.to_string();
        let (message, remedy) = match text.rsplit_once("; ") {
            Some((message, remedy)) => (message.to_owned(), Some(remedy.to_owned())),
            None => (text, None),
        };
        Self {
            name,
            level,
            message,
            remedy,
        }
    }
}

impl Report {
    /// Is no finding an error?
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.count(Level::Error) == 0
    }

    fn count(&self, level: Level) -> usize {
        self.0.iter().filter(|one| one.level == level).count()
    }
}

/// Narrower than usual terminals.
const WIDTH: usize = 96;
const INDENT: usize = 26;

/// A table, and a summary.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for finding in &self.0 {
            let level = match finding.level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "ERROR",
            };
            let _ = write!(text, "{level:<8} {:<17}", finding.name);
            wrapped(&mut text, &finding.message);
            if let Some(remedy) = &finding.remedy {
                let _ = write!(text, "{:INDENT$}", "");
                wrapped(&mut text, &format!("-> {remedy}"));
            }
        }
        let counted = |count: usize, what: &str| match count {
            1 => format!("1 {what}"),
            count => format!("{count} {what}s"),
        };
        let (errors, warnings) = (self.count(Level::Error), self.count(Level::Warning));
        let word = match (errors, warnings) {
            (0, 0) => "no problems found".to_owned(),
            (0, warnings) => counted(warnings, "warning"),
            (errors, 0) => counted(errors, "error"),
            (errors, warnings) => format!(
                "{}, {}",
                counted(errors, "error"),
                counted(warnings, "warning")
            ),
        };
        writeln!(formatter, "{text}\n{word}")
    }
}

/// Wraps the text with a hanging indent at the current column. Text in backticks is not broken,
/// because people copy it.
fn wrapped(text: &mut String, words: &str) {
    let mut quoted = false;
    let words = words.split(|character: char| {
        quoted ^= character == '`';
        character == ' ' && !quoted
    });
    let mut column = INDENT;
    for (number, word) in words.enumerate() {
        let length = word.chars().count();
        if number > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        } else if number > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_a_command_stays_on_one_line() {
        let long = "word ".repeat(30);
        let command = format!("`{}`", "a command to be copied ".repeat(6).trim());
        let report = Report(vec![
            Finding::ok("primary", "answers"),
            Finding::warning("witnesses", long.trim(), format!("type {command} now")),
            Finding::error("port", "is taken", "free it"),
        ]);
        let text = report.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok       primary          answers");
        assert_eq!(lines.last(), Some(&"1 error, 1 warning"));
        let indented = lines.iter().filter(|line| line.starts_with("    "));
        assert!(
            indented
                .clone()
                .all(|line| line[..INDENT].trim().is_empty() && !line[INDENT..].starts_with(' ')),
            "{text}"
        );
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() <= WIDTH || line.trim().starts_with('`')),
            "{text}"
        );
        assert!(text.contains(&command), "{text}");
        assert!(!report.is_good());
    }

    #[test]
    fn a_report_is_good_unless_there_is_an_error() {
        let good = Report(vec![Finding::ok("a", "b")]);
        assert!(good.is_good());
        assert!(good.to_string().ends_with("\nno problems found\n"));
        assert!(Report(vec![Finding::warning("a", "b", "c")]).is_good());
    }

    #[test]
    fn an_error_is_split_into_what_is_wrong_and_what_to_do() {
        let finding = Finding::of_error("a", Level::Error, &"x; y is wrong; type z");
        assert_eq!(finding.message, "x; y is wrong");
        assert_eq!(finding.remedy.as_deref(), Some("type z"));
        let finding = Finding::of_error("a", Level::Error, &"all of it");
        assert_eq!((&*finding.message, finding.remedy), ("all of it", None));
    }

    #[test]
    fn tools_get_an_array_of_objects() {
        let json = serde_json::to_value(Report(vec![Finding::ok("port", "is free")])).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {"name": "port", "level": "ok", "message": "is free", "remedy": null}
            ])
        );
    }
}
