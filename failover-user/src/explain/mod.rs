//! `failover explain`: what a state, a problem, an alert, an event or an option means, and what to do, from the guide and
//! the reference of the options. It needs no daemon, and must not know of one.

mod guide;

use std::{collections::BTreeSet, fmt::Write as _};

use thiserror::Error;

use crate::config::{Entry, entries, wrapped};

use guide::{Kind, Row, rows};

/// Fits a terminal of 80 columns, behind the names of the parts.
const WIDTH: usize = 64;
/// The same for what has nothing before it.
const HEADING_WIDTH: usize = 78;
/// Names that are suggested in place of an unknown one.
const MOST_SUGGESTED: usize = 4;
/// How alike two words are, at least, for one to be suggested for the other (Jaro-Winkler, 0 to 1).
const ALIKE: f64 = 0.8;
/// A longer word is nobody's question.
const LONGEST_WORD: usize = 200;

/// A word that nothing is known by.
#[derive(Debug, Eq, Error, PartialEq)]
#[error(
    "nothing is known as {word}{}; `failover status` names states and problems, `failover config show` options",
    suggested(.suggestions)
)]
pub struct UnknownWord {
    word: String,
    suggestions: Vec<String>,
}

fn suggested(suggestions: &[String]) -> String {
    match suggestions {
        [] => String::new(),
        names => format!("; did you mean {}?", names.join(", ")),
    }
}

/// What is known by these words: a name, or part of a message.
///
/// # Errors
/// When nothing is.
pub fn explain(words: &str) -> Result<String, UnknownWord> {
    let asked = normal(words);
    let (rows, options) = (rows(), entries());
    let named = |row: &&Row| row.names.iter().any(|name| is_named(name, &asked));
    let option = options.iter().find(|entry| entry.option.name == asked);
    let mut found: Vec<String> = rows.iter().filter(named).map(of_row).collect();
    found.extend(option.map(of_option));
    if found.is_empty() && !asked.is_empty() {
        let mentions = |row: &&Row| row.names.iter().any(|name| is_part(name, &asked));
        found.extend(rows.iter().filter(mentions).map(of_row));
    }
    match found.is_empty() {
        false => Ok(found.join("\n")),
        true => Err(UnknownWord {
            word: words
                .chars()
                .filter(|one| !one.is_control())
                .take(LONGEST_WORD)
                .collect(),
            suggestions: alike(&asked, &rows, &options),
        }),
    }
}

/// Every name that can be explained.
#[must_use]
pub fn names() -> String {
    let rows = rows();
    let of_kind = |kind| {
        let rows = rows.iter().filter(move |row| row.kind == kind);
        let names = rows.flat_map(|row| row.names.iter());
        // Messages are in the status.
        names
            .filter(|name| !name.contains(' '))
            .cloned()
            .collect::<Vec<_>>()
    };
    let options = entries().into_iter().map(|entry| entry.option.name.clone());
    let mut text = String::new();
    for (name, names) in [
        ("states", of_kind(Kind::State)),
        ("alerts", of_kind(Kind::Problem)),
        ("options", options.collect()),
    ] {
        part(&mut text, name, &names.join(" "));
    }
    text
}

/// Without what people add or leave out: the case, flags' dashes, a value.
fn normal(words: &str) -> String {
    let words: String = words.chars().take(LONGEST_WORD).collect();
    let words = words.trim().trim_start_matches('-').to_lowercase();
    let name = words
        .split_once('=')
        .map_or(&*words, |(name, _)| name.trim());
    name.trim_end_matches([':', '.', ',']).to_owned()
}

/// Alerts may be written without the name of the program.
fn is_named(name: &str, asked: &str) -> bool {
    let name = name.to_lowercase();
    name == asked
        || name
            .strip_prefix("failover")
            .is_some_and(|rest| rest == asked)
}

/// A message of the status has more than the guide's part of it, and people may type less.
fn is_part(name: &str, asked: &str) -> bool {
    let name = name.to_lowercase();
    // What varies in a message stands for itself.
    let mut parts = name
        .split('…')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    name.contains(asked) || parts.all(|part| asked.contains(part))
}

