//! What a healthy primary has to do, complete and checked, so that what is wrong is told at the start.

use std::{fmt, num::NonZeroU16, path::PathBuf, str::FromStr, time::Duration};

use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::{ServerName, TrustAnchor};

use crate::config::{
    CheckKind, Fingerprint, Host, HumanDuration,
    credential::{CredentialError, Token, roots_in, token, trusted_here},
    fingerprint::NoFingerprint,
    secret::quoted,
};

pub(super) const DEFAULT_STATUS: NonZeroU16 = NonZeroU16::new(200).unwrap();
/// Far more than it takes for a path, pointer, value or text.
const LONGEST_TEXT: u64 = 4 * 1024;
/// The longest that is worth waiting: a busy OpenClaw drains for 315 s.
const LONGEST_DRAIN: Duration = Duration::from_secs(24 * 3600);

/// What a healthy primary has to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Check {
    /// Accept a TCP connection. A process that hangs still does: its kernel accepts for it.
    Tcp,
    /// Say that it is live, in OpenClaw's way.
    OpenClaw(OpenClawCheck),
    /// Answer an HTTP request.
    Http(HttpCheck),
}

/// See [`Check::OpenClaw`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenClawCheck {
    /// Whom to ask.
    pub server: Server,
    /// What makes it tell details to others than its own machine.
    pub token: Option<Token>,
    /// A primary that drains for longer has failed.
    pub drain_limit: Option<Duration>,
}

/// See [`Check::Http`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCheck {
    /// Whom to ask.
    pub server: Server,
    /// What to GET.
    pub path: PathAndQuery,
    /// The right status.
    pub status: u16,
    /// The right body.
    pub body: Body,
}

/// What the body must have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Body {
    /// Anything: it isn't read.
    Any,
    /// This text.
    Contains(String),
    /// In JSON, this at the pointer's end.
    Json {
        /// RFC 6901.
        pointer: String,
        /// `None`: any but null.
        value: Option<Scalar>,
    },
}

/// How the primary is spoken to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// The Host header without port, brackets around an IPv6 address.
    pub host: String,
    /// Over TLS.
    pub tls: Option<Tls>,
}

/// Whom to trust, and as whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Whose certificates are trusted.
    pub roots: Vec<TrustAnchor<'static>>,
    /// Certificates that are trusted as the server's own, whatever their name and issuer. Those of
    /// `authority`'s file are among them: a self-signed one is its own authority.
    pub pins: Vec<Fingerprint>,
    /// The file that these are from; `None`: this machine's own.
    pub authority: Option<PathBuf>,
    /// What the primary's certificate must be for.
    pub name: ServerName<'static>,
}

/// What is asked, in words that are other ones where that is another thing. Without the token, which is
/// a secret and changes no verdict, and without the certificates themselves, which are renewed.
impl fmt::Display for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Tcp => formatter.write_str(name),
            Self::OpenClaw(check) => {
                write!(formatter, "{name} {}", check.server)?;
                match check.drain_limit {
                    Some(limit) => write!(formatter, " drain {limit:?}"),
                    None => Ok(()),
                }
            }
            Self::Http(check) => write!(
                formatter,
                "{name} {}{} {} {:?}",
                check.server, check.path, check.status, check.body
            ),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tls {
            None => write!(formatter, "http://{}", self.host),
            Some(Tls {
                authority: None,
                pins,
                ..
            }) if pins.is_empty() => write!(formatter, "https://{}", self.host),
            Some(Tls {
                authority: None, ..
            }) => write!(formatter, "pinned https://{}", self.host),
            Some(Tls {
                authority: Some(file),
                ..
            }) => write!(formatter, "{file:?} https://{}", self.host),
        }
    }
}

/// A value in JSON, as people write one: `true`, `7`, `live`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "Written")]
pub struct Scalar(String);

impl Scalar {
    /// Is it this? A string's text counts, or what the text is in JSON.
    #[must_use]
    pub fn matches(&self, value: &serde_json::Value) -> bool {
        value.as_str() == Some(&self.0)
            || serde_json::from_str::<serde_json::Value>(&self.0).is_ok_and(|own| own == *value)
    }
}

