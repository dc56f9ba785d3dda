//! The reference of all options, for people, made from their own definitions: `docs/configuration.md`.

use clap::{Arg, builder::PossibleValue};
use serde_json::Value;

use super::{
    Options,
    commented::wrapped,
    layers::{Toml, Values},
    value::samples,
};

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

| value | how it is written |
| --- | --- |
| ACCOUNTS, COUNTS, OWNER, several HOST[:PORT] | a list, as `[\"alice\", \"bob\"]`; as a flag with commas |
| BOOL | `true` or `false`, without quotes; as a flag alone it means `true` |
| COMMAND | a string that is split like a shell does and run without one: no pipes, no variables |
| COUNT, PORT, STATUS | a number, without quotes |
| DURATION | a string, as `\"500ms\"`, `\"30s\"`, `\"2m\"`, `\"1h 30m\"` or `\"7d\"` |
| DIR, FILE, PATH of `control` | a string with the full path; as a flag it may begin where you are |
| VALUE | a string, a number, or `true` or `false` |
| all others | a string |
";

/// The document.
///
/// # Errors
/// Where an option can't be written as text.
pub fn reference() -> anyhow::Result<String> {
    let values = samples();
    let mut text = HEADER.to_owned();
    for argument in Options::arguments() {
        text.push_str(&section(&argument, &values));
    }
    Ok(text)
}

fn section(argument: &Arg, values: &Values) -> String {
    let name = argument.get_long().unwrap_or_default();
    let help = argument.get_help().map(ToString::to_string);
    let help = help.unwrap_or_default();
    let (what, default) = parts(&help);
    let mut section = format!("\n## {name}\n\n");
    for line in wrapped(&format!("{}.", escaped(what))) {
        section.push_str(&format!("{line}\n"));
    }
    let value = values.get(name);
    let is_flag = value.is_some_and(Value::is_boolean);
    let kinds = argument.get_value_names().unwrap_or_default();
    let kind = match (is_flag, kinds) {
        (true, _) => "BOOL".to_owned(),
        (false, kinds) => kinds.join(" "),
    };
    let default = match default {
        Some(default) => escaped(default),
        None if is_flag => "false".to_owned(),
        None => "none".to_owned(),
    };
    let example = value.map(|value| format!("`{name} = {}`", Toml(value)));
    let example = example.unwrap_or_default();
    section.push_str(&format!("\n{example} ({kind}; default: {default})\n"));
    let choices = argument.get_possible_values();
    if !is_flag && !choices.is_empty() {
        section.push('\n');
        section.extend(choices.iter().map(told));
    }
    section
}

fn told(choice: &PossibleValue) -> String {
    let name = choice.get_name();
    let help = choice.get_help().map(|help| format!(": {help}"));
    let help = help.unwrap_or_default();
    let help = help.trim_end_matches('.');
    format!("- `\"{name}\"`{}\n", escaped(help))
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
        let text = reference().unwrap();
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
