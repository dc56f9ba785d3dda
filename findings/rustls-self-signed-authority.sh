#!/usr/bin/env bash
# rustls 0.23.46 with webpki 0.103.17 (crates.io): a server certificate as `openssl req -x509` makes it (signed by
# itself, CA:TRUE) is refused although that very certificate is the only trusted one; `openssl verify` and curl accept
# it. webpki asks whether an authority is used as a server before it looks whom the client trusts. The error is
# `CaUsedAsEndEntity`, wrapped as "other": whoever only tells `UnknownIssuer` apart calls it a broken certificate.
# With CA:FALSE the same key and name are accepted, by being the trust anchor itself.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
rustls = { version = "=0.23.46", default-features = false, features = ["std", "tls12", "ring"] }
rustls-webpki = { version = "=0.103.17", default-features = false, features = ["std", "ring"] }
END
cat >src/main.rs <<'END'
use rustls::client::{danger::ServerCertVerifier, WebPkiServerVerifier};
use rustls::pki_types::{pem::PemObject, CertificateDer, ServerName, UnixTime};
fn main() {
    let certificate = CertificateDer::from_pem_file(std::env::args().nth(1).unwrap()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.into()).build().unwrap();
    let name = ServerName::try_from("gateway.test").unwrap();
    match verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()) {
        Ok(_) => println!("accepted"),
        Err(error) => println!("{error:?}"),
    }
}
END
for authority in TRUE FALSE; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=gateway.test \
        -addext subjectAltName=DNS:gateway.test -addext "basicConstraints=critical,CA:$authority" \
        -keyout key.pem -out "$authority.pem" 2>/dev/null
done
cargo build --quiet
: >seen
for authority in TRUE FALSE; do
    by_openssl=$(openssl verify -CAfile "$authority.pem" -verify_hostname gateway.test "$authority.pem" | sed 's/.*: //')
    by_rustls=$(target/debug/finding "$authority.pem")
    echo "CA:$authority: openssl $by_openssl, rustls $by_rustls" | tee -a seen
done
grep -q '^CA:TRUE: openssl OK, rustls .*CaUsedAsEndEntity' seen || { echo "changed: an authority as a server"; exit 1; }
grep -q '^CA:FALSE: openssl OK, rustls accepted$' seen || { echo "changed: no authority as a server"; exit 1; }
echo "rustls 0.23.46: the trusted certificate itself is refused where it is an authority"