impl FromStr for Scalar {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// A file may say it without quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

impl From<Written> for Scalar {
    fn from(written: Written) -> Self {
        Self(match written {
            Written::Bool(value) => value.to_string(),
            Written::Integer(value) => value.to_string(),
            Written::Float(value) => value.to_string(),
            Written::Text(value) => value,
        })
    }
}

/// A primary that can't be checked like this.
#[derive(Debug, Error)]
pub enum CheckError {
    /// An option of another check.
    #[error("{option} is given, but the {kind} is {check}; leave it out, or say --{kind} {needs}")]
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
    #[error("{option} is given without {needs}; give that too, or leave it out")]
    Without {
        /// The option.
        option: &'static str,
        /// The other.
        needs: &'static str,
    },
    /// Nobody said what to ask for.
    #[error("{kind} is http, and nobody says what to GET; name it with --{path}, as /health")]
    NoPath {
        /// The option that chooses the check.
        kind: &'static str,
        /// The one that is missing.
        path: &'static str,
    },
    /// Not a path.
    #[error(
        "{0} can't be asked for (its value isn't shown, it may be a secret); write a path and perhaps a query, as /health?full=1"
    )]
    Path(&'static str),
    /// No status of HTTP.
    #[error("{0} is {1}; it must be between 200 and 599")]
    Status(&'static str, u16),
    /// Not a pointer.
    #[error(
        "{0} is none (its value isn't shown, it may be a secret); write a JSON pointer (RFC 6901), as /status/0/ok"
    )]
    Pointer(&'static str),
    /// Nothing, or too much, to look for.
    #[error("{0} is empty or longer than {LONGEST_TEXT} bytes; give a part that tells")]
    Text(&'static str),
    /// Two things that the body can't be both.
    #[error("{pointer} and {contains} are given; choose one")]
    Both {
        /// The one option.
        pointer: &'static str,
        /// The other.
        contains: &'static str,
    },
    /// Not a name.
    #[error("{0} is `{text}`; write a host name or an address, without a port", text = quoted(.1))]
    Host(&'static str, String),
    /// Two ways to say who is trusted.
    #[error("check-ca and check-fingerprint are given; choose one")]
    BothTrusted,
    /// Nobody is trusted.
    #[error("check-fingerprint is empty; leave it out, or write at least one")]
    NoFingerprints,
    /// Not a fingerprint.
    #[error(
        "check-fingerprint has `{}`, which {}; write what `openssl x509 -noout -fingerprint -sha256 -in FILE` \
         shows of the primary's certificate",
        quoted(.0), .1
    )]
    Fingerprint(String, NoFingerprint),
    /// A file with a secret or certificates.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// This machine trusts nobody.
    #[error(
        "check-tls: no certificates are trusted on this machine ({0}); install ca-certificates, \
         or give --check-ca"
    )]
    NoRoots(String),
    /// A span that nobody means.
    #[error("drain-limit is {0}; it must be at most {most}", most = HumanDuration::from(LONGEST_DRAIN))]
    DrainLimit(HumanDuration),
}

impl CheckError {
    /// The option that is to be changed.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::Foreign { option, .. }
            | Self::Without { option, .. }
            | Self::Text(option)
            | Self::NoPath { kind: option, .. }
            | Self::Path(option)
            | Self::Status(option, _)
            | Self::Pointer(option)
            | Self::Both {
                contains: option, ..
            }
            | Self::Host(option, _) => option,
            Self::BothTrusted | Self::NoFingerprints | Self::Fingerprint(..) => "check-fingerprint",
            Self::Credential(error) => error.option(),
            Self::NoRoots(_) => "check-tls",
            Self::DrainLimit(_) => "drain-limit",
        }
    }
}

/// What the options are called: those for the primary and those for the local gateway mean the same.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) kind: &'static str,
    pub(super) path: &'static str,
    pub(super) status: &'static str,
    pub(super) pointer: &'static str,
    pub(super) value: &'static str,
    pub(super) contains: &'static str,
    pub(super) tls: &'static str,
    pub(super) ca: &'static str,
    pub(super) host: &'static str,
    pub(super) token_file: &'static str,
}

