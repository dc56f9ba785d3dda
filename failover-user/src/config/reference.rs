//! The reference of all options, for people, made from their own definitions: `docs/configuration.md`.

use clap::Arg;

use crate::config::{
    option::{Description, Group},
    options::Options,
    values::Toml,
};

const HEADER: &str = "\
# Configuration

<!-- Made from failover-user/src/config; type: cargo xtask generate -->

Each option is a key of `/etc/failover/failover.toml` (TOML) and, under the same name, a flag of `failover run`:
`interval = \"30s\"` or `--interval 30s`. Flags override the file. `--config` names another file, `/dev/null` none.
Only `primary` is required. `failover run --help` has the same texts. In the file, what begins with `sync-` may stand
in a section without that: `every` below `[sync]`, or `sync = { from = \"alice@pc-a\", every = \"30s\" }`.

- `failover config init` prints the file with all options commented out, `failover config check` validates yours,
  `failover config show` prints every value and where it comes from. An option that depends on another one, as
  `check-status` on `check = \"http\"`, has no value unless that is set.
- `systemctl reload failover` reloads the configuration; strikes, state and running commands are kept. An invalid
  file is rejected and the old settings stay. A file writable by other users is rejected, too: it names commands
  that run as root.
";

/// How each kind of value is written, in Markdown.
pub const VALUES: [(&str, &str); 9] = [
    (
        "ACCOUNTS, COUNTS, FINGERPRINTS, OWNER, PATHS, PATTERNS, several HOST[:PORT]",
        "a list, as `[\"alice\", \"bob\"]`; as a flag, separated by commas",
    ),
    (
        "BOOL",
        "`true` or `false`, without quotes; the flag alone means `true`",
    ),
    (
        "COMMAND",
        "a string, split like a shell does but run without one: pipes, variables and the like are rejected, with \
         the `sh -c` line to write instead",
    ),
    ("COUNT, PORT, STATUS", "a number, without quotes"),
    (
        "DURATION",
        "a string, as `\"500ms\"`, `\"30s\"`, `\"2m\"`, `\"1h 30m\"` or `\"7d\"`",
    ),
    (
        "DIR, FILE, PATH of `control`",
        "a string with the full path; as a flag, relative paths are allowed",
    ),
    ("SIZE", "a string, as `\"500MB\"` or `\"2.5GB\"`"),
    ("VALUE", "a string, a number, or `true` or `false`"),
    ("all others", "a string"),
];

/// Wide enough for people, narrow enough for terminals.
pub(super) const WIDTH: usize = 96;

/// An option, for documents. Texts end without a full stop.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What is known of it.
    pub option: &'static Description,
    /// The kind of its value, see [`VALUES`].
    pub kind: String,
    /// Its possible values, where they are few, and what each means.
    pub choices: Vec<(String, String)>,
}

impl Entry {
    /// A line of the file that sets it.
    #[must_use]
    pub fn sample(&self) -> String {
        let Description { name, sample, .. } = self.option;
        format!("{name} = {}", Toml(sample))
    }

    /// Its default, as a value or in words.
    #[must_use]
    pub fn default(&self) -> &str {
        self.option.default.as_deref().unwrap_or("none")
    }
}

/// Every option, group by group, in the order of the help.
#[must_use]
pub fn entries() -> Vec<Entry> {
    let arguments = Options::arguments();
    let entry = |option: &'static Description| {
        let mut arguments = arguments.iter();
        let argument = arguments.find(|one| one.get_long() == Some(&option.name));
        let kinds = argument.and_then(Arg::get_value_names).unwrap_or_default();
        let choices = argument.map(Arg::get_possible_values).unwrap_or_default();
        // Those of a boolean go without saying.
        let choices = choices.iter().filter(|_| !option.sample.is_boolean());
        let choices = choices.map(|choice| {
            let help = choice.get_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let help = help.trim_end_matches('.').to_owned();
            (choice.get_name().to_owned(), help)
        });
        Entry {
            option,
            kind: kinds.join(" "),
            choices: choices.collect(),
        }
    };
    Options::grouped().into_iter().map(entry).collect()
}

/// The document.
#[must_use]
pub fn reference() -> String {
    let mut text = HEADER.to_owned();
    text.push_str("\n| value | how it is written |\n| --- | --- |\n");
    for (kind, how) in VALUES {
        text.push_str(&format!("| {kind} | {how} |\n"));
    }
    let mut group: Option<Group> = None;
    for entry in entries() {
        let of = entry.option.group;
        if group.replace(of) != Some(of) {
            text.push_str(&format!("\n## {}\n", of.heading()));
        }
        text.push_str(&section(&entry));
    }
    text
}

fn section(entry: &Entry) -> String {
    let Description {
        name, help, range, ..
    } = entry.option;
    let mut section = format!("\n### {name}\n\n");
    for line in wrapped(&format!("{}.", escaped(help)), WIDTH) {
        section.push_str(&format!("{line}\n"));
    }
    let (sample, kind) = (entry.sample(), &entry.kind);
    let default = escaped(entry.default());
    section.push_str(&format!("\n`{sample}` ({kind}; default: {default}"));
    if let Some(range) = range {
        section.push_str(&format!("; range: {range}"));
    }
    section.push_str(")\n");
    if !entry.choices.is_empty() {
        section.push('\n');
    }
    for (choice, what) in &entry.choices {
        section.push_str(&format!("- `\"{choice}\"`: {}\n", escaped(what)));
    }
    section
}

/// In lines of at most this many characters; a longer word has a line of its own.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
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
        for Description { name, group, .. } in Options::grouped() {
            let (_, of_group) = text
                .split_once(&format!("\n## {}\n", group.heading()))
                .expect(name);
            let of_group = of_group.split("\n## ").next().unwrap();
            let (_, section) = of_group
                .split_once(&format!("\n### {name}\n\n"))
                .expect(name);
            let section = section.split("\n### ").next().unwrap();
            for part in [&format!("\n`{name} = "), "; default: "] {
                assert!(section.contains(part), "{name} has no {part}: {section}");
            }
        }
    }

    #[test]
    fn what_means_something_to_markdown_is_escaped() {
        assert_eq!(escaped("check-* <a|b>"), "check-\\* \\<a\\|b>");
    }
}
