//! The commented default configuration, made from the options' own definitions.

use std::{
    io::{self, Write as _},
    path::Path,
};

use clap::builder::PossibleValue;
use serde_json::Value;

use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::config::{Options, diagnostic::samples, values::Toml};

/// Everybody may read it: secrets are in files of their own.
const MODE: u32 = 0o644;

const HEADER: &str = "\
# Configuration of failover, which takes over from the gateway on PC-A (TOML).
#
# Every option is here, as a comment: what has a default with that, what has none with an example.
# To change one, remove the `#` before its name. Only `primary` has to be there.
#
#     failover config check FILE     says whether it is right
#     systemctl reload failover      puts it in force
";

/// Wide enough for people, narrow enough for terminals.
const WIDTH: usize = 96;

/// The file.
///
/// # Errors
/// Where an option can't be written as text.
pub fn commented() -> anyhow::Result<String> {
    let values = samples();
    let mut text = HEADER.to_owned();
    for argument in Options::arguments() {
        let name = argument.get_long().unwrap_or_default();
        let help = argument.get_help().map(ToString::to_string);
        let mut help = without_default(&help.unwrap_or_default()).to_owned();
        let choices = argument.get_possible_values();
        let choices: Vec<&str> = choices.iter().map(PossibleValue::get_name).collect();
        // Of a flag, they go without saying.
        if !choices.is_empty() && values.get(name).is_some_and(Value::is_string) {
            help.push_str(&format!(" [one of: {}]", choices.join(", ")));
        }
        text.push('\n');
        for line in wrapped(&help) {
            text.push_str(&format!("# {line}\n"));
        }
        if let Some(value) = values.get(name) {
            text.push_str(&format!("#{name} = {}\n", Toml(value)));
        }
    }
    Ok(text)
}

/// Writes a configuration where there is none yet, and makes its folder.
///
/// # Errors
/// When there is something already, it can't be written, or others could change it there.
pub fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let (folder, name) = Folder::made_for(path, Sticky::Counts)?;
    let mut file = folder.create_new(name, MODE)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    folder.sync()
}

/// The value says it better, but for what can't be told in one.
fn without_default(help: &str) -> &str {
    const IN_WORDS: [&str; 3] = ["the ", "port: ", ", or "];
    match help.rsplit_once(" [default: ") {
        Some((before, default)) if !IN_WORDS.iter().any(|words| default.contains(words)) => before,
        _ => help,
    }
}

pub(super) fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        Configuration, ConfigurationError,
        defaults::{alternatives, examples},
        file,
        values::Values,
    };

    /// The options' lines without their `#`.
    fn uncommented(text: &str, wanted: impl Fn(&str) -> bool) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(option) if !option.starts_with(' ') && wanted(option) => format!("{option}\n"),
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }

    fn check(text: &str) -> Result<Configuration, ConfigurationError> {
        let (options, _) = file::parse(text).unwrap();
        Configuration::check(Options {
            // The commands needn't be here.
            dry_run: Some(true),
            ..options
        })
    }

    #[test]
    fn as_it_is_it_says_nothing_and_the_primary_alone_is_missing() {
        let text = commented().unwrap();
        assert_eq!(file::parse(&text).unwrap().0, Options::default());
        let error = check(&text).unwrap_err();
        assert!(matches!(error, ConfigurationError::NoPrimary), "{error}");
        check(&uncommented(&text, |option| option.starts_with("primary "))).unwrap();
    }

    #[test]
    fn with_every_option_uncommented_the_defaults_are_in_force() {
        let text = commented().unwrap();
        let others = Values::of(&alternatives()).unwrap();
        let goes_with_the_rest = |option: &str| {
            let name = option.split(' ').next().unwrap();
            others.get(name).is_none()
        };
        let everything = uncommented(&text, |_| true);
        let text = uncommented(&text, goes_with_the_rest);
        let all = check(&text).unwrap();
        let examples = Options {
            dry_run: Some(true),
            ..examples()
        };
        assert_eq!(all, Configuration::check(examples).unwrap());
        for argument in Options::arguments() {
            let name = argument.get_long().unwrap();
            assert!(everything.contains(&format!("\n{name} = ")), "{name}");
        }
    }

    #[test]
    fn no_line_is_longer_than_a_terminal() {
        let text = commented().unwrap();
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= 100), "{text}");
    }
}
