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
    Configuration, DEFAULT_CONFIG, Faults, Options, Validation,
    defaults::defaults,
    file,
    file::Author,
    secret::{NOT_SHOWN, is_secret},
    values::{Toml, Values},
};

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file says so.
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The command line says so.
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
/// Whatever is wrong with the configuration: what isn't in force can't be shown.
pub fn in_force(flags: &Options, secrets: bool) -> anyhow::Result<Vec<Setting>> {
    // Read once: it may be a pipe.
    let validation = Validation::of(flags.clone(), Author::Anybody);
    let file::Written {
        options: file,
        lines,
        ..
    } = validation.written.clone();
    validation.finished()?;
    let defaults = Values::of(&defaults(&flags.clone().or(file.clone())))?;
    let (flag_values, file_values) = (Values::of(flags)?, Values::of(&file)?);
    let setting = |option: &str| {
        let (value, origin) = if let Some(value) = flag_values.get(option) {
            (Some(value), Origin::Flag)
        } else if let Some(value) = file_values.get(option) {
            let file = flags.config.clone().unwrap_or_default();
            let line = lines.get(option).copied().unwrap_or_default();
            (Some(value), Origin::File { file, line })
        } else {
            (defaults.get(option), Origin::Default)
        };
        // A default is no secret.
        let hidden = !secrets && origin != Origin::Default && is_secret(option);
        Setting {
            option: option.to_owned(),
            value: value.filter(|_| !hidden).cloned().unwrap_or_default(),
            hidden,
            origin,
        }
    };
    let arguments = Options::arguments();
    let names = arguments.iter().filter_map(clap::Arg::get_long);
    Ok(names.map(setting).collect())
}

/// The settings as a configuration file, with where each comes from as a comment.
#[must_use]
pub fn as_file(settings: &[Setting]) -> String {
    let told = settings.iter().map(|setting| {
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
    let told: Vec<(String, &Origin)> = told.collect();
    // Long values don't push all comments to the right.
    let width = told.iter().map(|(text, _)| text.chars().count());
    let width = width.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    told.iter()
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

impl Options {
    /// With the package's file, where no other is named and that one is there. One that can't be looked
    /// at is there: reading it says why.
    #[must_use]
    pub fn or_default_file(mut self) -> Self {
        let default = Path::new(DEFAULT_CONFIG);
        if self.config.is_none() && default.try_exists().unwrap_or(true) {
            self.config = Some(default.to_owned());
        }
        self
    }
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

    /// The same, whoever wrote the file: for what runs no commands.
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

    #[test]
    fn each_value_tells_where_it_comes_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("failover.toml");
        let text = "# mine\nprimary = \"pc-a\"\ninterval = \"2s\"\nstrikes = 4\n";
        std::fs::write(&path, text).unwrap();
        let flags = Options {
            config: Some(path.clone()),
            strikes: 5.try_into().ok(),
            dry_run: Some(true),
            ..Options::default()
        };
        let settings = in_force(&flags, false).unwrap();
        let told = |option: &str| {
            let found = settings.iter().find(|setting| setting.option == option);
            let Setting { value, origin, .. } = found.unwrap();
            format!("{value} {origin}")
        };
        let file = path.display();
        assert_eq!(told("primary"), format!("\"pc-a:18789\" {file}:2"));
        assert_eq!(told("interval"), format!("\"2s\" {file}:3"));
        assert_eq!(told("strikes"), "5 flag");
        // What follows the interval is told as it is.
        assert_eq!(told("timeout"), "\"2s\" default");
        assert_eq!(told("confirm-interval"), "\"2s\" default");
        assert_eq!(told("fence"), "null default");
        assert_eq!(told("dry-run"), "true flag");
    }

    #[test]
    fn what_is_shown_is_a_configuration_again() {
        let flags = Options {
            primary: "pc-a".parse().ok(),
            start: Some("sh -c 'a \"b\"\u{7f}'".to_owned()),
            dry_run: Some(true),
            ..Options::default()
        };
        let shown = as_file(&in_force(&flags, true).unwrap());
        let (again, _) = file::parse(&shown).unwrap();
        let load = |options| Configuration::check(options).unwrap();
        assert_eq!(load(again), load(flags), "{shown}");
    }
}
