//! Where notices are sent, complete and checked.

use std::path::Path;

use hyper::{
    Uri,
    http::uri::{PathAndQuery, Scheme},
};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{
    Tls, Token,
    credential::{CredentialError, roots_in, token, trusted_here},
};

/// Where notices are sent. The path may be a secret, so it isn't shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// The Host header.
    pub authority: String,
    /// What to connect to: a name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What to POST to.
    pub path: PathAndQuery,
    /// Over TLS.
    pub tls: Option<Tls>,
    /// Who sends this.
    pub token: Option<Token>,
}

/// Nowhere that anything can be sent.
#[derive(Debug, Error)]
pub enum WebhookError {
    /// Not a URL.
    #[error(
        "webhook is no URL without a user name (its value isn't shown, it may be a secret); write one, as https://example.org/hook"
    )]
    Url,
    /// Nobody can be trusted.
    #[error(
        "webhook: no certificates are trusted on this machine ({0}); install ca-certificates, or give \
         --webhook-ca"
    )]
    NoRoots(String),
    /// A file that isn't what it should be.
    #[error(transparent)]
    File(#[from] CredentialError),
    /// An option that needs another.
    #[error("{0} is given without webhook; give that too, or leave it out")]
    ForNobody(&'static str),
    /// Nobody shows a certificate.
    #[error("webhook-ca is given, and the webhook isn't https; write https, or leave it out")]
    InTheClear,
}

impl WebhookError {
    /// The option that is to be changed.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::Url | Self::NoRoots(_) => "webhook",
            Self::File(error) => error.option(),
            Self::ForNobody(option) => option,
            Self::InTheClear => "webhook-ca",
        }
    }
}

impl Webhook {
    pub(super) fn checked(
        url: Option<&str>,
        token_file: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Option<Self>, WebhookError> {
        let Some(url) = url else {
            return match (token_file, ca) {
                (Some(_), _) => Err(WebhookError::ForNobody("webhook-token-file")),
                (None, Some(_)) => Err(WebhookError::ForNobody("webhook-ca")),
                (None, None) => Ok(None),
            };
        };
        let wrong = || WebhookError::Url;
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let is_secret = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong()),
        };
        let authority = uri.authority().ok_or_else(wrong)?;
        let host = authority.host();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let tls = match (is_secret, ca) {
            (true, ca) => {
                let (roots, pins) = match ca {
                    Some(file) => roots_in("webhook-ca", file)?,
                    None => (trusted_here().map_err(WebhookError::NoRoots)?, Vec::new()),
                };
                Some(Tls {
                    roots,
                    pins,
                    authority: ca.map(Path::to_owned),
                    name: ServerName::try_from(host.to_owned()).map_err(|_| wrong())?,
                })
            }
            (false, Some(_)) => return Err(WebhookError::InTheClear),
            (false, None) => None,
        };
        let default_port = if is_secret { 443 } else { 80 };
        Ok(Some(Self {
            authority: authority.to_string(),
            host: host.to_owned(),
            port: authority.port_u16().unwrap_or(default_port),
            path: uri
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
            tls,
            token: token_file
                .map(|file| token("webhook-token-file", file))
                .transpose()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, host, port, path) in [
            ("http://hooks.test/a?b=c", "hooks.test", 80, "/a?b=c"),
            ("http://hooks.test", "hooks.test", 80, "/"),
            ("http://[fd00::1]:8080/x", "fd00::1", 8080, "/x"),
        ] {
            let webhook = Webhook::checked(Some(url), None, None).unwrap().unwrap();
            let parts = (&*webhook.host, webhook.port, webhook.path.as_str());
            assert_eq!(parts, (host, port, path));
            assert!(url.contains(&webhook.authority), "{webhook:?}");
            assert_eq!(webhook.tls, None);
        }
        assert_eq!(Webhook::checked(None, None, None).unwrap(), None);
    }

    #[test]
    fn what_is_no_url_is_refused_with_an_example() {
        for url in [
            "",
            "hooks.test",
            "/hook",
            "ftp://hooks.test/",
            "http://",
            "http://user:secret@hooks.test/",
            "http://a b/",
            "http://hooks.test/\n",
        ] {
            let error = Webhook::checked(Some(url), None, None)
                .unwrap_err()
                .to_string();
            assert!(error.contains("as https://example.org/hook"), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn an_option_that_means_nothing_is_refused() {
        let file = Some(Path::new("/nowhere"));
        for (url, token, ca, part) in [
            (None, file, None, "webhook-token-file is given without"),
            (None, None, file, "webhook-ca is given without"),
            (Some("http://hooks.test/"), None, file, "isn't https"),
            (
                Some("https://hooks.test/"),
                None,
                file,
                "webhook-ca: reading /nowhere",
            ),
        ] {
            let error = Webhook::checked(url, token, ca).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
