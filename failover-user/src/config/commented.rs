//! The commented default configuration, made from the options' own definitions.

use std::{
    io::{self, Write as _},
    path::Path,
};

use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::config::{
    reference::{Entry, WIDTH, entries, wrapped},
    values::plain,
};

/// Everybody may read it: secrets are in files of their own.
const MODE: u32 = 0o644;

const HEADER: &str = "\
# Configuration of failover, which takes over from the gateway on PC-A (TOML).
#
# All options, commented out, with their defaults; those without a default with an example.
# To set one, remove the `#` before its name. Only `primary` is required.
#
#     failover config check FILE     checks this file
#     systemctl reload failover      applies it
";

/// The file.
#[must_use]
pub fn commented() -> String {
    let mut text = HEADER.to_owned();
    let mut group = None;
    for entry in entries() {
        let of = entry.option.group;
        if group.replace(of) != Some(of) {
            text.push_str(&format!("\n# --- {} ---\n", of.heading()));
        }
        text.push_str(&section(&entry));
    }
    text
}

fn section(entry: &Entry) -> String {
    let option = entry.option;
    let mut help = option.help.clone();
    let default = option.default.as_ref();
    // Otherwise the line itself shows it.
    if let Some(default) = default.filter(|default| **default != plain(&option.sample)) {
        help.push_str(&format!(" [default: {default}]"));
    }
    if let Some(range) = &option.range {
        help.push_str(&format!(" [range: {range}]"));
    }
    let choices: Vec<&str> = entry.choices.iter().map(|(name, _)| &**name).collect();
    if !choices.is_empty() {
        help.push_str(&format!(" [one of: {}]", choices.join(", ")));
    }
    let lines = wrapped(&help, WIDTH);
    let lines = lines.iter().map(|line| format!("# {line}\n"));
    format!("\n{}#{}\n", lines.collect::<String>(), entry.sample())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Configuration, ConfigurationError, Description, Options};

    /// The options' lines without their `#`.
    fn uncommented(text: &str, wanted: impl Fn(&str) -> bool) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(option) if option.starts_with(char::is_alphabetic) && wanted(option) => {
                format!("{option}\n")
            }
            _ => format!("{line}\n"),
        };
        text.lines().map(line).collect()
    }

    fn check(text: &str) -> Result<Configuration, ConfigurationError> {
        let mut options: Options = text.parse().unwrap();
        // The commands needn't be here.
        options.operation.dry_run = Some(true);
        Configuration::check(options)
    }

    #[test]
    fn as_it_is_it_says_nothing_and_the_primary_alone_is_missing() {
        let text = commented();
        assert_eq!(text.parse::<Options>().unwrap(), Options::default());
        let error = check(&text).unwrap_err();
        assert!(matches!(error, ConfigurationError::NoPrimary), "{error}");
        check(&uncommented(&text, |option| option.starts_with("primary "))).unwrap();
    }

    #[test]
    fn with_every_option_uncommented_the_defaults_are_in_force() {
        let text = commented();
        let option = |line: &str| {
            let name = line.split(' ').next().unwrap();
            Options::described(name).unwrap()
        };
        let defaults = uncommented(&text, |line| !option(line).is_alternative);
        let examples = uncommented(&text, |line| {
            let Description {
                default,
                is_alternative,
                ..
            } = option(line);
            default.is_none() && !is_alternative || line.starts_with("primary ")
        });
        assert_eq!(check(&defaults).unwrap(), check(&examples).unwrap());
        let everything = uncommented(&text, |_| true);
        for Description { name, .. } in Options::grouped() {
            assert!(everything.contains(&format!("\n{name} = ")), "{name}");
        }
    }

    #[test]
    fn no_line_is_longer_than_a_terminal() {
        let text = commented();
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest.is_some_and(|longest| longest <= 100), "{text}");
    }
}
