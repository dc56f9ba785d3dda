//! TLS over a connection: which certificates are trusted, and what is wrong with the others.

use std::{fmt, io, sync::Arc};

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
        SignatureScheme,
        client::{
            Resumption, WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use crate::{
    config,
    config::Fingerprint,
    primary::check::{
        certificate::Presented,
        fault::Fault,
        wrong_answer::{Certificate, WrongAnswer},
    },
};

/// Opens TLS connections to one server.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// For a server with a certificate for the name, signed by a trusted authority; or with a pinned
    /// certificate.
    pub(crate) fn new(tls: &config::Tls) -> Self {
        let roots = tls.roots.clone();
        Self::made(tls, |provider| Trust::Some {
            pins: tls.pins.clone(),
            // A verifier without authorities can't be built.
            authorities: WebPkiServerVerifier::builder_with_provider(
                Arc::new(RootCertStore { roots }),
                provider,
            )
            .build()
            .ok(),
        })
    }

    /// For a server with any certificate.
    pub(super) fn with_anybody(tls: &config::Tls) -> Self {
        Self::made(tls, |_| Trust::Anybody)
    }

    fn made(tls: &config::Tls, trust: impl FnOnce(Arc<CryptoProvider>) -> Trust) -> Self {
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier {
            trust: trust(Arc::clone(&provider)),
            provider: Arc::clone(&provider),
        };
        let mut configuration = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each probe must see the certificate, to notice that it expires.
        configuration.resumption = Resumption::disabled();
        Self {
            connector: Arc::new(configuration).into(),
            name: tls.name.clone(),
        }
    }

    /// Opens TLS over this connection.
    pub(crate) async fn open(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

/// The fault, if the error comes from TLS.
pub(super) fn fault_in(error: &io::Error) -> Option<Fault> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => {
            Some(Fault::Own(format!("no TLS on PC-B: {error}")))
        }
        _ => wrong_in(error).map(|what| fault_of(what, presented_in(error))),
    }
}

/// PC-B's clock decides whether a certificate is valid now, and may be wrong: with an empty battery all
/// certificates are from the future. So that is no failure of the primary, which has answered and has the
/// right certificate.
fn fault_of(what: WrongAnswer, presented: Option<&Presented>) -> Fault {
    let description = presented.map(ToString::to_string);
    match (what, description) {
        (
            WrongAnswer::Certificate(Certificate::Expired | Certificate::NotYetValid),
            description,
        ) => {
            let description = description.map(|text| format!(" ({text})"));
            let description = description.unwrap_or_default();
            Fault::Own(format!(
                "by PC-B's clock, which says {}, {what}{description}: set the clock (timedatectl), or where it is right renew the certificate",
                Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
            ))
        }
        (_, Some(description)) => Fault::Certificate(what, description),
        (_, None) => what.into(),
    }
}

/// The fault of the server, if the error comes from TLS and is the server's.
pub(crate) fn wrong_in(error: &io::Error) -> Option<WrongAnswer> {
    Some(match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => WrongAnswer::Certificate(certificate(error)),
        Error::InvalidMessage(_) => WrongAnswer::NotTls,
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => return None,
        _ => WrongAnswer::Handshake,
    })
}

fn certificate(error: &CertificateError) -> Certificate {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Certificate::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Certificate::NotYetValid
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Certificate::UnknownIssuer
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Certificate::OtherName
        }
        CertificateError::Other(error) => {
            refused(error).map_or(Certificate::Other, |refused| refused.why)
        }
        _ => Certificate::Other,
    }
}

/// The certificate that was refused.
pub(crate) fn presented_in(error: &io::Error) -> Option<&Presented> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(CertificateError::Other(error)) => {
            refused(error).map(|refused| &refused.presented)
        }
        _ => None,
    }
}

fn refused(error: &OtherError) -> Option<&Refused> {
    error.0.downcast_ref()
}

/// An untrusted certificate. rustls reports only the reason, and not the certificate.
#[derive(Debug)]
struct Refused {
    why: Certificate,
    presented: Presented,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { why, presented } = self;
        write!(
            formatter,
            "{} ({presented})",
            WrongAnswer::Certificate(*why)
        )
    }
}

impl std::error::Error for Refused {}

/// Which certificates are trusted. In any case a server must have the key of its certificate.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
enum Trust {
    Anybody,
    Some {
        /// The pinned certificates.
        pins: Vec<Fingerprint>,
        /// The authorities whose certificates for the right name are trusted.
        authorities: Option<Arc<WebPkiServerVerifier>>,
    },
}

/// A pinned certificate is trusted whatever its names; but only within its validity, as any other.
fn is_in_time(presented: &Presented, now: UnixTime) -> Result<(), Certificate> {
    let Some((not_before, not_after)) = presented.validity() else {
        return Ok(());
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < not_before.as_second() {
        Err(Certificate::NotYetValid)
    } else if now > not_after.as_second() {
        Err(Certificate::Expired)
    } else {
        Ok(())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Trust::Some { pins, authorities } = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        let presented = Presented::read(end_entity);
        let why = if pins.contains(&presented.fingerprint()) {
            match is_in_time(&presented, now) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(why) => why,
            }
        } else {
            let verified = authorities.as_ref().map(|authorities| {
                authorities.verify_server_cert(
                    end_entity,
                    intermediates,
                    server_name,
                    ocsp_response,
                    now,
                )
            });
            match verified {
                Some(Err(Error::InvalidCertificate(error))) => match certificate(&error) {
                    // For example an authority's certificate as a server's.
                    Certificate::Other if presented.is_self_signed() => Certificate::UnknownIssuer,
                    why => why,
                },
                Some(other) => return other,
                None => Certificate::UnknownIssuer,
            }
        };
        let refused = OtherError(Arc::new(Refused { why, presented }));
        Err(Error::InvalidCertificate(CertificateError::Other(refused)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
