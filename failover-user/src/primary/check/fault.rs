//! Why a check has no good answer, and where the fault is.

use std::time::Duration;

use failover_decide::{Failure, Gone, NoAnswer, Outcome};

use crate::primary::check::wrong_answer::WrongAnswer;

/// Why there is no good answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// The gateway's fault.
    Gateway(Failure),
    /// There is no route or source address to reach it; with the reason.
    NoPath(String),
    /// The fault of the gateway's certificate, with its description.
    Certificate(WrongAnswer, String),
    /// A fault of PC-B; with the reason.
    Own(String),
}

impl Fault {
    pub(super) fn certificate(&self) -> Option<String> {
        match self {
            Self::Certificate(_, presented) => Some(presented.clone()),
            Self::Gateway(_) | Self::NoPath(_) | Self::Own(_) => None,
        }
    }

    pub(super) fn outcome(self, took: Duration) -> Outcome {
        match self {
            Self::Gateway(failure) => Outcome::Failed { failure, took },
            Self::Certificate(what, _) => Outcome::Failed {
                failure: what.into(),
                took,
            },
            Self::NoPath(reason) => Outcome::Unknown {
                reason,
                gone: Some(Gone::Path),
            },
            Self::Own(reason) => Outcome::unknown(reason),
        }
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Gateway(failure)
    }
}

impl From<NoAnswer> for Fault {
    fn from(why: NoAnswer) -> Self {
        Self::Gateway(Failure::NoAnswer(why))
    }
}

impl From<WrongAnswer> for Fault {
    fn from(what: WrongAnswer) -> Self {
        Self::Gateway(what.into())
    }
}
