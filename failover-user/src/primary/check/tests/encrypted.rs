//! Over TLS.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
        sign::{CertifiedKey, SingleCertAndKey},
    },
};

use super::*;
use crate::{primary::check::wrong_answer::Certificate, wording};

const NAME: &str = "pc-a.test";

/// Who signs, and a file with its certificate.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer =
            CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A server with a certificate for the name, changed like this.
    async fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Server {
        let mut parameters = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        encrypted(certificate.der().clone(), &key).await
    }
}

async fn encrypted(certificate: CertificateDer<'static>, key: &KeyPair) -> Server {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    serving(configured(certificate, key)).await
}

fn configured(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> ServerConfig {
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

async fn serving(configuration: ServerConfig) -> Server {
    let acceptor = TlsAcceptor::from(Arc::new(configuration));
    Server::with(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                return;
            };
            let mut bytes = Vec::new();
            while let Ok(byte) = stream.read_u8().await {
                bytes.push(byte);
                if bytes.ends_with(b"\r\n\r\n") {
                    let head = String::from_utf8(std::mem::take(&mut bytes)).unwrap();
                    let path = head.split(' ').nth(1).unwrap();
                    let _ = stream.write_all(&openclaw(path)).await;
                    let _ = stream.flush().await;
                }
            }
        }
    })
    .await
}

fn check(ca: PathBuf, primary: &str, host: Option<&str>) -> Check {
    check_with(primary, |options| {
        options.check.check_ca = Some(ca);
        options.check.check_host = host.map(str::to_owned);
    })
}

fn check_with(primary: &str, change: impl FnOnce(&mut Options)) -> Check {
    Configuration::load(over_tls(primary, change))
        .unwrap()
        .check
}

fn over_tls(primary: &str, change: impl FnOnce(&mut Options)) -> Options {
    let text =
        format!("primary = '{primary}'\ncheck = 'openclaw'\ncheck-tls = true\ndry-run = true");
    let mut options = text.parse().unwrap();
    change(&mut options);
    options
}

/// A server with a certificate of its own making, as OpenClaw makes one: an authority by its own word, and
/// for no name. With a file that has it.
struct SelfSigned {
    key: KeyPair,
    certificate: rcgen::Certificate,
    directory: TempDir,
}

impl SelfSigned {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, "pc-a.lan");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("cert.pem"), certificate.pem()).unwrap();
        Self {
            key,
            certificate,
            directory,
        }
    }

    async fn server(&self) -> Server {
        encrypted(self.certificate.der().clone(), &self.key).await
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    fn fingerprint(&self) -> String {
        config::Fingerprint::of(self.certificate.der()).to_string()
    }
}

fn by_fingerprints(fingerprints: &[&SelfSigned]) -> Checker {
    let pins = fingerprints.iter().map(|one| one.fingerprint());
    checker(&check_with(NAME, |options| {
        options.check.check_fingerprint = Some(pins.collect());
    }))
}

#[tokio::test]
async fn a_primary_whose_certificate_the_ca_has_signed_is_spoken_to() {
    let authority = Authority::new("Test CA");
    let server = authority.server(NAME, |_| {}).await;
    let verdict = good(&checker(&check(authority.file(), NAME, None)), &server).await;
    assert_eq!(verdict.readiness.unwrap().ready, Some(false));
    // By another name than it is reached by, and by an address.
    good(
        &checker(&check(authority.file(), "10.0.0.1", Some(NAME))),
        &server,
    )
    .await;
    let server = authority.server("127.0.0.1", |_| {}).await;
    good(
        &checker(&check(authority.file(), "10.0.0.1", Some("127.0.0.1"))),
        &server,
    )
    .await;
}

#[tokio::test]
async fn a_wrong_certificate_is_a_wrong_answer_that_says_what_is_wrong() {
    let authority = Authority::new("Test CA");
    let foreign = Authority::new("Another CA");
    let check = checker(&check(authority.file(), NAME, None));
    for (server, expected) in [
        (
            foreign.server(NAME, |_| {}).await,
            Certificate::UnknownIssuer,
        ),
        (
            authority.server("pc-b.test", |_| {}).await,
            Certificate::OtherName,
        ),
    ] {
        let what = wrong(&check, &server).await;
        assert_eq!(what, WrongAnswer::Certificate(expected));
    }
}

