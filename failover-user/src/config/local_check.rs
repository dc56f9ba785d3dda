//! What a healthy local gateway has to do. It is checked over loopback, so nothing that is true of the primary need
//! be true of it: not the name, not TLS, not even the check, where another service than the gateway reports PC-A's
//! health.

use std::{num::NonZeroU16, path::PathBuf};

use clap::ValueEnum;
use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{
    check::{
        Body, Check, CheckError, CheckKind, DEFAULT_STATUS, Given, HttpCheck, LEAST_STATUS,
        MOST_STATUS, Names, Scalar, Server, Tls,
    },
    credential::roots_in,
    duration::HumanDuration,
    gateway::{GatewayKind, GatewayValues, OPENCLAW_START, is_openclaw_unit},
    option::{Always, local_gateway, option_set},
    parse::{count, path},
};

option_set! {
    /// How the local gateway is checked.
    pub(crate) struct LocalCheckOptions => LocalCheckValues (
        default: LocalCheckKind = LocalCheckKind::OpenClaw
    ) {
        /// What a healthy local gateway must do. tcp: listen; openclaw: report that it is live; http: answer as the
        /// local-check-* options require; any: answer an HTTP request at all. If it fails
        /// --strikes checks in a row while it is needed, it is restarted
        #[arg(value_name = "CHECK")]
        local_check: Always<LocalCheckKind> = local_gateway()
            .words("openclaw; for other gateways that of check, but any for http")
            .default(default);

        /// For local-check=http: path and query to GET; redirects are not followed
        #[arg(value_name = "PATH")]
        local_check_path: Option<String> = local_gateway()
            .secret()
            .alternative("/health".to_owned());

        /// For local-check=http: required status
        #[arg(value_name = "STATUS", value_parser = count::<NonZeroU16>)]
        local_check_status: Option<NonZeroU16> = local_gateway()
            .range(LEAST_STATUS, MOST_STATUS)
            .default_if(local_check == LocalCheckKind::Http, DEFAULT_STATUS)
            .alternative(DEFAULT_STATUS);

        /// For local-check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok
        #[arg(value_name = "POINTER")]
        local_check_pointer: Option<String> = local_gateway()
            .secret()
            .alternative("/status".to_owned());

        /// Required value at local-check-pointer
        #[arg(value_name = "VALUE")]
        local_check_value: Option<Scalar> = local_gateway()
            .secret()
            .words("any but null")
            .alternative(Scalar::from("live"));

        /// For local-check=http: text that the first 64 KiB of the body must contain
        #[arg(value_name = "TEXT")]
        local_check_contains: Option<String> = local_gateway()
            .secret()
            .alternative("all is well".to_owned());

        /// Use TLS for the check
        #[arg(value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
        local_check_tls: Option<bool> = local_gateway()
            .words("plain text, then TLS if that fails")
            .alternative(true);

        /// PEM file with the CA of the local gateway's certificate, or the certificate itself
        #[arg(value_name = "FILE", value_parser = path)]
        local_check_ca: Option<PathBuf> = local_gateway()
            .file()
            .words("the certificate is not verified")
            .alternative("/etc/failover/local-ca.pem".into());

        /// Name for the Host header and the certificate
        #[arg(value_name = "HOST")]
        local_check_host: Option<String> = local_gateway()
            .words("the address that it listens on")
            .alternative("pc-b.lan".to_owned());

        /// For local-check=openclaw: file with the local gateway's token for /readyz and /startupz
        #[arg(value_name = "FILE", value_parser = path)]
        local_check_token_file: Option<PathBuf> = local_gateway()
            .secret_file()
            .words("none, OpenClaw doesn't require it on its own machine")
            .alternative("/etc/failover/local-token".into());
    }
}

/// The name in the TLS handshake where none is configured: any certificate is good enough then.
const LOCALHOST: &str = "localhost";

/// What a healthy local gateway has to do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCheckKind {
    /// Listen.
    Tcp,
    /// Report that it is live, by OpenClaw's protocol.
    #[value(name = "openclaw")]
    #[serde(rename = "openclaw")]
    OpenClaw,
    /// Answer an HTTP request as configured.
    Http,
    /// Answer an HTTP request with anything.
    Any,
}

/// How the local gateway is asked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalCheck {
    /// What it has to do.
    pub check: Check,
    /// Any answer to it is good enough, so that only silence is a failure.
    pub any_answer: bool,
    /// Send the configured host. Otherwise the request names the address that it is sent to, as a
    /// client on the same machine would.
    pub named: bool,
    /// With or without TLS.
    pub transport: Transport,
}

/// Does the local gateway speak TLS?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport {
    /// No.
    Plain,
    /// Yes.
    Tls,
    /// Not configured: plain text is tried first, and TLS where that isn't understood.
    Either,
}

impl LocalCheckKind {
    /// The check of a local gateway where `local-check` doesn't say it.
    ///
    /// What is OpenClaw is asked in OpenClaw's way. Anything else is taken to speak the primary's protocol,
    /// but the right status and body of PC-A's health need not be the right ones here.
    pub(super) fn default_for(gateway: &GatewayValues, check: CheckKind) -> Self {
        let kind = gateway.gateway;
        let start = gateway.start.as_deref();
        let is_openclaw = match kind {
            GatewayKind::OpenClaw => start.is_none_or(|start| start == OPENCLAW_START),
            GatewayKind::Systemd | GatewayKind::SystemdUser => {
                let unit = gateway.unit.as_deref();
                start.is_none() && unit.map_or(kind == GatewayKind::SystemdUser, is_openclaw_unit)
            }
            GatewayKind::Command => false,
        };
        match check {
            _ if is_openclaw => Self::OpenClaw,
            CheckKind::OpenClaw => Self::OpenClaw,
            CheckKind::Http => Self::Any,
            CheckKind::Tcp => Self::Tcp,
        }
    }

