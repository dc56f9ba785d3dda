//! TLS over a connection: who is trusted, and what is wrong where nobody is.

use std::{io, sync::Arc};

use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore,
        SignatureScheme,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};

use super::{Fault, of_io};
use crate::{
    config,
    decide::{Certificate, WrongAnswer},
};

/// Makes connections to one server.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// To a server with a certificate for the name, signed by somebody who is trusted.
    pub(crate) fn new(tls: &config::Tls) -> Self {
        let roots = RootCertStore {
            roots: tls.roots.clone(),
        };
        Self::made(tls, |builder| {
            builder.with_root_certificates(roots).with_no_client_auth()
        })
    }

    /// To a server with any certificate.
    pub(super) fn with_anybody(tls: &config::Tls) -> Self {
        Self::made(tls, |builder| {
            let provider = builder.crypto_provider().clone();
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
                .with_no_client_auth()
        })
    }

    fn made(
        tls: &config::Tls,
        finish: impl FnOnce(
            tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>,
        ) -> ClientConfig,
    ) -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has cipher suites for TLS 1.2 and 1.3");
        let mut configuration = finish(builder);
        configuration.alpn_protocols = vec![b"http/1.1".to_vec()];
        // Each probe has to see the certificate, or it would not notice that it expires.
        configuration.resumption = Resumption::disabled();
        Self {
            connector: Arc::new(configuration).into(),
            name: tls.name.clone(),
        }
    }

    /// TLS over this connection.
    pub(crate) async fn open(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }

    pub(super) async fn connect(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Fault> {
        let connected = self.open(stream).await;
        connected.map_err(|error| of_io(&error))
    }
}

/// What is wrong with the server, if it is TLS that says so.
pub(super) fn fault_in(error: &io::Error) -> Option<Fault> {
    match error.get_ref()?.downcast_ref::<Error>()? {
        Error::FailedToGetCurrentTime | Error::FailedToGetRandomBytes => {
            Some(Fault::Own(format!("no TLS on PC-B: {error}")))
        }
        _ => wrong_in(error).map(fault_of),
    }
}

/// A clock decides whether a certificate's time has come or is over, and PC-B's may be wrong: with an
/// empty battery every certificate is from the future. So that is no failure of the primary's, which has
/// answered, and is who it should be.
fn fault_of(what: WrongAnswer) -> Fault {
    match what {
        WrongAnswer::Certificate(Certificate::Expired | Certificate::NotYetValid) => {
            Fault::Own(format!(
                "by PC-B's clock, which says {}, {what}: set the clock (timedatectl), or where it is right renew the certificate",
                Timestamp::now().strftime("%Y-%m-%d %H:%M UTC"),
            ))
        }
        _ => what.into(),
    }
}

/// The same, of which the server is the cause.
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
        _ => Certificate::Other,
    }
}

/// Trusts anybody who has the key of the certificate that he shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
