//! How a value is written, in the file and for a flag.

use std::fmt;

use serde_json::Value;

/// A value in TOML: for what options hold, that is the same as JSON.
pub(super) struct Toml<'value>(pub(super) &'value Value);

impl fmt::Display for Toml<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Array(values) => {
                let values: Vec<String> = values.iter().map(|one| Toml(one).to_string()).collect();
                write!(formatter, "[{}]", values.join(", "))
            }
            // The only character that TOML has escaped and JSON hasn't.
            value => write!(
                formatter,
                "{}",
                value.to_string().replace('\x7f', "\\u007f")
            ),
        }
    }
}

/// As one writes it for a flag.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    }
}