    /// Its name, as it is configured.
    const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::OpenClaw => "openclaw",
            Self::Http => "http",
            Self::Any => "any",
        }
    }
}

impl LocalCheck {
    /// The check's name, as it is configured.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.any_answer {
            true => LocalCheckKind::Any.name(),
            false => self.check.name(),
        }
    }

    /// `primary`: what the primary has to do. There is one drain limit, for the gateways that report that they
    /// drain.
    pub(super) fn from_options(
        values: LocalCheckValues,
        primary: &Check,
        drain_limit: Option<HumanDuration>,
    ) -> Result<Self, CheckError> {
        let kind = values.local_check;
        let primary_path = match primary {
            Check::Http(check) => Some(check.path.clone()),
            Check::Tcp | Check::OpenClaw(_) => None,
        };
        let mut given = Given::from(values);
        given.drain_limit = drain_limit.filter(|_| kind == LocalCheckKind::OpenClaw);
        let transport = match given.tls {
            None => Transport::Either,
            Some(false) => Transport::Plain,
            Some(true) => Transport::Tls,
        };
        let named = given.host.is_some();
        given.kind = match kind {
            LocalCheckKind::Tcp => Some(CheckKind::Tcp),
            LocalCheckKind::OpenClaw => Some(CheckKind::OpenClaw),
            LocalCheckKind::Http => Some(CheckKind::Http),
            LocalCheckKind::Any => None,
        };
        let check = match kind {
            LocalCheckKind::Any => {
                given.is_of_any()?;
                Check::Http(HttpCheck {
                    server: server(&given)?,
                    path: primary_path.unwrap_or(PathAndQuery::from_static("/")),
                    status: DEFAULT_STATUS.get(),
                    body: Body::Any,
                })
            }
            _ => Check::of_server(given, server)?,
        };
        Ok(Self {
            check,
            any_answer: kind == LocalCheckKind::Any,
            named,
            transport,
        })
    }
}

impl From<LocalCheckValues> for Given {
    fn from(values: LocalCheckValues) -> Self {
        let LocalCheckValues {
            local_check: _,
            local_check_path,
            local_check_status,
            local_check_pointer,
            local_check_value,
            local_check_contains,
            local_check_tls,
            local_check_ca,
            local_check_host,
            local_check_token_file,
        } = values;
        Self {
            names: &Names::LOCAL,
            kind: None,
            path: local_check_path,
            status: local_check_status,
            pointer: local_check_pointer,
            value: local_check_value,
            contains: local_check_contains,
            tls: local_check_tls,
            ca: local_check_ca,
            fingerprint: None,
            host: local_check_host,
            token_file: local_check_token_file,
            drain_limit: None,
        }
    }
}

impl Given {
    /// Nothing is asked for in particular.
    fn is_of_any(&self) -> Result<(), CheckError> {
        let Names {
            kind,
            path,
            status,
            pointer,
            value,
            contains,
            token_file,
            ..
        } = *self.names;
        for (option, given, needs) in [
            (path, self.path.is_some(), "http"),
            (status, self.status.is_some(), "http"),
            (pointer, self.pointer.is_some(), "http"),
            (value, self.value.is_some(), "http"),
            (contains, self.contains.is_some(), "http"),
            (token_file, self.token_file.is_some(), "openclaw"),
        ] {
            if given {
                return Err(CheckError::Foreign {
                    option,
                    kind,
                    check: LocalCheckKind::Any.name(),
                    needs,
                });
            }
        }
        Ok(())
    }
}

/// How the local gateway is spoken to. Who listens on this machine is known by its process, so a
/// certificate is verified only where a CA is configured for it.
fn server(given: &Given) -> Result<Server, CheckError> {
    let Names { tls, ca, host, .. } = *given.names;
    let said = given.host.clone().unwrap_or_else(|| LOCALHOST.to_owned());
    let name = ServerName::try_from(said.clone()).map_err(|_| CheckError::Host(host, said))?;
    let verified = match &given.ca {
        None => None,
        Some(_) if given.tls != Some(true) => {
            return Err(CheckError::Without {
                option: ca,
                needs: tls,
            });
        }
        Some(_) if given.host.is_none() => {
            return Err(CheckError::Without {
                option: ca,
                needs: host,
            });
        }
        Some(file) => Some((roots_in(ca, file)?, file.clone())),
    };
    let (trusted, authority) = verified.unzip();
    let (roots, pins) = trusted.unwrap_or_default();
    Ok(Server {
        host: match &name {
            ServerName::IpAddress(address) => match std::net::IpAddr::from(*address) {
                std::net::IpAddr::V6(address) => format!("[{address}]"),
                std::net::IpAddr::V4(address) => address.to_string(),
            },
            name => name.to_str().into_owned(),
        },
        tls: (given.tls != Some(false)).then_some(Tls {
            roots,
            pins,
            authority,
            name,
        }),
    })
}

#[cfg(test)]
mod tests;
