//! What goes into a decision: what was seen.

use std::{fmt, time::Duration};

use super::{Command, Order, Time};

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The time told by [`super::Decider::next_wake`] has come. Harmless at any other time.
    Woke,
    /// A probe has ended.
    ProbeEnded {
        /// As in [`super::Action::Probe`].
        probe: ProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// Something happened on a connection to the primary, anybody's, at this time: it may have waited
    /// for whoever hands it in.
    Evidence(Evidence, Time),
    /// The witnesses were asked.
    Witnesses {
        /// As in [`super::Action::AskWitnesses`].
        round: RoundId,
        /// How many answered.
        answered: u32,
    },
    /// So many of the witnesses count from now on, and no more are needed: see [`super::RouterWatch`].
    /// Until this is told all do.
    Counting(u32),
    /// The machine was suspended: the clocks say so.
    Suspended,
    /// Somebody looked at the local port.
    Gateway(Gateway),
    /// The local gateway was asked whether it answers.
    GatewayProbed {
        /// As in [`super::Action::ProbeGateway`].
        probe: GatewayProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// Somebody looked what the last start command began.
    Begun(Begun),
    /// The process that listens on the local port began then.
    GatewayBegan(Time),
    /// The local gateway says that it finishes what it is at, and then goes.
    GatewayDrains,
    /// The primary says (or no longer says) that it drains: somebody is stopping or restarting it in
    /// good order. To be told before the end of the probe that found it out.
    PrimaryDrains(bool),
    /// An operator's order depends on how the primary is now: see [`super::Decider::must_probe_first`].
    ProbeWanted,
    /// The primary was seen healthy under this configuration, as is remembered from before.
    Armed,
    /// An operator ordered something. [`super::Decider::objection`] tells before whether it is followed.
    Operator(Order),
    /// The command in flight has ended.
    CommandEnded {
        /// Which.
        command: Command,
        /// How.
        result: CommandResult,
    },
}

/// Tells one probe from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeId(pub(super) u64);

/// Tells one check of the local gateway from another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct GatewayProbeId(pub(super) u64);

/// Tells one round of asking the witnesses from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RoundId(pub(super) u64);

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

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { took } => write!(formatter, "connected after {took:.1?}"),
            Self::Failed { failure, took } => write!(formatter, "{failure} after {took:.1?}"),
            Self::Unknown { reason, .. } => write!(formatter, "unknown: {reason}"),
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
    WrongAnswer(WrongAnswer),
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

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => formatter.write_str("refused"),
            Self::TimedOut => formatter.write_str("timed out"),
            Self::Unreachable { errno } => write!(formatter, "unreachable (errno {errno})"),
            Self::NoAnswer(why) => write!(formatter, "no answer ({why})"),
            Self::WrongAnswer(what) => write!(formatter, "wrong answer ({what})"),
            Self::Gone(gone) => write!(formatter, "{gone}"),
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Path => "no path to the primary",
            Self::Address => "the primary's address is PC-B's own",
        })
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

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TimedOut => "TCP connected, then nothing in time",
            Self::Closed => "TCP connected, then was closed",
            Self::Reset => "TCP connected, then was reset",
        })
    }
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WrongAnswer {
    /// It isn't HTTP.
    NotHttp,
    /// It isn't TLS.
    NotTls,
    /// The TLS handshake failed.
    Handshake,
    /// The certificate can't be trusted.
    Certificate(Certificate),
    /// The status isn't the expected one.
    Status(u16),
    /// Headers, body or message are longer than anybody reads.
    TooLong,
    /// The body isn't JSON.
    NotJson,
    /// The body doesn't say that the gateway is well.
    NotOk,
    /// The body doesn't have what it should.
    Differs,
    /// No `connect.challenge` came first over the WebSocket.
    NoChallenge,
    /// It has been draining for longer than the limit.
    Draining,
}

