//! Why an order failed, in one short text.

use std::{fmt, io, path::Path};

use crate::{
    outcome::{FailedStep, Outcome},
    store::StoreError,
};

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Failure {
    /// What failed.
    pub step: FailedStep,
    /// What, where, and what to do next.
    pub error: String,
}

impl Failure {
    /// Something on this host.
    pub(crate) fn local(error: impl fmt::Display) -> Self {
        Self {
            step: FailedStep::Local,
            error: error.to_string(),
        }
    }

    /// Something about what the other host has sent.
    pub(crate) fn check(error: impl fmt::Display) -> Self {
        Self {
            step: FailedStep::Check,
            error: error.to_string(),
        }
    }

    /// For `map_err`: a file of this host.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.display().to_string();
        move |error| Self::local(format!("{action} {path}: {error}"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::local(error)
    }
}

impl From<Failure> for Outcome {
    fn from(Failure { step, error }: Failure) -> Self {
        Self::Failed { step, error }
    }
}
