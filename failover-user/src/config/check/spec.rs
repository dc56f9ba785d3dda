//! What a healthy gateway has to do, complete and checked. How the options say so is not known here.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::{ServerName, TrustAnchor};

use crate::config::{credential::Token, fingerprint::Fingerprint};

/// Far more than a path, pointer, value or text takes.
pub(in crate::config) const LONGEST_TEXT: usize = 4 * 1024;

/// What a healthy gateway has to do.
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
    /// The server to ask.
    pub server: Server,
    /// What makes it tell details to others than its own machine.
    pub token: Option<Token>,
    /// A primary that drains for longer has failed.
    pub drain_limit: Option<Duration>,
}

/// See [`Check::Http`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HttpCheck {
    /// The server to ask.
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

/// The certificates to trust, and the name to expect.
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
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Is it this? A string's text counts, or what the text is in JSON.
    #[must_use]
    pub fn matches(&self, value: &serde_json::Value) -> bool {
        value.as_str() == Some(&self.0)
            || serde_json::from_str::<serde_json::Value>(&self.0).is_ok_and(|own| own == *value)
    }
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
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
}