fn of_row(row: &Row) -> String {
    let heading = format!("{} ({})", row.names.join("; "), row.kind.name());
    let mut text = wrapped(&heading, HEADING_WIDTH).join("\n") + "\n";
    part(&mut text, "meaning", &row.meaning);
    part(&mut text, "what to do", &row.remedy);
    text
}

fn of_option(entry: &Entry) -> String {
    let mut text = format!("{} (option)\n", entry.option.name);
    part(&mut text, "meaning", &entry.option.help);
    part(&mut text, "example", &entry.sample());
    part(&mut text, "default", entry.default());
    if let Some(range) = &entry.option.range {
        part(&mut text, "range", range);
    }
    for (choice, meaning) in &entry.choices {
        part(&mut text, choice, meaning);
    }
    text
}

fn part(text: &mut String, name: &str, said: &str) {
    let mut name = Some(name);
    for line in wrapped(said, WIDTH) {
        let _ = writeln!(text, "  {:<12}{line}", name.take().unwrap_or_default());
    }
}

/// The names that are most like this one.
fn alike(asked: &str, rows: &[Row], options: &[Entry]) -> Vec<String> {
    let of_rows = rows.iter().flat_map(|row| row.names.iter().cloned());
    let of_options = options.iter().map(|entry| entry.option.name.clone());
    // Messages are not what anybody mistypes.
    let names = of_rows.chain(of_options).filter(|name| !name.contains(' '));
    let names: BTreeSet<String> = names.collect();
    let mut alike: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(asked, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let names = alike.into_iter().map(|(_, name)| name);
    names.take(MOST_SUGGESTED).collect()
}

#[cfg(test)]
mod tests {
    use failover_decide::StateKind;

    use super::*;

    const ALERTS: &str = include_str!("../../dist/alerts.yml");

    #[test]
    fn each_state_alert_and_option_is_explained() {
        let alerts = ALERTS
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- alert: "));
        let states = StateKind::ALL.iter().map(|state| state.name());
        let names: Vec<String> = states.chain(alerts).map(str::to_owned).collect();
        assert!(names.len() > 30, "{names:?}");
        let options = entries().into_iter().map(|entry| entry.option.name.clone());
        for name in names.into_iter().chain(options) {
            let text = explain(&name).expect(&name);
            assert!(text.contains("  meaning     "), "{text}");
            // A word of its own may be longer than a line.
            let is_long = |line: &&str| line.chars().count() > 80 && line.trim().contains(' ');
            assert_eq!(text.lines().find(is_long), None);
        }
    }

    #[test]
    fn what_is_listed_can_be_explained() {
        let listed = names();
        let names: Vec<&str> = listed.split_whitespace().collect();
        assert!(names.len() > 100, "{listed}");
        for name in names
            .into_iter()
            .filter(|name| !["states", "alerts", "options"].contains(name))
        {
            assert!(explain(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_word_may_be_as_it_is_seen_or_typed() {
        for (words, part) in [
            ("ISOLATED", "isolated (state)"),
            ("StartFails", "FailoverStartFails"),
            ("--witnesses", "witnesses (option)"),
            ("interval=10s", "interval (option)"),
            ("the fence fails", "FailoverFenceFails"),
            (
                "the last drill failed 2 times in a row: a takeover may fail in the same way",
                "FailoverDrillFailed",
            ),
        ] {
            let text = explain(words).expect(words);
            assert!(text.contains(part), "{words}: {text}");
        }
    }

    #[test]
    fn an_unknown_word_has_suggestions_and_no_control_characters() {
        let error = explain("isolatd").unwrap_err();
        assert!(
            error.to_string().contains("did you mean isolated"),
            "{error}"
        );
        let error = explain("\u{1b}[2Jqqq").unwrap_err().to_string();
        assert!(!error.contains(char::is_control), "{error:?}");
        assert!(!error.contains("did you mean"), "{error}");
        assert!(explain("").is_err());
    }
}
