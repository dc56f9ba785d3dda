//! The outcome of a probe of the primary or of a check of the local gateway.

use std::time::Duration;

/// The outcome of a probe.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It answered as the check requires.
    Connected {
        /// From the first packet to the answer.
        took: Duration,
    },
    /// It did not.
    Failed {
        /// How.
        failure: Failure,
        /// Until that was known.
        took: Duration,
    },
    /// The probe says nothing about the primary: something on PC-B is wrong.
    Unknown {
        /// What, and what to do about it.
        reason: String,
        /// What the probe lacked, if a failure of the primary may have caused that as well.
        gone: Option<Gone>,
    },
}

/// What is missing on PC-B for a probe, and may have disappeared together with the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gone {
    /// Carrier, route, name or source address towards the primary. It is a strike if a witness answers
    /// over another path: then PC-B's own network works.
    Path,
    /// The primary's address: PC-B has it now. Whatever answers there isn't the primary, but PC-B
    /// isn't cut off either.
    Address,
}

impl Outcome {
    /// A probe that says nothing, for a reason on PC-B.
    #[must_use]
    pub const fn unknown(reason: String) -> Self {
        Self::Unknown { reason, gone: None }
    }

    /// The kind of a probe that says nothing.
    pub const UNKNOWN: &str = "unknown";
    /// Every kind, for tools.
    pub const KINDS: [&str; 7] = [
        "connected",
        "refused",
        "timed_out",
        "unreachable",
        "no_answer",
        "wrong_answer",
        Self::UNKNOWN,
    ];

    /// Its kind, for tools.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        let [
            connected,
            refused,
            timed_out,
            unreachable,
            no_answer,
            wrong_answer,
            unknown,
        ] = Self::KINDS;
        match self {
            Self::Connected { .. } => connected,
            Self::Failed { failure, .. } => match failure {
                Failure::Refused => refused,
                Failure::TimedOut => timed_out,
                Failure::Unreachable { .. } => unreachable,
                Failure::NoAnswer(_) => no_answer,
                Failure::WrongAnswer(_) => wrong_answer,
                // Probes report it as unknown; the decider decides that it counts.
                Failure::Gone(_) => unknown,
            },
            Self::Unknown { .. } => unknown,
        }
    }
}

/// How a probe failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Failure {
    /// The host answered that nobody listens.
    Refused,
    /// Nobody answered in time.
    TimedOut,
    /// The network said that the host can't be reached, with this errno.
    Unreachable {
        /// As the kernel returned it.
        errno: i32,
    },
    /// TCP connected, but no complete answer came.
    NoAnswer(NoAnswer),
    /// Something answered that is not a healthy primary.
    WrongAnswer(AnswerFault),
    /// The probe could not be made, and that counts: see [`Gone`].
    Gone(Gone),
}

impl Failure {
    /// Did TCP connect? Then the primary's kernel is known to live, and its acknowledgements on other
    /// connections refute nothing.
    #[must_use]
    pub const fn is_above_tcp(self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::WrongAnswer(_))
    }

    /// Did nothing come back in time? Lost packets look like that.
    #[must_use]
    pub const fn is_silence(self) -> bool {
        matches!(self, Self::TimedOut | Self::NoAnswer(NoAnswer::TimedOut))
    }

    /// Does the primary's host itself report that the process is gone? Then the network isn't the cause.
    #[must_use]
    pub const fn is_of_its_process(self) -> bool {
        matches!(
            self,
            Self::Refused | Self::NoAnswer(NoAnswer::Closed | NoAnswer::Reset)
        )
    }
}

/// Why there is no answer, though TCP connected.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoAnswer {
    /// None in time, or only a part of it: a process that hangs.
    TimedOut,
    /// The connection was closed first.
    Closed,
    /// The connection was reset first.
    Reset,
}

/// What is wrong with an answer, as a code that the prober defines.
///
/// The decider knows no protocol: it passes the code on and compares it, but never interprets it. The
/// prober encodes what it found, and decodes the code again for the renderers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerFault(u32);

impl AnswerFault {
    /// The fault with this code.
    #[must_use]
    pub const fn new(code: u32) -> Self {
        Self(code)
    }

    /// The code, for the prober.
    #[must_use]
    pub const fn code(self) -> u32 {
        self.0
    }
}
