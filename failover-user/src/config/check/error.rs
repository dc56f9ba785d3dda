//! Why a gateway can't be checked as configured.

use thiserror::Error;

use super::spec::LONGEST_TEXT;
use crate::config::{credential::CredentialError, fingerprint::NoFingerprint, secret::quoted};

/// A gateway that can't be checked like this.
#[derive(Debug, Error)]
pub enum CheckError {
    /// An option of another check.
    #[error("{option} is set, but {kind} is {check}; remove it, or set {kind} to {needs}")]
    Foreign {
        /// The option.
        option: &'static str,
        /// The option that chooses the check.
        kind: &'static str,
        /// The check in force.
        check: &'static str,
        /// Whose option it is.
        needs: &'static str,
    },
    /// An option that needs another.
    #[error("{option} is set without {needs}; set {needs}, or remove it")]
    Without {
        /// The option.
        option: &'static str,
        /// The other.
        needs: &'static str,
    },
    /// There is nothing to GET.
    #[error("{kind} is http, but {path} isn't set; set it to a path, as /health")]
    NoPath {
        /// The option that chooses the check.
        kind: &'static str,
        /// The one that is missing.
        path: &'static str,
    },
    /// Not a path.
    #[error(
        "{0} is not a path (not shown, it may be a secret); write a path and optionally a query, as /health?full=1"
    )]
    Path(&'static str),
    /// Not a pointer.
    #[error(
        "{0} is not a JSON pointer (not shown, it may be a secret); write one (RFC 6901), as /status/0/ok"
    )]
    Pointer(&'static str),
    /// Nothing, or too much, to search for.
    #[error(
        "{0} is empty or longer than {LONGEST_TEXT} bytes; write a shorter text that only a healthy gateway sends"
    )]
    Text(&'static str),
    /// Two checks of the body.
    #[error("{pointer} and {contains} are both set; remove one")]
    Both {
        /// The one option.
        pointer: &'static str,
        /// The other.
        contains: &'static str,
    },
    /// Not a name.
    #[error("{0} is `{text}`; write a host name or an address, without a port", text = quoted(.1))]
    Host(&'static str, String),
    /// Two ways to verify the certificate.
    #[error("check-ca and check-fingerprint are both set; remove one")]
    BothTrusted,
    /// No certificate would do.
    #[error("check-fingerprint is empty; remove it, or write at least one")]
    NoFingerprints,
    /// Not a fingerprint.
    #[error(
        "check-fingerprint has `{}`, which {}; write the output of `openssl x509 -noout -fingerprint -sha256 -in FILE` \
         for the primary's certificate",
        quoted(.0), .1
    )]
    Fingerprint(String, NoFingerprint),
    /// A file with a secret or certificates.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The system's CA store is empty.
    #[error(
        "check-tls: this machine's CA store is empty ({0}); install ca-certificates, or set check-ca"
    )]
    NoRoots(String),
}

impl CheckError {
    /// The option that has to change.
    pub(in crate::config) fn option(&self) -> &'static str {
        match self {
            Self::Foreign { option, .. }
            | Self::Without { option, .. }
            | Self::Text(option)
            | Self::NoPath { kind: option, .. }
            | Self::Path(option)
            | Self::Pointer(option)
            | Self::Both {
                contains: option, ..
            }
            | Self::Host(option, _) => option,
            Self::BothTrusted | Self::NoFingerprints | Self::Fingerprint(..) => "check-fingerprint",
            Self::Credential(error) => error.option(),
            Self::NoRoots(_) => "check-tls",
        }
    }
}
