//! The reference of all options, for people, made from their own definitions: `docs/configuration.md`.

use clap::Arg;
use serde_json::Value;

use crate::config::{Options, commented::wrapped, diagnostic::samples, values::Toml};

const HEADER: &str = "\
# Configuration

<!-- Made from failover-user/src/config/options.rs; type: cargo xtask generate -->

Each option is a key of the file `/etc/failover/failover.toml` (TOML), and under the same name a flag of
`failover run`, as `interval = \"30s\"` and `--interval 30s`. Flags win over the file; `--config` names another
one, `/dev/null` none. Only `primary` has to be there. What is said of an option here, `failover run --help`
says as well.

- `failover config init` prints the file with every option as a comment, `failover config check` says
  whether yours is right, `failover config show` what it comes to and where each value comes from. An
  option that belongs to another choice, as `check-status` does to `check = \"http\"`, has no value then.
- `systemctl reload failover` puts a changed file in force, without losing strikes, state or a command in
  flight. A bad one is refused, and the old one stays. So is one that others than root could have written,
  for it names commands that root runs.
";

/// How each kind of value is written, in Markdown.
pub const VALUES: [(&str, &str); 8] = [
    (
        "ACCOUNTS, COUNTS, FINGERPRINTS, OWNER, several HOST[:PORT]",
        "a list, as `[\"alice\", \"bob\"]`; as a flag with commas",
    ),
    (
        "BOOL",
        "`true` or `false`, without quotes; as a flag alone it means `true`",
    ),
    (
        "COMMAND",
        "a string that is split like a shell does and run without one: pipes, variables and the like are \
         refused, with the `sh -c` line to write instead",
    ),
    ("COUNT, PORT, STATUS", "a number, without quotes"),
    (
        "DURATION",
        "a string, as `\"500ms\"`, `\"30s\"`, `\"2m\"`, `\"1h 30m\"` or `\"7d\"`",
    ),
    (
        "DIR, FILE, PATH of `control`",
        "a string with the full path; as a flag it may begin where you are",
    ),
    ("VALUE", "a string, a number, or `true` or `false`"),
    ("all others", "a string"),
];

/// An option, for who describes it. Texts end without a full stop.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key's name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// The kind of its value, see [`VALUES`].
    pub kind: String,
    /// Its default, in words or as a value.
    pub default: String,
    /// A line that one could write.
    pub sample: String,
    /// What it can be, where that is one of few, and what each means.
    pub choices: Vec<(String, String)>,
}

/// Every option, in the order of the help.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let values = samples();
    let arguments = Options::arguments();
    let entry = |argument: &Arg| {
        let name = argument.get_long().unwrap_or_default().to_owned();
        let help = argument.get_help().map(ToString::to_string);
        let help = help.unwrap_or_default();
        let (what, default) = parts(&help);
        let value = values.get(&name);
        let is_flag = value.is_some_and(Value::is_boolean);
        let default = match default {
            Some(default) => default,
            None if is_flag => "false",
            None => "none",
        };
        let kinds = argument.get_value_names().unwrap_or_default();
        let choices = argument.get_possible_values();
        let choices = choices.iter().filter(|_| !is_flag).map(|choice| {
            let help = choice.get_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let help = help.trim_end_matches('.').to_owned();
            (choice.get_name().to_owned(), help)
        });
        let sample = value.map(|value| format!("{name} = {}", Toml(value)));
        Entry {
            what: what.to_owned(),
            kind: kinds.join(" "),
            default: default.to_owned(),
            sample: sample.unwrap_or_default(),
            choices: choices.collect(),
            name,
        }
    };
    arguments.iter().map(entry).collect()
}

/// The document.
#[must_use]
pub fn reference() -> String {
    let mut text = HEADER.to_owned();
    text.push_str("\n| value | how it is written |\n| --- | --- |\n");
    for (kind, how) in VALUES {
        text.push_str(&format!("| {kind} | {how} |\n"));
    }
    for entry in entries() {
        text.push_str(&section(&entry));
    }
    text
}

fn section(entry: &Entry) -> String {
    let Entry {
        name,
        what,
        kind,
        default,
        sample,
        choices,
    } = entry;
    let mut section = format!("\n## {name}\n\n");
    for line in wrapped(&format!("{}.", escaped(what))) {
        section.push_str(&format!("{line}\n"));
    }
    let default = escaped(default);
    section.push_str(&format!("\n`{sample}` ({kind}; default: {default})\n"));
    if !choices.is_empty() {
        section.push('\n');
    }
    for (choice, what) in choices {
        section.push_str(&format!("- `\"{choice}\"`: {}\n", escaped(what)));
    }
    section
}

/// What it is, and its default where it says so.
fn parts(help: &str) -> (&str, Option<&str>) {
    let parts = help.rsplit_once(" [default: ");
    match parts.and_then(|(what, rest)| Some((what, rest.strip_suffix(']')?))) {
        Some((what, default)) => (what, Some(default)),
        None => (help, None),
    }
}

/// No character of it means anything to Markdown.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '_' | '<' | '`' | '|' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_its_section_with_a_value_and_a_default() {
        let text = reference();
        for argument in Options::arguments() {
            let name = argument.get_long().unwrap();
            let (_, section) = text.split_once(&format!("\n## {name}\n\n")).expect(name);
            let section = section.split("\n## ").next().unwrap();
            for part in [&format!("\n`{name} = "), "; default: "] {
                assert!(section.contains(part), "{name} has no {part}: {section}");
            }
        }
    }

    #[test]
    fn the_default_is_told_apart_from_what_the_option_is() {
        assert_eq!(parts("From here [default: 3s]"), ("From here", Some("3s")));
        assert_eq!(parts("A port [default port: 1]").1, None);
    }
}
