//! Who is notified: a command that is run, a webhook that is called; and the dead man's switch, which is called as long as
//! all is well.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hyper::{
    Uri,
    http::uri::{PathAndQuery, Scheme},
};
use thiserror::Error;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{
    check::Tls,
    command::{CommandError, command},
    credential::{CredentialError, Token, roots_in, token, trusted_here},
    duration::{HumanDuration, days, minutes, seconds},
    option::{Always, essential, notifications, option_set},
    parse::path,
};
use crate::gateway::command::command_line::CommandLine;

/// The option of the webhook's URL.
pub(crate) const WEBHOOK: &str = "webhook";

option_set! {
    /// The command for notifications.
    pub(crate) struct NotifyOptions => NotifyValues {
        /// Command to run on events: takeover, release, failed start or stop, ...; the event is in its environment
        /// and, as JSON, on its standard input
        #[arg(value_name = "COMMAND")]
        notify: Option<String> = essential().secret().example("mail-the-admin".to_owned());
    }
}

option_set! {
    /// The webhook for notifications.
    pub(crate) struct WebhookOptions => WebhookValues {
        /// URL to POST each event to, as JSON; retried for up to a day
        #[arg(value_name = "URL")]
        webhook: Option<String> = notifications()
            .secret()
            .example("http://hooks.lan/failover".to_owned());

        /// File with the webhook's token, sent as Authorization: Bearer
        #[arg(value_name = "FILE", value_parser = path)]
        webhook_token_file: Option<PathBuf> = notifications()
            .secret_file()
            .alternative("/etc/failover/webhook-token".into());

        /// PEM file with the CA of the webhook's certificate, or the certificate itself
        #[arg(value_name = "FILE", value_parser = path)]
        webhook_ca: Option<PathBuf> = notifications()
            .file()
            .words("the system's CA store")
            .alternative("/etc/failover/webhook-ca.pem".into());
    }
}

option_set! {
    /// The dead man's switch.
    pub(crate) struct DeadMansSwitchOptions => DeadMansSwitchValues {
        /// URL to request while PC-A is protected or PC-B serves: a monitoring service that gets no more requests reports
        /// that PC-B itself is off
        #[arg(value_name = "URL")]
        heartbeat_url: Option<String> = notifications()
            .secret()
            .example("http://status.lan/api/push/pc-b".to_owned());

        /// Time between two of these requests
        #[arg(value_name = "DURATION")]
        heartbeat_every: Always<HumanDuration> = notifications()
            .range(seconds(5), days(1))
            .default(minutes(1));
    }
}

/// The channels that events are sent to, as far as they are configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notifications {
    /// The command to run.
    pub command: Option<CommandLine>,
    /// The webhook to call.
    pub webhook: Option<Webhook>,
    /// The dead man's switch.
    pub dead_mans_switch: Option<DeadMansSwitch>,
}

/// What is called as long as all is well.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeadMansSwitch {
    /// The monitoring service.
    pub service: Webhook,
    /// From one request to the next.
    pub every: Duration,
}

impl Notifications {
    pub(super) fn checked<E: From<CommandError> + From<WebhookError>>(
        notify: NotifyValues,
        webhook: WebhookValues,
        dead_mans_switch: DeadMansSwitchValues,
    ) -> Result<Self, E> {
        Ok(Self {
            command: notify.checked()?,
            webhook: webhook.checked()?,
            dead_mans_switch: dead_mans_switch.checked()?,
        })
    }
}

/// Where notices are sent. The path may be a secret, so it isn't shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// The option with its URL.
    pub option: &'static str,
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
        "{0} is not an http or https URL without a user name (not shown, it may be a secret); write one, as https://example.org/hook"
    )]
    Url(&'static str),
    /// Nobody can be trusted.
    #[error(
        "{option}: this machine's CA store is empty ({why}); install ca-certificates{}",
        if *.option == WEBHOOK { ", or set webhook-ca" } else { "" }
    )]
    NoRoots {
        /// The option.
        option: &'static str,
        /// How it is empty.
        why: String,
    },
    /// A file that isn't what it should be.
    #[error(transparent)]
    File(#[from] CredentialError),
    /// An option that needs another.
    #[error("{0} is set without webhook; set webhook, or remove it")]
    WithoutUrl(&'static str),
    /// Nobody shows a certificate.
    #[error("webhook-ca is set, but the webhook isn't https; write https, or remove it")]
    InTheClear,
}

impl WebhookError {
    /// The option that has to change.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::Url(option) | Self::NoRoots { option, .. } | Self::WithoutUrl(option) => option,
            Self::File(error) => error.option(),
            Self::InTheClear => "webhook-ca",
        }
    }
}

impl NotifyValues {
    fn checked(self) -> Result<Option<CommandLine>, CommandError> {
        let Self { notify } = self;
        notify.map(|line| command("notify", &line)).transpose()
    }
}

impl WebhookValues {
    fn checked(self) -> Result<Option<Webhook>, WebhookError> {
        let Self {
            webhook,
            webhook_token_file,
            webhook_ca,
        } = self;
        Webhook::checked(
            WEBHOOK,
            webhook.as_deref(),
            webhook_token_file.as_deref(),
            webhook_ca.as_deref(),
        )
    }
}

impl DeadMansSwitchValues {
    fn checked(self) -> Result<Option<DeadMansSwitch>, WebhookError> {
        let Self {
            heartbeat_url,
            heartbeat_every,
        } = self;
        let service = Webhook::checked("heartbeat-url", heartbeat_url.as_deref(), None, None)?;
        Ok(service.map(|service| DeadMansSwitch {
            service,
            every: heartbeat_every.get(),
        }))
    }
}

impl Webhook {
    /// `option`: where the URL was written.
    pub(super) fn checked(
        option: &'static str,
        url: Option<&str>,
        token_file: Option<&Path>,
        ca: Option<&Path>,
    ) -> Result<Option<Self>, WebhookError> {
        let Some(url) = url else {
            return match (token_file, ca) {
                (Some(_), _) => Err(WebhookError::WithoutUrl("webhook-token-file")),
                (None, Some(_)) => Err(WebhookError::WithoutUrl("webhook-ca")),
                (None, None) => Ok(None),
            };
        };
        let wrong = || WebhookError::Url(option);
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
                    None => {
                        let no_roots = |why| WebhookError::NoRoots { option, why };
                        (trusted_here().map_err(no_roots)?, Vec::new())
                    }
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
            option,
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
            let webhook = Webhook::checked(WEBHOOK, Some(url), None, None)
                .unwrap()
                .unwrap();
            let parts = (&*webhook.host, webhook.port, webhook.path.as_str());
            assert_eq!(parts, (host, port, path));
            assert!(url.contains(&webhook.authority), "{webhook:?}");
            assert_eq!(webhook.tls, None);
        }
        assert_eq!(Webhook::checked(WEBHOOK, None, None, None).unwrap(), None);
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
            let error = Webhook::checked(WEBHOOK, Some(url), None, None)
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
            (None, file, None, "webhook-token-file is set without"),
            (None, None, file, "webhook-ca is set without"),
            (Some("http://hooks.test/"), None, file, "isn't https"),
            (
                Some("https://hooks.test/"),
                None,
                file,
                "webhook-ca: reading /nowhere",
            ),
        ] {
            let error = Webhook::checked(WEBHOOK, url, token, ca)
                .unwrap_err()
                .to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
