//! Options as values by their names, and how the file writes a value.

use std::fmt;

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::config::Options;

/// Options by their names, as values of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Values(Map<String, Value>);

impl Values {
    pub(super) fn of(options: &Options) -> anyhow::Result<Self> {
        match serde_json::to_value(options).context("a value isn't text")? {
            Value::Object(values) => Ok(Self(values)),
            _ => anyhow::bail!("options are no table"),
        }
    }

    /// As options again.
    pub(super) fn options(self) -> serde_json::Result<Options> {
        serde_json::from_value(Value::Object(self.0))
    }

    /// Takes out what is said there; with a star at its end the name stands for all that begin so.
    /// Returns how many said something.
    pub(super) fn remove(&mut self, name: &str) -> usize {
        let fits = |option: &str| match name.strip_suffix('*') {
            Some(beginning) => option.starts_with(beginning),
            None => option == name,
        };
        let said = self
            .0
            .iter_mut()
            .filter(|(option, value)| !value.is_null() && fits(option));
        said.map(|(_, value)| *value = Value::Null).count()
    }

    /// The value, if there is one.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

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
