//! The configuration file: TOML with the flags' names.

use std::{collections::BTreeMap, fs::File, io::Read as _, path::Path};

use toml::Spanned;

use super::{ConfigurationError, Options, trust};
use crate::escape;

/// Hundreds of times what all options take.
const LONGEST_FILE: u64 = 64 * 1024;
/// How alike (Jaro) a key must be to be what was meant; clap uses the same for flags.
const ALIKE: f64 = 0.7;

/// By option: the line, from 1.
pub(super) type LineNumbers = BTreeMap<String, usize>;

/// What a file says. Others than this account and root must not be able to write it.
pub(super) fn read_trusted(path: &Path) -> Result<(Options, LineNumbers), ConfigurationError> {
    let (text, file) = text(path)?;
    trust::check(&file, path).map_err(|source| ConfigurationError::Read {
        path: path.to_owned(),
        source,
    })??;
    told(path, &text)
}

/// The same, whoever wrote it.
pub(super) fn read(path: &Path) -> Result<(Options, LineNumbers), ConfigurationError> {
    told(path, &text(path)?.0)
}

fn text(path: &Path) -> Result<(String, File), ConfigurationError> {
    let read_error = |source| ConfigurationError::Read {
        path: path.to_owned(),
        source,
    };
    let mut text = String::new();
    let file = File::open(path).map_err(read_error)?;
    (&file)
        .take(LONGEST_FILE + 1)
        .read_to_string(&mut text)
        .map_err(read_error)?;
    if text.len() as u64 > LONGEST_FILE {
        return Err(ConfigurationError::TooLong {
            path: path.to_owned(),
            limit: LONGEST_FILE,
        });
    }
    Ok((text, file))
}

fn told(path: &Path, text: &str) -> Result<(Options, LineNumbers), ConfigurationError> {
    parse_with_lines(text).map_err(|(line, message)| ConfigurationError::File {
        path: path.to_owned(),
        line,
        message,
    })
}

/// The options, or line and message of what is wrong. The message is one line, whatever it quotes.
pub(crate) fn parse(text: &str) -> Result<Options, (usize, String)> {
    parse_with_lines(text).map(|(options, _)| options)
}

fn parse_with_lines(text: &str) -> Result<(Options, LineNumbers), (usize, String)> {
    options(text).map_err(|(line, message)| (line, escape::one_line(&message)))
}

fn options(text: &str) -> Result<(Options, LineNumbers), (usize, String)> {
    let at = |position: usize| {
        1 + text
            .bytes()
            .take(position)
            .filter(|byte| *byte == b'\n')
            .count()
    };
    let toml_error = |error: toml::de::Error| {
        let message = error.message().trim().replace('\n', ", ");
        (at(error.span().map_or(0, |span| span.start)), message)
    };
    let keys: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).map_err(toml_error)?;
    let known = known_keys();
    if let Some(key) = keys.keys().find(|key| !known.contains(key.get_ref())) {
        return Err((at(key.span().start), unknown(key.get_ref(), &known)));
    }
    let options = toml::from_str(text).map_err(|error: toml::de::Error| {
        // The line alone doesn't say whose value it is, nor does toml.
        let position = error.span().map_or(0, |span| span.start);
        let before = keys.keys().filter(|key| key.span().start <= position);
        let key = before.max_by_key(|key| key.span().start);
        let (line, message) = toml_error(error);
        match key {
            Some(key) => (line, format!("{}: {message}", key.get_ref())),
            None => (line, message),
        }
    })?;
    let lines = keys.keys();
    let lines = lines.map(|key| (key.get_ref().clone(), at(key.span().start)));
    Ok((options, lines.collect()))
}

fn unknown(key: &str, known: &[String]) -> String {
    let nearest = known
        .iter()
        .map(|candidate| (strsim::jaro(key, candidate), candidate))
        .filter(|(alike, _)| *alike > ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match nearest {
        Some((_, nearest)) => format!("unknown key `{key}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{key}`; `failover run --help` lists them"),
    }
}

fn known_keys() -> Vec<String> {
    let arguments = Options::arguments();
    let names = arguments.iter().filter_map(clap::Arg::get_long);
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::{config::Witness, fuzz};

    #[test]
    fn the_file_has_the_flags_names() {
        let options = parse(
            "primary = \"pc-a:18789\"\nrecovery-interval = \"500ms\"\nstrikes = 2\n\
             witnesses = [\"10.0.0.3\", \"[fd00::3]:53\"]\nwitness-quorum = 2\n\
             kernel-events = \"off\"\nlog-format = \"json\"\ndry-run = true\n",
        )
        .unwrap();
        assert_eq!(options.primary.unwrap().to_string(), "pc-a:18789");
        assert_eq!(options.recovery_interval.unwrap().get().as_millis(), 500);
        assert_eq!(options.strikes.unwrap().get(), 2);
        assert_eq!(options.dry_run, Some(true));
        let witnesses = options.witnesses.unwrap();
        let witnesses: Vec<String> = witnesses.iter().map(ToString::to_string).collect();
        assert_eq!(witnesses, ["10.0.0.3", "[fd00::3]:53"]);
        assert_eq!(parse("witnesses = []").unwrap().witnesses, Some(Vec::new()));
        let mixed = parse("witnesses = [\"router\", \"9.9.9.9:53\"]").unwrap();
        assert_eq!(mixed.witnesses.unwrap().first(), Some(&Witness::Router));
    }

    #[test]
    fn every_flag_is_a_key() {
        for key in known_keys() {
            let (_, message) = parse(&format!("{key} = [[]]\n")).unwrap_err();
            assert!(!message.contains("unknown key"), "{key}: {message}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_right_one() {
        let (line, message) = parse("strikes = 3\n\nintervall = \"30s\"\n").unwrap_err();
        assert_eq!(line, 3);
        assert_eq!(message, "unknown key `intervall`; did you mean `interval`?");
        let (_, message) = parse("config = \"x\"\n").unwrap_err();
        assert!(message.contains("unknown key `config`"), "{message}");
    }

    #[test]
    fn what_a_message_quotes_cannot_draw_on_the_terminal() {
        for text in ["\"a\\u001B\\nb\" = 1\n", "primary = \"\\u001B[2J\\n\"\n"] {
            let (_, message) = parse(text).unwrap_err();
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line() {
        let (line, message) = parse("strikes = 3\ninterval = \"soon\"\n").unwrap_err();
        assert_eq!(line, 2);
        assert!(message.contains("`soon` is not a duration"), "{message}");
        assert_eq!(parse("strikes = 0\n").unwrap_err().0, 1);
        assert_eq!(parse("strikes = 3\nport = = 1\n").unwrap_err().0, 2);
    }

    /// What every key may be set to, right and wrong.
    fn line() -> impl Strategy<Value = String> {
        let key = prop_oneof![select(known_keys()), "[a-z-]{1,9}"];
        let value = prop_oneof![
            "[0-9]{1,12}",
            "(true|false|nan|\\[\\]|\\{\\}|[0-9]{4}-01-01)",
            "\"[0-9]{1,9}(ns|ms|s|m|h|d)\"",
            "\"[\\PC]{0,12}\"",
        ];
        (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_file_breaks_it(text in "[\\PC\n]{0,200}") {
            fuzz::configuration(text.as_bytes());
        }

        #[test]
        fn no_value_breaks_it(lines in vec(line(), 0..4)) {
            fuzz::configuration(format!("primary = \"a\"\n{}", lines.concat()).as_bytes());
        }
    }
}