#[tokio::test]
async fn a_certificate_of_another_time_is_no_failure_as_the_clock_here_may_be_wrong() {
    let authority = Authority::new("Test CA");
    let check = checker(&check(authority.file(), NAME, None));
    for (from, until, expected) in [
        (1975, 2020, "the certificate has expired"),
        (2999, 3000, "the certificate isn't valid yet"),
    ] {
        let server = authority
            .server(NAME, |certificate| {
                certificate.not_before = date_time_ymd(from, 1, 1);
                certificate.not_after = date_time_ymd(until, 1, 1);
            })
            .await;
        let outcome = verdict(&check, &server).await.outcome;
        let Outcome::Unknown { reason, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(reason.contains(expected), "{reason}");
        assert!(reason.contains("timedatectl"), "{reason}");
    }
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_good_for_who_trusts_it() {
    let key = KeyPair::generate().unwrap();
    let parameters = CertificateParams::new([NAME.to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("self.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let server = encrypted(certificate.der().clone(), &key).await;
    good(&checker(&check(file, NAME, None)), &server).await;
    let authority = Authority::new("Test CA");
    let what = wrong(&checker(&check(authority.file(), NAME, None)), &server).await;
    assert_eq!(what, WrongAnswer::Certificate(Certificate::UnknownIssuer));
}

#[tokio::test]
async fn a_certificate_of_openclaws_own_making_is_pinned_by_its_file_or_its_fingerprint() {
    let (own, other) = (SelfSigned::new(|_| {}), SelfSigned::new(|_| {}));
    let server = own.server().await;
    good(&checker(&check(own.file(), NAME, None)), &server).await;
    good(&by_fingerprints(&[&own]), &server).await;
    // While it is replaced.
    good(&by_fingerprints(&[&other, &own]), &server).await;
    for foreign in [
        checker(&check(other.file(), NAME, None)),
        by_fingerprints(&[&other]),
    ] {
        let what = wrong(&foreign, &server).await;
        assert_eq!(what, WrongAnswer::Certificate(Certificate::UnknownIssuer));
    }
}

#[tokio::test]
async fn a_certificate_that_is_refused_names_itself() {
    let (own, other) = (SelfSigned::new(|_| {}), SelfSigned::new(|_| {}));
    let server = own.server().await;
    let refused = verdict(&by_fingerprints(&[&other]), &server).await;
    let text = refused.certificate.unwrap();
    for part in [
        "subject CN=pc-a.lan, self-signed",
        "valid ",
        &own.fingerprint(),
    ] {
        assert!(text.contains(part), "{text}");
    }
    let authority = Authority::new("Test CA");
    let server = authority.server("pc-b.test", |_| {}).await;
    let refused = verdict(&checker(&check(authority.file(), NAME, None)), &server).await;
    let text = refused.certificate.unwrap();
    for part in ["CN=Test CA", "subjectAltName pc-b.test"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(
        good(&by_fingerprints(&[&own]), &own.server().await)
            .await
            .certificate,
        None
    );
}

/// Any client can get the certificate: the server sends it to all.
#[tokio::test]
async fn a_pinned_certificate_without_its_key_is_nothing() {
    let own = SelfSigned::new(|_| {});
    let stolen = CertifiedKey::new(
        vec![own.certificate.der().clone()],
        ring::sign::any_supported_type(
            &PrivateKeyDer::try_from(KeyPair::generate().unwrap().serialize_der()).unwrap(),
        )
        .unwrap(),
    );
    let configuration = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(stolen)));
    let server = serving(configuration).await;
    for check in [
        checker(&check(own.file(), NAME, None)),
        by_fingerprints(&[&own]),
    ] {
        let failure = failure(&check, &server).await;
        assert!(failure.is_above_tcp(), "{failure:?}");
    }
}

#[tokio::test]
async fn a_pinned_certificate_has_its_time_as_any_other() {
    for (from, until, expected) in [
        (1975, 2020, "the certificate has expired"),
        (2999, 3000, "the certificate isn't valid yet"),
    ] {
        let own = SelfSigned::new(|certificate| {
            certificate.not_before = date_time_ymd(from, 1, 1);
            certificate.not_after = date_time_ymd(until, 1, 1);
        });
        let outcome = verdict(&by_fingerprints(&[&own]), &own.server().await)
            .await
            .outcome;
        let text = wording::probe::outcome(&outcome);
        assert!(text.contains(expected), "{text}");
        assert!(text.contains(&format!("valid {from}-01-01 to")), "{text}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_as_that_and_the_other_way_round_it_isnt_http() {
    let authority = Authority::new("Test CA");
    let encrypting = checker(&check(authority.file(), NAME, None));
    // One that speaks before it is spoken to.
    let plain = Server::with(|mut stream| async move {
        let _ = stream.write_all(&page()).await;
        let _ = stream.read_u8().await;
    })
    .await;
    assert_eq!(wrong(&encrypting, &plain).await, WrongAnswer::NotTls);
    let hangs = Server::with(|stream| async {
        sleep(LONG).await;
        drop(stream);
    })
    .await;
    assert_eq!(
        silence(SHORT, &encrypting, &hangs).await,
        NoAnswer::TimedOut
    );
    let closes = Server::with(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    assert_eq!(silence(LONG, &encrypting, &closes).await, NoAnswer::Closed);
    let server = authority.server(NAME, |_| {}).await;
    let what = wrong(&checker(&openclaw_for_tests()), &server).await;
    assert_eq!(what, WrongAnswer::NotHttp);
}

/// How the local gateway is asked beside this primary.
fn local(ca: PathBuf, change: impl FnOnce(&mut Options)) -> Checker {
    let mut options = over_tls(NAME, |options| options.check.check_ca = Some(ca));
    change(&mut options);
    let configuration = Configuration::load(options).unwrap();
    Checker::of_the_local_gateway(&configuration.local_check)
}

#[tokio::test]
async fn the_local_gateway_may_speak_tls_or_not_whatever_the_primary_does() {
    let authority = Authority::new("Test CA");
    // A TLS handshake is no request to it: it hangs up.
    let plain = Server::with(|mut stream| async move {
        let mut first = [0];
        let Ok(1) = stream.peek(&mut first).await else {
            return;
        };
        while first != *b"\x16"
            && let Some(head) = head(&mut stream).await
        {
            let path = head.split(' ').nth(1).unwrap();
            let _ = stream.write_all(&openclaw(path)).await;
        }
    })
    .await;
    let encrypted = Authority::new("Another CA")
        .server("elsewhere", |_| {})
        .await;
    let primary = check(authority.file(), NAME, None);
    wrong(&checker(&primary), &encrypted).await;
    let any = local(authority.file(), |_| {});
    assert!(!good(&any, &plain).await.memory.speaks_tls);
    let verdict = good(&any, &encrypted).await;
    // The next one goes the right way at once, in both directions.
    assert!(verdict.memory.speaks_tls);
    let next = asked(&any, &encrypted, LONG, verdict.memory).await;
    assert!(
        matches!(next.outcome, Outcome::Connected { .. }),
        "{next:?}"
    );
    let next = asked(&any, &plain, LONG, next.memory).await;
    assert!(
        matches!(next.outcome, Outcome::Connected { .. }),
        "{next:?}"
    );
    assert!(!next.memory.speaks_tls);
    let said = |tls| {
        local(authority.file(), |options| {
            options.local_check.local_check_tls = Some(tls);
        })
    };
    good(&said(true), &encrypted).await;
    wrong(&said(false), &encrypted).await;
    good(&said(false), &plain).await;
    assert_ne!(
        failure(&said(true), &plain).await,
        Failure::TimedOut,
        "it doesn't speak TLS"
    );
}

#[tokio::test]
async fn the_local_gateways_certificate_is_verified_where_a_ca_is_configured_for_it() {
    let authority = Authority::new("Test CA");
    let check = local(authority.file(), |options| {
        options.local_check.local_check_tls = Some(true);
        options.local_check.local_check_ca = Some(authority.file());
        options.local_check.local_check_host = Some("pc-b.test".to_owned());
    });
    good(&check, &authority.server("pc-b.test", |_| {}).await).await;
    let others = Authority::new("Another CA")
        .server("pc-b.test", |_| {})
        .await;
    assert_eq!(
        wrong(&check, &others).await,
        WrongAnswer::Certificate(Certificate::UnknownIssuer)
    );
}
