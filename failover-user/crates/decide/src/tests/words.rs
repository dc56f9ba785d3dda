//! What a journal calls what happens. People read other words; these are for timelines.

use super::super::{CommandResult, Evidence, Failure, Gone, NoAnswer, Outcome};

pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Connected { took } => format!("connected after {took:.1?}"),
        Outcome::Failed { failure, took } => {
            format!("{} after {took:.1?}", self::failure(*failure))
        }
        Outcome::Unknown { reason, .. } => format!("unknown: {reason}"),
    }
}

fn failure(failure: Failure) -> String {
    match failure {
        Failure::Refused => "refused".to_owned(),
        Failure::TimedOut => "timed out".to_owned(),
        Failure::Unreachable { errno } => format!("unreachable (errno {errno})"),
        Failure::NoAnswer(NoAnswer::TimedOut) => "silent".to_owned(),
        Failure::NoAnswer(NoAnswer::Closed) => "closed".to_owned(),
        Failure::NoAnswer(NoAnswer::Reset) => "reset".to_owned(),
        Failure::WrongAnswer(fault) => format!("wrong answer ({})", fault.code()),
        Failure::Gone(what) => gone(what).to_owned(),
    }
}

pub(super) const fn gone(gone: Gone) -> &'static str {
    match gone {
        Gone::Path => "no path",
        Gone::Address => "own address",
    }
}

pub(super) fn result(result: &CommandResult) -> String {
    match result {
        CommandResult::Succeeded => "succeeded".to_owned(),
        CommandResult::Failed { code } => format!("failed with exit code {code}"),
        CommandResult::Signalled { signal } => format!("was ended by signal {signal}"),
        CommandResult::NotRun { reason } => format!("could not be run: {reason}"),
        CommandResult::Abandoned => "was killed and did not go away".to_owned(),
    }
}

pub(super) const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Refused => "connection refused",
        Evidence::Reset => "connection reset",
        Evidence::TimedOut => "connection timed out",
        Evidence::Closed => "connection closed by the primary",
        Evidence::Established => "connection established",
        Evidence::Acknowledged => "data acknowledged",
    }
}
