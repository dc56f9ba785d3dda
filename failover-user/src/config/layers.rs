//! What is in force, option by option, and where each value comes from: the command line, a line of
//! the file, or the default.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;
use serde_json::Value;

use failover_linux::escape;

use crate::config::{
    Configuration,
    error::Faults,
    file::{self, Author},
    option::{Description, OptionSet as _},
    options::Options,
    secret::NOT_SHOWN,
    validate::Validation,
    values::Toml,
};

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// It isn't set.
    Default,
    /// It is set in the configuration file.
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It is set on the command line.
    Flag,
}

/// An option that is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name: the flag's, and the file's.
    pub option: String,
    /// Its value; null where there is none, or where it isn't shown.
    pub value: Value,
    /// There is a value, and it isn't shown: it may be a secret.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Where it comes from.
    #[serde(flatten)]
    pub origin: Origin,
}

/// Every option as it is in force, in the order of the help. What may be a secret is hidden unless `secrets` are
/// wanted.
///
/// # Errors
/// All that is wrong with the configuration: what isn't in force can't be shown.
pub fn in_force(flags: &Options, secrets: bool) -> anyhow::Result<Vec<Setting>> {
    // Read once: it may be a pipe.
    let validation = Validation::of(flags.clone(), Author::Anybody);
    let file::Written {
        options: file,
        lines,
        ..
    } = validation.written.clone();
    validation.finished()?;
    let in_force = flags.clone().or(file.clone()).resolve()?.values()?;
    let setting = |Description {
                       name, is_secret, ..
                   }: &Description| {
        let origin = if flags.is_set(name) {
            Origin::Flag
        } else if file.is_set(name) {
            let file = flags.config.clone().unwrap_or_default();
            let line = lines.get(name).copied().unwrap_or_default();
            Origin::File { file, line }
        } else {
            Origin::Default
        };
        // A default is not a secret.
        let hidden = !secrets && origin != Origin::Default && *is_secret;
        let value = in_force.get(name).filter(|_| !hidden);
        Setting {
            option: name.clone(),
            value: value.cloned().unwrap_or_default(),
            hidden,
            origin,
        }
    };
    Ok(Options::grouped().into_iter().map(setting).collect())
}

/// The settings as a configuration file, with where each comes from as a comment.
#[must_use]
pub fn as_file(settings: &[Setting]) -> String {
    let shown = settings.iter().map(|setting| {
        let Setting {
            option,
            value,
            hidden,
            origin,
        } = setting;
        match value {
            Value::Null if *hidden => (format!("# {option}: {NOT_SHOWN}"), origin),
            Value::Null => (format!("# {option}: none"), origin),
            value => (format!("{option} = {}", Toml(value)), origin),
        }
    });
    let shown: Vec<(String, &Origin)> = shown.collect();
    // Long values don't push all comments to the right.
    let width = shown.iter().map(|(text, _)| text.chars().count());
    let width = width.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    shown
        .iter()
        .map(|(text, origin)| format!("{text:width$}  # {origin}\n"))
        .collect()
}

/// Up to here values are aligned.
const WIDEST: usize = 50;

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::Flag => formatter.write_str("flag"),
            Self::File { file, line } => write!(formatter, "{}:{line}", path(file)),
        }
    }
}

fn path(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

impl Configuration {
    /// Flags win over the file, the file over the defaults. The file names commands, so it must
    /// not be others' to write.
    ///
    /// # Errors
    /// All that is wrong, each with its option.
    pub fn load(flags: Options) -> Result<Self, Faults> {
        Validation::load(flags).finished()
    }

    /// The same from a file that anyone may have written: for what runs no commands.
    ///
    /// # Errors
    /// All that is wrong, each with its option.
    pub fn load_anybodys(flags: Options) -> Result<Self, Faults> {
        Validation::of(flags, Author::Anybody).finished()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        text.parse().unwrap()
    }

    #[test]
    fn each_value_is_shown_with_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        let text = "# mine\nprimary = \"pc-a\"\ninterval = \"2s\"\nstrikes = 4\n";
        std::fs::write(&path, text).unwrap();
        let flags = Options {
            config: Some(path.clone()),
            ..options("strikes = 5\ndry-run = true")
        };
        let settings = in_force(&flags, false).unwrap();
        let shown = |option: &str| {
            let found = settings.iter().find(|setting| setting.option == option);
            let Setting { value, origin, .. } = found.unwrap();
            format!("{value} {origin}")
        };
        let file = path.display();
        assert_eq!(shown("primary"), format!("\"pc-a:18789\" {file}:2"));
        assert_eq!(shown("interval"), format!("\"2s\" {file}:3"));
        assert_eq!(shown("strikes"), "5 flag");
        // What follows the interval is shown as it is.
        assert_eq!(shown("timeout"), "\"2s\" default");
        assert_eq!(shown("confirm-interval"), "\"2s\" default");
        assert_eq!(shown("fence"), "null default");
        assert_eq!(shown("dry-run"), "true flag");
    }

    #[test]
    fn what_is_shown_is_a_configuration_again() {
        let mut flags = options("primary = \"pc-a\"\ndry-run = true");
        flags.gateway.start = Some("sh -c 'a \"b\"\u{7f}'".to_owned());
        let shown = as_file(&in_force(&flags, true).unwrap());
        let (again, _) = file::parse(&shown).unwrap();
        let load = |options| Configuration::check(options).unwrap();
        assert_eq!(load(again), load(flags), "{shown}");
    }
}
