//! The way to a web server: its addresses, a connection, TLS. What keeps from it is told with what to do.

use std::{fmt, io, net::SocketAddr};

use tokio::net::TcpStream;

use crate::{
    config::Webhook,
    primary::check::{
        Duplex,
        tls::{Tls as TlsClient, presented_in as tls_presented_in, wrong_in as tls_wrong_in},
        wrong_answer::{Certificate, WrongAnswer},
    },
    runtime::background,
};

/// More than a host has; a hostile name server must not make this long.
const MOST_ADDRESSES: usize = 4;

/// Why it isn't reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Obstacle {
    /// What happened.
    pub(crate) what: String,
    /// What to do.
    pub(crate) remedy: &'static str,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

/// A connection to it, with TLS where that is asked for. Nothing is said on it yet. Without a limit of
/// time.
///
/// # Errors
/// Says what keeps from it.
pub(crate) async fn reach(
    webhook: &Webhook,
    tls: Option<&TlsClient>,
) -> Result<Box<dyn Duplex>, Obstacle> {
    let Webhook { host, port, .. } = webhook;
    let found = background::look_up(host, *port).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(found) => found.into_iter().take(MOST_ADDRESSES).collect(),
        Err(error) => {
            return Err(Obstacle {
                what: format!("{host} can't be looked up: {error}"),
                remedy: "is the name in the webhook's URL right, and does PC-B's name service work?",
            });
        }
    };
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|error| unconnected(host, *port, &error))?;
    match tls {
        Some(tls) => match tls.open(stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(untrusted(host, &error)),
        },
        None => Ok(Box::new(stream)),
    }
}

fn unconnected(host: &str, port: u16, error: &io::Error) -> Obstacle {
    let what = format!("{host} can't be connected to on port {port}: {error}");
    let remedy = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "does the server run, and is the port in the webhook's URL right?"
        }
        _ => "is there a way from PC-B to it, and does its firewall let PC-B in?",
    };
    Obstacle { what, remedy }
}

fn untrusted(host: &str, error: &io::Error) -> Obstacle {
    let Some(wrong) = tls_wrong_in(error) else {
        return Obstacle {
            what: format!("TLS with {host}: {error}"),
            remedy: "does the server speak TLS on this port?",
        };
    };
    let remedy = match wrong {
        WrongAnswer::Certificate(Certificate::UnknownIssuer) => {
            "name who signs it, or it itself, with --webhook-ca, a PEM file"
        }
        WrongAnswer::Certificate(Certificate::OtherName) => {
            "write the name that the certificate is for in the webhook's URL"
        }
        WrongAnswer::Certificate(Certificate::Expired | Certificate::NotYetValid) => {
            "have it renewed, unless PC-B's clock is wrong (timedatectl)"
        }
        WrongAnswer::Certificate(Certificate::Other) => "have the server get another one",
        _ => "does the server speak TLS on this port, version 1.2 or later?",
    };
    let certificate = tls_presented_in(error).map(|presented| format!(" ({presented})"));
    Obstacle {
        what: format!(
            "TLS with {host}: {wrong}{}",
            certificate.unwrap_or_default()
        ),
        remedy,
    }
}
