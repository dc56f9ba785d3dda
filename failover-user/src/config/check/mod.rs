//! The check of a gateway: its options, the rules for them, and what comes of them.

mod error;
mod options;
mod spec;

pub use error::CheckError;
pub use options::CheckKind;
pub(crate) use options::CheckOptions;
pub(super) use options::{CheckValues, DEFAULT_STATUS, Given, LEAST_STATUS, MOST_STATUS, Names};
pub use spec::{Body, Check, HttpCheck, OpenClawCheck, Scalar, Server, Tls};

#[cfg(test)]
mod tests;
