//! The options that say how the primary is checked, and the rules for them. Those for the local gateway follow
//! the same rules under other names.

use std::{num::NonZeroU16, path::PathBuf};

use clap::ValueEnum;
use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::ServerName;

use super::{
    error::CheckError,
    spec::{Body, Check, HttpCheck, LONGEST_TEXT, OpenClawCheck, Scalar, Server, Tls},
};
use crate::config::{
    credential::{roots_in, token, trusted_here},
    duration::{HumanDuration, days, minutes, seconds},
    fingerprint::Fingerprint,
    gateway::GatewayKind,
    host::Host,
    option::{Always, essential, option_set, primary},
    parse::{count, path},
};

/// The status of HTTP that a healthy gateway answers with.
pub(in crate::config) const DEFAULT_STATUS: NonZeroU16 = NonZeroU16::new(200).unwrap();
/// One below is no answer yet (RFC 9110, section 15.2).
pub(in crate::config) const LEAST_STATUS: NonZeroU16 = NonZeroU16::new(200).unwrap();
pub(in crate::config) const MOST_STATUS: NonZeroU16 = NonZeroU16::new(599).unwrap();
/// A busy OpenClaw drains for 315 s.
const LONGEST_DRAIN: HumanDuration = days(1);

option_set! {
    /// How the primary is checked.
    pub(crate) struct CheckOptions => CheckValues (gateway: GatewayKind = GatewayKind::OpenClaw) {
        /// What a healthy primary must do within the timeout. tcp: accept a connection (a hung process still does);
        /// openclaw: report that it is live; http: answer as the check-* options require
        #[arg(value_name = "CHECK")]
        check: Always<CheckKind> = essential()
            .words("openclaw; tcp with gateway=command or systemd")
            .default(CheckKind::default_for(gateway));

        /// For check=http: path and query to GET; redirects are not followed
        #[arg(value_name = "PATH")]
        check_path: Option<String> = primary().secret().alternative("/health".to_owned());

        /// For check=http: required status
        #[arg(value_name = "STATUS", value_parser = count::<NonZeroU16>)]
        check_status: Option<NonZeroU16> = primary()
            .range(LEAST_STATUS, MOST_STATUS)
            .default_if(check == CheckKind::Http, DEFAULT_STATUS)
            .alternative(DEFAULT_STATUS);

        /// For check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok
        #[arg(value_name = "POINTER")]
        check_pointer: Option<String> = primary().secret().alternative("/status".to_owned());

        /// Required value at check-pointer
        #[arg(value_name = "VALUE")]
        check_value: Option<Scalar> = primary()
            .secret()
            .words("any but null")
            .alternative(Scalar::from("live"));

        /// For check=http: text that the first 64 KiB of the body must contain
        #[arg(value_name = "TEXT")]
        check_contains: Option<String> = primary()
            .secret()
            .alternative("all is well".to_owned());

        /// For check=openclaw and http: use TLS
        #[arg(value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        check_tls: Option<bool> = primary()
            .default_if(check != CheckKind::Tcp, false)
            .alternative(true);

        /// PEM file with the CA of the primary's certificate, or the certificate itself (self-signed or not)
        #[arg(value_name = "FILE", value_parser = path)]
        check_ca: Option<PathBuf> = primary()
            .file()
            .words("the system's CA store")
            .alternative("/etc/failover/ca.pem".into());

        /// SHA-256 fingerprint of the primary's certificate, instead of check-ca: only this certificate is trusted,
        /// whatever its name and issuer. Several while it is being replaced
        #[arg(value_name = "FINGERPRINTS", value_delimiter = ',')]
        check_fingerprint: Option<Vec<String>> = primary().alternative(vec![
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".to_owned(),
        ]);

        /// Name for the Host header and the certificate
        #[arg(value_name = "HOST")]
        check_host: Option<String> = primary()
            .words("the primary's host")
            .alternative("pc-a.lan".to_owned());

        /// For check=openclaw: file with the primary's token, which /readyz and /startupz require before they list
        /// what is failing; sent unencrypted unless check-tls is on
        #[arg(value_name = "FILE", value_parser = path)]
        check_token_file: Option<PathBuf> = primary()
            .secret_file()
            .alternative("/etc/failover/token".into());

        /// For check=openclaw: a gateway that drains for longer counts as failed
        #[arg(value_name = "DURATION")]
        drain_limit: Option<HumanDuration> = primary()
            .range(seconds(0), LONGEST_DRAIN)
            .words("never")
            .alternative(minutes(10));
    }
}

