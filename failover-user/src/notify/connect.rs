//! The connection to the server of a URL: name resolution, TCP, TLS. Each error has a remedy.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

use crate::{
    config::{WEBHOOK, Webhook},
    notify::DeliveryError,
    primary::check::{
        tls::{Tls as TlsClient, presented_in as tls_presented_in, wrong_in as tls_wrong_in},
        transport::Duplex,
        wrong_answer::{Certificate, WrongAnswer},
    },
    runtime::background,
};

/// Limit for addresses, against a hostile name server.
const MOST_ADDRESSES: usize = 4;

/// Connects, with TLS if the URL requires it. Sends nothing else. Without a
/// timeout.
///
/// # Errors
/// What is wrong, with a remedy.
pub(crate) async fn connect(
    webhook: &Webhook,
    tls: Option<&TlsClient>,
) -> Result<Box<dyn Duplex>, DeliveryError> {
    let Webhook { host, port, .. } = webhook;
    let found = background::look_up(host, *port).await;
    let addresses: Vec<SocketAddr> = match found {
        Ok(found) => found.into_iter().take(MOST_ADDRESSES).collect(),
        Err(error) => {
            return Err(DeliveryError {
                what: format!("cannot resolve {host}: {error}"),
                remedy: "is the name in the URL right, and does name resolution work on PC-B?",
            });
        }
    };
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|error| unconnected(host, *port, &error))?;
    match tls {
        Some(tls) => match tls.open(stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(untrusted(webhook, &error)),
        },
        None => Ok(Box::new(stream)),
    }
}

fn unconnected(host: &str, port: u16, error: &io::Error) -> DeliveryError {
    let what = format!("cannot connect to {host} on port {port}: {error}");
    let remedy = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "does the server run, and is the port in the URL right?"
        }
        _ => "is there a route from PC-B, and does the firewall allow it?",
    };
    DeliveryError { what, remedy }
}

fn untrusted(webhook: &Webhook, error: &io::Error) -> DeliveryError {
    let host = &webhook.host;
    let Some(wrong) = tls_wrong_in(error) else {
        return DeliveryError {
            what: format!("TLS with {host}: {error}"),
            remedy: "does the server speak TLS on this port?",
        };
    };
    let remedy = match wrong {
        WrongAnswer::Certificate(Certificate::UnknownIssuer) if webhook.option != WEBHOOK => {
            "add its CA to this machine's CA store (update-ca-certificates)"
        }
        WrongAnswer::Certificate(Certificate::UnknownIssuer) => {
            "set --webhook-ca to a PEM file with its CA, or with the certificate itself"
        }
        WrongAnswer::Certificate(Certificate::OtherName) => "use the certificate's name in the URL",
        WrongAnswer::Certificate(Certificate::Expired | Certificate::NotYetValid) => {
            "renew the certificate, or set PC-B's clock (timedatectl)"
        }
        WrongAnswer::Certificate(Certificate::Other) => "replace the server's certificate",
        _ => "does the server speak TLS on this port, version 1.2 or later?",
    };
    let certificate = tls_presented_in(error).map(|presented| format!(" ({presented})"));
    DeliveryError {
        what: format!(
            "TLS with {host}: {wrong}{}",
            certificate.unwrap_or_default()
        ),
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls;

    use super::*;
    use crate::config::webhook_for_tests;

    #[test]
    fn the_remedy_for_an_unknown_authority_is_one_that_the_url_has() {
        let error = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = io::Error::other(error);
        let mut webhook = webhook_for_tests("http://hooks.test/", None);
        let remedy = untrusted(&webhook, &error).remedy;
        assert!(remedy.contains("--webhook-ca"), "{remedy}");
        webhook.option = "heartbeat-url";
        let remedy = untrusted(&webhook, &error).remedy;
        assert!(remedy.contains("update-ca-certificates"), "{remedy}");
    }
}
