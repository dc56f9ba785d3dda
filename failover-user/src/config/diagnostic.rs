//! Why a value of the file is refused, in the words of the file's author: toml and serde speak of types.

use std::{error::Error as _, ops::Range};

use clap::{Args as _, Command, builder::PossibleValue};
use serde_json::Value;
use toml::de::DeValue;

use crate::config::{option::Description, options::Options, secret::quoted, values::Toml};

/// The file isn't TOML there.
pub(super) fn syntax(text: &str, span: &Range<usize>, message: &str) -> String {
    let message = message.trim().replace('\n', ", ");
    let before = text.get(..span.start).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text.get(start..).unwrap_or_default().lines().next();
    let name = line
        .unwrap_or_default()
        .split('=')
        .next()
        .unwrap_or_default();
    let name = name.trim().trim_matches('"');
    if message == "duplicate key" {
        return format!("`{}` is set twice; remove one of them", quoted(name));
    }
    match Options::described(name) {
        Some(option) => format!(
            "{name}: {message}; write it as {name} = {}",
            Toml(&option.sample)
        ),
        None => format!("{message}; texts need quotes, as primary = \"192.168.1.10\""),
    }
}

/// A value isn't what the option can be. `written`: as it is in the file.
pub(super) fn refused(name: &str, value: &DeValue<'_>, written: &str, message: &str) -> String {
    let Some(Description {
        sample, is_secret, ..
    }) = Options::described(name)
    else {
        return format!("{name}: {message}");
    };
    if *is_secret {
        return format!(
            "{name} is not a text in quotes (not shown, it may be a secret); write it as {name} = {}",
            Toml(sample)
        );
    }
    let shown = quoted(written);
    let of_flag = |text: &str| format!("{name}: {}", by_flag(name, text).unwrap_or(message.into()));
    let instead = |what: &str, better: &dyn std::fmt::Display| {
        format!("{name} is {shown}; write {what}, as {name} = {better}")
    };
    match (sample, value) {
        (Value::String(_), DeValue::String(text)) => of_flag(text),
        (Value::Number(_), DeValue::Integer(_)) => of_flag(written),
        (Value::Number(_), DeValue::String(text)) if text.parse::<u32>().is_ok() => {
            instead("a number without quotes", text)
        }
        (Value::Number(_), _) => instead("a whole number without quotes", &Toml(sample)),
        (Value::Bool(_), _) => {
            format!("{name} is {shown}; write true or false, without quotes")
        }
        (Value::String(_), DeValue::Integer(number)) if is_duration(name) => instead(
            "a text in quotes with a unit",
            &format!("\"{}s\"", number.as_str()),
        ),
        (Value::String(_), _) => instead("a text in quotes", &Toml(sample)),
        (Value::Array(_), DeValue::String(text)) if quoted(text) == **text => {
            let listed = Value::Array(vec![Value::String(text.to_string())]);
            instead("a list", &Toml(&listed))
        }
        (Value::Array(_), DeValue::Array(_)) if message.contains("; ") => {
            format!("{name}: {message}")
        }
        (Value::Array(_), _) => instead("a list", &Toml(sample)),
        _ => format!("{name}: {message}"),
    }
}

fn is_duration(name: &str) -> bool {
    let arguments = Options::arguments();
    let argument = arguments.iter().find(|one| one.get_long() == Some(name));
    let names = argument.and_then(clap::Arg::get_value_names);
    names.is_some_and(|names| names.iter().any(|name| name == "DURATION"))
}

/// The message of the flag of the same name for this text.
fn by_flag(name: &str, text: &str) -> Option<String> {
    let command = Options::augment_args(Command::new("run"));
    let arguments = Options::arguments();
    let argument = arguments.iter().find(|one| one.get_long() == Some(name))?;
    let choices = argument.get_possible_values();
    if !choices.is_empty() {
        let choices: Vec<&str> = choices.iter().map(PossibleValue::get_name).collect();
        let text = quoted(text);
        return Some(format!(
            "`{text}` is not a choice; write one of: {}",
            choices.join(", ")
        ));
    }
    let error = command
        .try_get_matches_from(["run", &format!("--{name}={text}")])
        .err()?;
    let source = error.source()?.to_string();
    // Some say only what to write.
    Some(match source.starts_with('`') {
        true => source,
        false => format!("`{}` is wrong; {source}", quoted(text)),
    })
}
