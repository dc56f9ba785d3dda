//! An option as documents show it.

use serde_json::Value;

use super::group::Group;

/// An option, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its name with underscores, as code has it.
    pub(in crate::config) field: &'static str,
    /// Its name: the flag's and the file's.
    pub name: String,
    /// What it is, without a full stop.
    pub help: String,
    /// Where it belongs.
    pub group: Group,
    /// Its default, as a value or in words.
    pub default: Option<String>,
    /// Which values are allowed, where that is a range.
    pub range: Option<String>,
    /// What one could write: an example, or the default.
    pub sample: Value,
    /// Must it stay out of the commented default configuration unless others change as well?
    pub(in crate::config) is_alternative: bool,
    /// May the value be a secret?
    pub(in crate::config) is_secret: bool,
}

impl Description {
    /// What `--help` and the manual show.
    pub(in crate::config) fn flag_help(&self) -> String {
        let mut help = self.help.clone();
        for (name, value) in [("default", &self.default), ("range", &self.range)] {
            if let Some(value) = value {
                help.push_str(&format!(" [{name}: {value}]"));
            }
        }
        help
    }
}