impl fmt::Display for WrongAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotHttp => "not HTTP",
            Self::NotTls => "not TLS",
            Self::Handshake => "the TLS handshake failed",
            Self::Certificate(Certificate::Expired) => "the certificate has expired",
            Self::Certificate(Certificate::NotYetValid) => "the certificate isn't valid yet",
            Self::Certificate(Certificate::UnknownIssuer) => {
                "the certificate's issuer isn't trusted"
            }
            Self::Certificate(Certificate::OtherName) => "the certificate is for another name",
            Self::Certificate(Certificate::Other) => "the certificate is invalid",
            Self::Status(status) => return write!(formatter, "HTTP status {status}"),
            Self::TooLong => "too long",
            Self::NotJson => "no JSON",
            Self::NotOk => "not ok, by its own word",
            Self::Differs => "the body lacks what is expected",
            Self::NoChallenge => "no connect.challenge",
            Self::Draining => "draining for longer than the limit",
        })
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Certificate {
    /// Its time is over.
    Expired,
    /// Its time has not come; or the clock here is slow.
    NotYetValid,
    /// Nobody who is trusted signed it.
    UnknownIssuer,
    /// It is somebody else's.
    OtherName,
    /// Anything else.
    Other,
}

/// What happened on a connection to the primary.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Evidence {
    /// A connection attempt ended without a connection.
    Refused,
    /// A connection was reset by the primary.
    Reset,
    /// A connection died of silence.
    TimedOut,
    /// The primary closed a connection.
    Closed,
    /// A connection to the primary was established.
    Established,
    /// The primary acknowledged what somebody sent, while a probe was in flight.
    Acknowledged,
}

impl Evidence {
    /// Does it speak for the primary's health?
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Established | Self::Acknowledged)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::TimedOut => "connection timed out",
            Self::Closed => "connection closed by the primary",
            Self::Established => "connection established",
            Self::Acknowledged => "data acknowledged",
        })
    }
}

/// The local port, as it was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gateway {
    /// Nobody listens.
    Absent,
    /// Nobody listens, and processes that held the gateway's sockets are still there.
    Ending,
    /// At least one socket of the gateway listens.
    Listening,
    /// Somebody listens, and nobody of them is the gateway.
    Foreign,
}

/// What became of what the last start command began: the gateway that is to come up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// A process of it lives, or its service manager is still at it.
    Alive,
    /// Nothing of it is left, or it crashes again and again.
    Gone,
    /// It can't be seen.
    Unknown,
}

impl fmt::Display for Begun {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Alive => "what the start command began is coming up",
            Self::Gone => "what the start command began is gone, and nothing listens",
            Self::Unknown => "what the start command began can't be seen",
        })
    }
}

/// How a command ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CommandResult {
    /// With exit code 0.
    Succeeded,
    /// With another exit code.
    Failed {
        /// That code.
        code: i32,
    },
    /// By a signal, ours or another's.
    Signalled {
        /// Its number.
        signal: i32,
    },
    /// It could not be run.
    NotRun {
        /// Why.
        reason: String,
    },
    /// It was killed and did not go away; nobody waits for it any longer.
    Abandoned,
}

impl CommandResult {
    /// Did it succeed?
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }

    /// May a start that ended like this have left a gateway behind that is still coming up? OpenClaw's
    /// waits a while for it, gives up with 1 or 2, and leaves it to its service manager. That the
    /// configuration is wrong (78, `EX_CONFIG` in sysexits(3)) or the program isn't there (126 and 127 of
    /// a shell, POSIX 2.8.2) says that there is nothing to wait for.
    #[must_use]
    pub(super) const fn may_have_begun(&self) -> bool {
        match self {
            Self::Succeeded | Self::Signalled { .. } => true,
            Self::Failed { code } => !matches!(*code, 78 | 126 | 127),
            Self::NotRun { .. } | Self::Abandoned => false,
        }
    }
}

impl fmt::Display for CommandResult {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => formatter.write_str("succeeded"),
            Self::Failed { code } => write!(formatter, "failed with exit code {code}"),
            Self::Signalled { signal } => write!(formatter, "was ended by signal {signal}"),
            Self::NotRun { reason } => write!(formatter, "could not be run: {reason}"),
            Self::Abandoned => formatter.write_str("was killed and did not go away"),
        }
    }
}
