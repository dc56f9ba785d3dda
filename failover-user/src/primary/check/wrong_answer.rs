//! What is wrong with an answer, in the terms of HTTP, TLS and the gateway's own protocol. The decider has only a
//! code of it ([`AnswerFault`]), which is encoded and decoded here.

use std::fmt;

use failover_decide::{AnswerFault, Failure};

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WrongAnswer {
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
    /// Headers, body or message exceed the limit.
    TooLong,
    /// The body isn't JSON.
    NotJson,
    /// The body doesn't report that the gateway is live.
    NotOk,
    /// The body lacks the expected text.
    Differs,
    /// The first message over the WebSocket is no `connect.challenge`.
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
pub(crate) enum Certificate {
    /// It has expired.
    Expired,
    /// It isn't valid yet; or the clock here is slow.
    NotYetValid,
    /// Its issuer isn't trusted.
    UnknownIssuer,
    /// It is for another name.
    OtherName,
    /// Any other fault.
    Other,
}

/// A code is the kind, and below that its value.
const KIND: u32 = 16;
/// The kind of a status, the only one with a value.
const STATUS: u32 = 6;

impl WrongAnswer {
    /// All but the status, which has a code for each number.
    const ALL: [Self; 14] = [
        Self::NotHttp,
        Self::NotTls,
        Self::Handshake,
        Self::Certificate(Certificate::Expired),
        Self::Certificate(Certificate::NotYetValid),
        Self::Certificate(Certificate::UnknownIssuer),
        Self::Certificate(Certificate::OtherName),
        Self::Certificate(Certificate::Other),
        Self::TooLong,
        Self::NotJson,
        Self::NotOk,
        Self::Differs,
        Self::NoChallenge,
        Self::Draining,
    ];

    const fn code(self) -> u32 {
        let (kind, number) = match self {
            Self::NotHttp => (1, 0),
            Self::NotTls => (2, 0),
            Self::Handshake => (3, 0),
            Self::Certificate(Certificate::Expired) => (4, 1),
            Self::Certificate(Certificate::NotYetValid) => (4, 2),
            Self::Certificate(Certificate::UnknownIssuer) => (4, 3),
            Self::Certificate(Certificate::OtherName) => (4, 4),
            Self::Certificate(Certificate::Other) => (4, 5),
            Self::TooLong => (5, 0),
            Self::Status(status) => (STATUS, status),
            Self::NotJson => (7, 0),
            Self::NotOk => (8, 0),
            Self::Differs => (9, 0),
            Self::NoChallenge => (10, 0),
            Self::Draining => (11, 0),
        };
        // No `From` in a constant function.
        (kind << KIND) | (number as u32)
    }

    /// Decodes; `None`: there is no such code.
    pub(crate) fn of(fault: AnswerFault) -> Option<Self> {
        let code = fault.code();
        match (code >> KIND, u16::try_from(code & 0xffff)) {
            (STATUS, Ok(status)) => Some(Self::Status(status)),
            _ => Self::ALL.into_iter().find(|one| one.code() == code),
        }
    }
}

impl From<WrongAnswer> for AnswerFault {
    fn from(what: WrongAnswer) -> Self {
        Self::new(what.code())
    }
}

impl From<WrongAnswer> for Failure {
    fn from(what: WrongAnswer) -> Self {
        Self::WrongAnswer(what.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_again_in_its_code() {
        let statuses = [0, 302, 503, u16::MAX].map(WrongAnswer::Status);
        let mut codes = Vec::new();
        for what in WrongAnswer::ALL.into_iter().chain(statuses) {
            let fault = AnswerFault::from(what);
            assert_eq!(WrongAnswer::of(fault), Some(what));
            codes.push(fault.code());
        }
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), WrongAnswer::ALL.len() + statuses.len());
    }
}