/// What a healthy primary has to do.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum CheckKind {
    /// Accept a TCP connection.
    #[default]
    Tcp,
    /// Report that it is live, by OpenClaw's protocol.
    #[value(name = "openclaw")]
    #[serde(rename = "openclaw")]
    OpenClaw,
    /// Answer an HTTP request.
    Http,
}

impl CheckKind {
    /// The check of a primary of the same kind.
    const fn default_for(gateway: GatewayKind) -> Self {
        match gateway {
            GatewayKind::OpenClaw | GatewayKind::SystemdUser => Self::OpenClaw,
            GatewayKind::Command | GatewayKind::Systemd => Self::Tcp,
        }
    }
}

impl CheckValues {
    pub(in crate::config) fn checked(self, primary: &Host) -> Result<Check, CheckError> {
        Check::from_options(Given::from(self), primary)
    }
}

impl From<CheckValues> for Given {
    fn from(values: CheckValues) -> Self {
        let CheckValues {
            check,
            check_path,
            check_status,
            check_pointer,
            check_value,
            check_contains,
            check_tls,
            check_ca,
            check_fingerprint,
            check_host,
            check_token_file,
            drain_limit,
        } = values;
        Self {
            names: &Names::PRIMARY,
            kind: Some(check),
            path: check_path,
            status: check_status,
            pointer: check_pointer,
            value: check_value,
            contains: check_contains,
            tls: check_tls,
            ca: check_ca,
            fingerprint: check_fingerprint,
            host: check_host,
            token_file: check_token_file,
            drain_limit,
        }
    }
}

/// What the options are called: those for the primary and those for the local gateway mean the same.
#[derive(Debug)]
pub(in crate::config) struct Names {
    pub(in crate::config) kind: &'static str,
    pub(in crate::config) path: &'static str,
    pub(in crate::config) status: &'static str,
    pub(in crate::config) pointer: &'static str,
    pub(in crate::config) value: &'static str,
    pub(in crate::config) contains: &'static str,
    pub(in crate::config) tls: &'static str,
    pub(in crate::config) ca: &'static str,
    pub(in crate::config) host: &'static str,
    pub(in crate::config) token_file: &'static str,
}

impl Names {
    pub(in crate::config) const PRIMARY: Self = Self {
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
    pub(in crate::config) const LOCAL: Self = Self {
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
pub(in crate::config) struct Given {
    pub(in crate::config) names: &'static Names,
    pub(in crate::config) kind: Option<CheckKind>,
    pub(in crate::config) path: Option<String>,
    pub(in crate::config) status: Option<NonZeroU16>,
    pub(in crate::config) pointer: Option<String>,
    pub(in crate::config) value: Option<Scalar>,
    pub(in crate::config) contains: Option<String>,
    pub(in crate::config) tls: Option<bool>,
    pub(in crate::config) ca: Option<PathBuf>,
    pub(in crate::config) fingerprint: Option<Vec<String>>,
    pub(in crate::config) host: Option<String>,
    pub(in crate::config) token_file: Option<PathBuf>,
    pub(in crate::config) drain_limit: Option<HumanDuration>,
}

impl Check {
    pub(in crate::config) fn from_options(
        given: Given,
        primary: &Host,
    ) -> Result<Self, CheckError> {
        let server = |given: &Given| given.server(primary);
        Self::of_server(given, server)
    }

    /// `server`: how it is spoken to, where that needs more than TCP.
    pub(in crate::config) fn of_server(
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
                drain_limit: given.drain_limit.map(HumanDuration::get),
            })),
            CheckKind::Http => Ok(Self::Http(HttpCheck {
                server: server(&given)?,
                path: given.path()?,
                status: given.status.unwrap_or(DEFAULT_STATUS).get(),
                body: body(names, given.pointer, given.value, given.contains)?,
            })),
        }
    }
}

impl Given {
    pub(in crate::config) fn path(&self) -> Result<PathAndQuery, CheckError> {
        let Names { kind, path, .. } = *self.names;
        let missing = CheckError::NoPath { kind, path };
        request_path(path, self.path.as_deref().ok_or(missing)?)
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

fn request_path(option: &'static str, text: &str) -> Result<PathAndQuery, CheckError> {
    let wrong = || CheckError::Path(option);
    let fits = text.starts_with('/') && !text.contains('#') && is_short(text);
    if !fits {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
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
        (Some(_), Some(value), None) if !is_short(value.text()) => {
            Err(CheckError::Text(names.value))
        }
        (Some(pointer), value, None) => Ok(Body::Json { pointer, value }),
    }
}

/// The empty one is the whole document.
fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/')) && is_short(text)
}

fn is_short(text: &str) -> bool {
    text.len() <= LONGEST_TEXT
}
