//! The results of probes.

use std::time::Duration;

use failover_decide::{AnswerFault, Failure, Gone, NoAnswer, Outcome, Strike};
use failover_linux::{clock, errno};

use crate::primary::check::wrong_answer::WrongAnswer;

/// What failed, and the detail, if there is one: the errno's name, what is wrong.
pub(crate) fn failure(failure: Failure) -> (&'static str, Option<String>) {
    match failure {
        Failure::Refused => ("refused", None),
        Failure::TimedOut => ("timed out", None),
        Failure::Unreachable { errno } => ("unreachable", Some(errno::describe(errno))),
        Failure::NoAnswer(why) => ("no answer", Some(no_answer(why).to_owned())),
        Failure::WrongAnswer(fault) => ("wrong answer", Some(wrong_answer(fault))),
        Failure::Gone(what) => ("unknown", Some(gone(what).to_owned())),
    }
}

/// Why there is no answer, though TCP connected.
pub(crate) const fn no_answer(why: NoAnswer) -> &'static str {
    match why {
        NoAnswer::TimedOut => "connected, then timed out",
        NoAnswer::Closed => "connected, then closed",
        NoAnswer::Reset => "connected, then reset",
    }
}

/// What is wrong with an answer. The terms of the protocols stand beside those.
pub(crate) fn wrong_answer(fault: AnswerFault) -> String {
    WrongAnswer::of(fault).map_or_else(|| format!("code {}", fault.code()), |what| what.to_string())
}

/// What a probe lacks.
pub(crate) const fn gone(gone: Gone) -> &'static str {
    match gone {
        Gone::Path => "no path to the primary",
        Gone::Address => "the primary's address is PC-B's own",
    }
}

/// The same in a line.
pub(crate) fn failure_line(what: Failure) -> String {
    let (happened, detail) = failure(what);
    match detail {
        Some(detail) => format!("{happened} ({detail})"),
        None => happened.to_owned(),
    }
}

/// With how long it took.
pub(crate) fn failed(failure: Failure, took: Duration) -> String {
    format!("{} after {took:.1?}", failure_line(failure))
}

/// How a probe ended.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Connected { took } => format!("connected after {took:.1?}"),
        Outcome::Failed { failure, took } => failed(*failure, *took),
        Outcome::Unknown { reason, .. } => format!("unknown: {reason}"),
    }
}

/// The same without the time that it took, for a list in which the same again is one line.
pub(crate) fn happened(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Connected { .. } => "the primary answered".to_owned(),
        Outcome::Failed { failure, .. } => {
            format!("probe failed: {}", failure_line(*failure))
        }
        Outcome::Unknown { reason, .. } => format!("probe result unknown: {reason}"),
    }
}

/// The last one, with the certificate that it didn't trust.
pub(crate) fn last(what: &Outcome, certificate: Option<&str>) -> String {
    match certificate {
        Some(certificate) => format!("{}: {certificate}", outcome(what)),
        None => outcome(what),
    }
}

/// The failed probes that count.
pub(crate) fn strikes(strikes: &[Strike]) -> String {
    let each: Vec<String> = strikes.iter().map(strike).collect();
    format!("failed probes: {}", each.join(", "))
}

fn strike(strike: &Strike) -> String {
    let time = clock::wall(strike.due).strftime("%H:%M:%S%.3f");
    format!("{time} {}", failed(strike.failure, strike.took))
}
