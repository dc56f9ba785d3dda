//! What a probe says: of the primary, or of the local gateway.

use std::time::Duration;

/// What a probe says of the primary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It answered, as the check asks for.
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
    /// The probe says nothing about the primary: something of our own is amiss.
    Unknown {
        /// What, and what to do about it.
        reason: String,
        /// What the probe lacked, where the primary's end may be the cause as well.
        gone: Option<Gone>,
    },
}

/// What is missing on PC-B for a probe, and may have gone together with the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gone {
    /// Carrier, route, name or source address towards the primary. It is a strike where a witness
    /// answers over another path: then PC-B's own network is well.
    Path,
    /// The primary's address: PC-B has it now. Whatever answers there isn't the primary, but PC-B
    /// isn't cut off either.
    Address,
}

impl Outcome {
    /// A probe that says nothing, for a reason of PC-B's own.
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
        /// As the kernel told it.
        errno: i32,
    },
    /// TCP connected, and no whole answer came.
    NoAnswer(NoAnswer),
    /// Something answered that is no healthy primary.
    WrongAnswer(AnswerFault),
    /// The probe could not be made, and that counts: see [`Gone`].
    Gone(Gone),
}

impl Failure {
    /// Did TCP connect? Then the primary's kernel lives, and its acknowledgements on others'
    /// connections gainsay nothing.
    #[must_use]
    pub const fn is_above_tcp(self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::WrongAnswer(_))
    }

    /// Did nothing come back in time? Lost packets look like that.
    #[must_use]
    pub const fn is_silence(self) -> bool {
        matches!(self, Self::TimedOut | Self::NoAnswer(NoAnswer::TimedOut))
    }

    /// Does the primary's host itself say that the process is gone? The network has no part in it.
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
    /// None in time, or not all of it: a process that hangs.
    TimedOut,
    /// The connection was closed first.
    Closed,
    /// The connection was reset first.
    Reset,
}

/// What is wrong with an answer, as a code of the prober's own.
///
/// The core knows no protocol: it carries the code from the probe to whoever shows it, compares it, and
/// never reads it. The prober encodes what it found, and decodes it again for those who show it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AnswerFault(u32);

impl AnswerFault {
    /// What the prober encoded like this.
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