impl Names {
    pub(super) const PRIMARY: Self = Self {
        kind: "check",
        path: "check-path",
        status: "check-status",
        pointer: "check-pointer",
        value: "check-value",
        contains: "check-contains",
        tls: "check-tls",
        ca: "check-ca",
        host: "check-host",
        token_file: "check-token-file",
    };
    pub(super) const LOCAL: Self = Self {
        kind: "local-check",
        path: "local-check-path",
        status: "local-check-status",
        pointer: "local-check-pointer",
        value: "local-check-value",
        contains: "local-check-contains",
        tls: "local-check-tls",
        ca: "local-check-ca",
        host: "local-check-host",
        token_file: "local-check-token-file",
    };
}

impl Default for &'static Names {
    fn default() -> Self {
        &Names::PRIMARY
    }
}

/// The options that belong here.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) names: &'static Names,
    pub(super) kind: Option<CheckKind>,
    pub(super) path: Option<String>,
    pub(super) status: Option<NonZeroU16>,
    pub(super) pointer: Option<String>,
    pub(super) value: Option<Scalar>,
    pub(super) contains: Option<String>,
    pub(super) tls: Option<bool>,
    pub(super) ca: Option<PathBuf>,
    pub(super) fingerprint: Option<Vec<String>>,
    pub(super) host: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) drain_limit: Option<HumanDuration>,
}

impl Check {
    /// The check's name, as it is configured.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::OpenClaw(_) => "openclaw",
            Self::Http(_) => "http",
        }
    }

    pub(super) fn from_options(given: Given, primary: &Host) -> Result<Self, CheckError> {
        let server = |given: &Given| given.server(primary);
        Self::of_server(given, server)
    }

    /// `server`: how it is spoken to, where that needs more than TCP.
    pub(super) fn of_server(
        given: Given,
        server: impl FnOnce(&Given) -> Result<Server, CheckError>,
    ) -> Result<Self, CheckError> {
        let kind = given.kind.unwrap_or_default();
        let names = given.names;
        given.all_belong_to(kind)?;
        match kind {
            CheckKind::Tcp => Ok(Self::Tcp),
            CheckKind::OpenClaw => Ok(Self::OpenClaw(OpenClawCheck {
                server: server(&given)?,
                token: given
                    .token_file
                    .as_deref()
                    .map(|file| token(names.token_file, file))
                    .transpose()?,
                drain_limit: given.drain_limit.map(drain_limit).transpose()?,
            })),
            CheckKind::Http => Ok(Self::Http(HttpCheck {
                server: server(&given)?,
                path: given.path()?,
                status: status(names, given.status)?,
                body: body(names, given.pointer, given.value, given.contains)?,
            })),
        }
    }
}

impl Given {
    pub(super) fn path(&self) -> Result<PathAndQuery, CheckError> {
        let Names { kind, path, .. } = *self.names;
        let missing = CheckError::NoPath { kind, path };
        self::path(path, self.path.as_deref().ok_or(missing)?)
    }

    fn all_belong_to(&self, kind: CheckKind) -> Result<(), CheckError> {
        const HTTP: &str = "http";
        const OPENCLAW: &str = "openclaw";
        const BOTH: &str = "openclaw or http";
        let names = self.names;
        let check = match kind {
            CheckKind::Tcp => "tcp",
            CheckKind::OpenClaw => OPENCLAW,
            CheckKind::Http => HTTP,
        };
        for (option, given, needs) in [
            (names.path, self.path.is_some(), HTTP),
            (names.status, self.status.is_some(), HTTP),
            (names.pointer, self.pointer.is_some(), HTTP),
            (names.value, self.value.is_some(), HTTP),
            (names.contains, self.contains.is_some(), HTTP),
            (names.tls, self.tls.is_some(), BOTH),
            (names.ca, self.ca.is_some(), BOTH),
            ("check-fingerprint", self.fingerprint.is_some(), BOTH),
            (names.host, self.host.is_some(), BOTH),
            (names.token_file, self.token_file.is_some(), OPENCLAW),
            ("drain-limit", self.drain_limit.is_some(), OPENCLAW),
        ] {
            let belongs = needs == check || needs == BOTH && kind != CheckKind::Tcp;
            if given && !belongs {
                return Err(CheckError::Foreign {
                    option,
                    kind: names.kind,
                    check,
                    needs,
                });
            }
        }
        Ok(())
    }

