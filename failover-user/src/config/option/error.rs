//! Why a value isn't allowed.

use thiserror::Error;

/// A value that its option can't have.
#[derive(Debug, Error)]
pub enum OptionError {
    /// Out of range.
    #[error("{option} is {value}; it must be between {least} and {most}")]
    Range {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// Smallest allowed.
        least: String,
        /// Largest allowed.
        most: String,
    },
    /// A path that can't be what the option needs.
    #[error("{option} is {path}, {what}; write the full path of {wanted}")]
    Path {
        /// The option.
        option: &'static str,
        /// As it was given, or why it isn't shown.
        path: String,
        /// What is wrong.
        what: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
}

impl OptionError {
    /// The option that has to change.
    pub(in crate::config) const fn option(&self) -> &'static str {
        match self {
            Self::Range { option, .. } | Self::Path { option, .. } => option,
        }
    }
}
