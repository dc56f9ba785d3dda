//! Secrets and certificates in files of their own: read here, once, so that a wrong file is reported at the start.
//! What they are for is not known here.

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use hyper::http::HeaderValue;
use thiserror::Error;
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, TrustAnchor, pem::PemObject as _},
};

use failover_linux::{
    files,
    files::ownership::{Sticky, WritableByOthers, check_mode},
};

use crate::config::Fingerprint;

/// Far more than a machine's whole CA store takes.
const LONGEST_CA: u64 = 4 * 1024 * 1024;
/// Far more than a token takes.
const LONGEST_TOKEN: u64 = 4 * 1024;

/// A secret, as a header's value: `Bearer ...`.
#[derive(Clone, Eq, PartialEq)]
pub struct Token(HeaderValue);

impl Token {
    /// The header's value.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(secret)")
    }
}

/// A file without what its option needs.
#[derive(Debug, Error)]
pub enum CredentialError {
    /// A file can't be read.
    #[error("{option}: reading {}: {source}", path.display())]
    Read {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other accounts can write to the file.
    #[error("{option}: {fault}")]
    NotTrusted {
        /// The option that names it.
        option: &'static str,
        /// Who, and what to do.
        fault: WritableByOthers,
    },
    /// No certificates in the file.
    #[error("{option}: {} {what}; give a PEM file with the certificate of who signs, or the server's own", path.display())]
    Ca {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// No token in the file.
    #[error("{option}: {} {what}; put it there on one line, as plain text", path.display())]
    Token {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

impl CredentialError {
    /// The option that names the file.
    pub(super) fn option(&self) -> &'static str {
        match self {
            Self::Read { option, .. }
            | Self::NotTrusted { option, .. }
            | Self::Ca { option, .. }
            | Self::Token { option, .. } => option,
        }
    }
}

/// What Windows' editors write first (Unicode 16, section 23.8).
const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The whole file, unless it is longer. A byte order mark is no part of what is in it.
fn read(option: &'static str, path: &Path, longest: u64) -> Result<Vec<u8>, CredentialError> {
    let read_error = |source| CredentialError::Read {
        option,
        path: path.to_owned(),
        source,
    };
    let (bytes, file) = files::read_at_most(path, longest).map_err(read_error)?;
    check(option, path, &file)?;
    if bytes.len() as u64 > longest {
        let too_long = format!("it is longer than {longest} bytes");
        return Err(read_error(io::Error::other(too_long)));
    }
    Ok(match bytes.strip_prefix(UTF8_MARK) {
        Some(rest) => rest.to_vec(),
        None => bytes,
    })
}

/// Anyone who can write a token's or a certificate's file can replace it. Its owner may be the gateway's
/// account.
fn check(option: &'static str, path: &Path, file: &File) -> Result<(), CredentialError> {
    let is_file = file.metadata().is_ok_and(|found| found.is_file());
    match check_mode(file, path, Sticky::Counts) {
        Ok(Err(fault)) if is_file => Err(CredentialError::NotTrusted { option, fault }),
        _ => Ok(()),
    }
}

pub(super) fn token(option: &'static str, path: &Path) -> Result<Token, CredentialError> {
    let wrong = |what| CredentialError::Token {
        option,
        path: path.to_owned(),
        what,
    };
    const NONE: &str = "holds no token";
    let bytes = read(option, path, LONGEST_TOKEN)?;
    if UTF16_MARKS.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(wrong(
            "holds no token that can be read: it is UTF-16, as PowerShell writes files",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong(NONE))?;
    let token = text.trim();
    if token.is_empty() {
        return Err(wrong(NONE));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(wrong(
            "holds no token: it has a space, or another character that no token has",
        ));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| wrong(NONE))?;
    header.set_sensitive(true);
    Ok(Token(header))
}

/// The certificates in a file, as trust anchors and as fingerprints.
pub(super) fn roots_in(
    option: &'static str,
    path: &Path,
) -> Result<(Vec<TrustAnchor<'static>>, Vec<Fingerprint>), CredentialError> {
    let wrong = |what: String| CredentialError::Ca {
        option,
        path: path.to_owned(),
        what,
    };
    let bytes = read(option, path, LONGEST_CA)?;
    let (mut roots, mut pins) = (RootCertStore::empty(), Vec::new());
    for certificate in CertificateDer::pem_slice_iter(&bytes) {
        let certificate = certificate.map_err(|_| wrong("is no PEM file".to_owned()))?;
        pins.push(Fingerprint::of(&certificate));
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("has a certificate that can't be read: {error}")))?;
    }
    if roots.is_empty() {
        return Err(wrong("has no certificate".to_owned()));
    }
    Ok((roots.roots, pins))
}

/// This machine's CA store, or why it is empty.
pub(super) fn trusted_here() -> Result<Vec<TrustAnchor<'static>>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // One that can't be read is nobody's who matters.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string);
        return Err(why.unwrap_or_else(|| "there are none".to_owned()));
    }
    Ok(roots.roots)
}
