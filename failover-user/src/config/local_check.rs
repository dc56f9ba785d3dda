//! What a healthy local gateway has to do. It is asked over loopback, so nothing that is true of the
//! primary need be true of it: not the name, not TLS, not even the check, where PC-A's health is told by
//! something else than its gateway.

use clap::ValueEnum;
use hyper::http::uri::PathAndQuery;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::config::{
    Body, Check, CheckError, CheckKind, GatewayKind, HttpCheck, Options, Server, Tls,
    check::{DEFAULT_STATUS, Given, Names},
    credential::roots_in,
    gateway::{OPENCLAW_START, is_openclaw_unit},
};

/// The name in the TLS handshake where none is configured: any certificate is good enough then.
const LOCALHOST: &str = "localhost";

/// What a healthy local gateway has to do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum LocalCheckKind {
    /// Listen.
    Tcp,
    /// Say that it is live, in OpenClaw's way.
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

/// The options that belong here.
#[derive(Debug)]
pub(super) struct LocalGiven {
    pub(super) kind: LocalCheckKind,
    /// What the primary is asked for, if that is a path.
    pub(super) primary_path: Option<PathAndQuery>,
    /// But for its kind.
    pub(super) given: Given,
}

impl LocalCheckKind {
    /// The check of a local gateway where `local-check` doesn't say it.
    ///
    /// What is OpenClaw is asked in OpenClaw's way. Anything else is taken to speak the primary's protocol,
    /// but the right status and body of PC-A's health need not be the right ones here.
    pub(super) fn default_for(said: &Options) -> Self {
        let gateway = said.gateway.unwrap_or_default();
        let is_openclaw = match gateway {
            GatewayKind::OpenClaw => said
                .start
                .as_deref()
                .is_none_or(|start| start == OPENCLAW_START),
            GatewayKind::Systemd | GatewayKind::SystemdUser => {
                let unit = said.unit.as_deref();
                said.start.is_none()
                    && unit.map_or(gateway == GatewayKind::SystemdUser, is_openclaw_unit)
            }
            GatewayKind::Command => false,
        };
        match said.check.unwrap_or(gateway.check()) {
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

    pub(super) fn from_options(given: LocalGiven) -> Result<Self, CheckError> {
        let LocalGiven {
            kind,
            primary_path,
            mut given,
        } = given;
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
mod tests {
    use super::*;
    use crate::config::{Configuration, ConfigurationError};

    fn local(change: impl FnOnce(&mut Options)) -> Result<LocalCheck, ConfigurationError> {
        let mut options = Options {
            primary: "10.0.0.1".parse().ok(),
            dry_run: Some(true),
            ..Options::default()
        };
        change(&mut options);
        Configuration::check(options).map(|configuration| configuration.local_check)
    }

    fn of_commands(options: &mut Options) {
        options.gateway = Some(GatewayKind::Command);
        options.start = Some("up".to_owned());
        options.stop = Some("down".to_owned());
    }

    fn over_http(options: &mut Options) {
        options.check = Some(CheckKind::Http);
        options.check_path = Some("/health".to_owned());
    }

    #[test]
    fn openclaw_is_asked_in_its_own_way_and_others_as_far_as_is_known() {
        type Change = fn(&mut Options);
        let cases: [(Change, &str); 13] = [
            (|_| {}, "openclaw"),
            (over_http, "openclaw"),
            (|options| options.check = Some(CheckKind::Tcp), "openclaw"),
            (|options| options.start = Some("up".to_owned()), "openclaw"),
            (
                |options| {
                    over_http(options);
                    options.start = Some("up".to_owned());
                },
                "any",
            ),
            (of_commands, "tcp"),
            (
                |options| {
                    of_commands(options);
                    over_http(options);
                },
                "any",
            ),
            (
                |options| {
                    of_commands(options);
                    options.check = Some(CheckKind::OpenClaw);
                },
                "openclaw",
            ),
            (
                |options| {
                    options.gateway = Some(GatewayKind::Systemd);
                    options.unit = Some("bot".to_owned());
                    over_http(options);
                },
                "any",
            ),
            (
                |options| {
                    options.gateway = Some(GatewayKind::Systemd);
                    options.unit = Some("openclaw-gateway-two".to_owned());
                    over_http(options);
                },
                "openclaw",
            ),
            (
                |options| {
                    options.gateway = Some(GatewayKind::SystemdUser);
                    over_http(options);
                },
                "openclaw",
            ),
            (
                |options| {
                    options.gateway = Some(GatewayKind::SystemdUser);
                    options.unit = Some("bot".to_owned());
                    options.check = Some(CheckKind::Tcp);
                },
                "tcp",
            ),
            (
                |options| {
                    of_commands(options);
                    options.local_check = Some(LocalCheckKind::Any);
                },
                "any",
            ),
        ];
        for (place, (change, expected)) in cases.into_iter().enumerate() {
            assert_eq!(local(change).unwrap().name(), expected, "case {place}");
        }
    }

    #[test]
    fn only_one_that_can_be_asked_more_than_whether_it_listens_is_watched() {
        for (kind, watched) in [
            (LocalCheckKind::Tcp, false),
            (LocalCheckKind::OpenClaw, true),
            (LocalCheckKind::Any, true),
        ] {
            let options = Options {
                primary: "10.0.0.1".parse().ok(),
                local_check: Some(kind),
                ..Options::default()
            };
            let configuration = Configuration::check(options).unwrap();
            assert_eq!(configuration.decide.watch_gateway, watched, "{kind:?}");
        }
    }

    #[test]
    fn another_primary_or_check_of_it_asks_the_local_gateway_as_before() {
        let before = local(|_| {}).unwrap();
        let after = local(|options| {
            options.primary = "pc-a.test:443".parse().ok();
            options.check_host = Some("other.test".to_owned());
            options.interval = "5s".parse().ok();
        });
        assert_eq!(after.unwrap(), before);
    }

    #[test]
    fn what_makes_no_check_is_refused_with_the_option_that_was_given() {
        type Change = fn(&mut Options);
        let cases: [(Change, &[&str]); 6] = [
            (
                |options| options.local_check = Some(LocalCheckKind::Http),
                &["local-check is http", "--local-check-path"],
            ),
            (
                |options| options.local_check_path = Some("/x".to_owned()),
                &[
                    "local-check-path is given",
                    "the local-check is openclaw",
                    "--local-check http",
                ],
            ),
            (
                |options| {
                    options.local_check = Some(LocalCheckKind::Any);
                    options.local_check_contains = Some("x".to_owned());
                },
                &["local-check-contains is given", "the local-check is any"],
            ),
            (
                |options| options.local_check_ca = Some("/nowhere".into()),
                &["local-check-ca is given without local-check-tls"],
            ),
            (
                |options| {
                    options.local_check_tls = Some(true);
                    options.local_check_ca = Some("/nowhere".into());
                },
                &["local-check-ca is given without local-check-host"],
            ),
            (
                |options| options.local_check_host = Some("a b".to_owned()),
                &["local-check-host is `a b`"],
            ),
        ];
        for (change, parts) in cases {
            let error = local(change).unwrap_err();
            assert!(
                error
                    .option()
                    .is_some_and(|option| option.starts_with("local-check"))
            );
            let error = error.to_string();
            for part in parts {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }
}