    fn server(&self, primary: &Host) -> Result<Server, CheckError> {
        let host = match &self.host {
            Some(given) => given.clone(),
            None => match primary {
                Host::Address(address) => address.to_string(),
                // As names are in certificates.
                Host::Name(name) => name.strip_suffix('.').unwrap_or(name).to_owned(),
            },
        };
        let name = ServerName::try_from(host.clone());
        let name = match (name, &self.host) {
            (Ok(name), _) => name,
            // Not a name that a certificate can be for (an underscore, say), and none is asked for.
            (Err(_), None) if self.tls != Some(true) => return Ok(Server { host, tls: None }),
            (Err(_), _) => return Err(CheckError::Host(self.names.host, host)),
        };
        let host = match &name {
            ServerName::IpAddress(address) => match std::net::IpAddr::from(*address) {
                std::net::IpAddr::V6(address) => format!("[{address}]"),
                std::net::IpAddr::V4(address) => address.to_string(),
            },
            _ => host,
        };
        let tls = match self.tls.unwrap_or(false) {
            true => Some(self.tls(name)?),
            false => {
                let given = [
                    (self.names.ca, self.ca.is_some()),
                    ("check-fingerprint", self.fingerprint.is_some()),
                ];
                if let Some((option, _)) = given.into_iter().find(|(_, given)| *given) {
                    return Err(CheckError::Without {
                        option,
                        needs: self.names.tls,
                    });
                }
                None
            }
        };
        Ok(Server { host, tls })
    }

    fn tls(&self, name: ServerName<'static>) -> Result<Tls, CheckError> {
        let (roots, pins) = match (self.ca.as_deref(), self.fingerprint.as_deref()) {
            (Some(_), Some(_)) => return Err(CheckError::BothTrusted),
            (Some(file), None) => roots_in(self.names.ca, file)?,
            (None, Some([])) => return Err(CheckError::NoFingerprints),
            (None, Some(given)) => {
                let pins = given.iter().map(|text| fingerprint(text));
                (Vec::new(), pins.collect::<Result<_, _>>()?)
            }
            (None, None) => (trusted_here().map_err(CheckError::NoRoots)?, Vec::new()),
        };
        Ok(Tls {
            roots,
            pins,
            authority: self.ca.clone(),
            name,
        })
    }
}

fn fingerprint(text: &str) -> Result<Fingerprint, CheckError> {
    text.parse()
        .map_err(|error| CheckError::Fingerprint(text.to_owned(), error))
}

fn path(option: &'static str, text: &str) -> Result<PathAndQuery, CheckError> {
    let wrong = || CheckError::Path(option);
    let fits = text.starts_with('/') && !text.contains('#') && is_short(text);
    if !fits {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn status(names: &Names, given: Option<NonZeroU16>) -> Result<u16, CheckError> {
    let status = given.unwrap_or(DEFAULT_STATUS).get();
    // One below 200 is no answer yet (RFC 9110, section 15.2).
    match status {
        200..=599 => Ok(status),
        _ => Err(CheckError::Status(names.status, status)),
    }
}

fn body(
    names: &Names,
    pointer: Option<String>,
    value: Option<Scalar>,
    contains: Option<String>,
) -> Result<Body, CheckError> {
    match (pointer, value, contains) {
        (None, None, None) => Ok(Body::Any),
        (Some(_), _, Some(_)) => Err(CheckError::Both {
            pointer: names.pointer,
            contains: names.contains,
        }),
        (None, Some(_), _) => Err(CheckError::Without {
            option: names.value,
            needs: names.pointer,
        }),
        (None, None, Some(text)) if text.is_empty() || !is_short(&text) => {
            Err(CheckError::Text(names.contains))
        }
        (None, None, Some(text)) => Ok(Body::Contains(text)),
        (Some(pointer), ..) if !is_pointer(&pointer) => Err(CheckError::Pointer(names.pointer)),
        (Some(_), Some(value), None) if !is_short(&value.0) => Err(CheckError::Text(names.value)),
        (Some(pointer), value, None) => Ok(Body::Json { pointer, value }),
    }
}

/// The empty one is the whole document.
fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && is_short(text)
}

fn is_short(text: &str) -> bool {
    text.len() as u64 <= LONGEST_TEXT
}

fn drain_limit(given: HumanDuration) -> Result<Duration, CheckError> {
    if given.get() <= LONGEST_DRAIN {
        Ok(given.get())
    } else {
        Err(CheckError::DrainLimit(given))
    }
}

#[cfg(test)]
mod tests;
