//! A certificate's fingerprint: the SHA-256 of its DER encoding, as `openssl x509 -noout -fingerprint
//! -sha256` shows it.

use std::{fmt, str::FromStr};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use thiserror::Error;

/// See the module.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// A text that isn't one.
#[derive(Debug, Eq, Error, PartialEq)]
pub enum NoFingerprint {
    /// Something else.
    #[error("is not a SHA-256 fingerprint")]
    Other,
    /// As long as one of SHA-1.
    #[error("has the length of a SHA-1 fingerprint")]
    Sha1,
}

const SHA1_OUTPUT_LEN: usize = 20;

impl Fingerprint {
    /// That of this certificate.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    /// With or without colons, and with what openssl writes before it.
    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let digits = match text.split_once('=') {
            Some((name, digits)) if name.to_ascii_lowercase().contains("fingerprint") => digits,
            Some(_) => return Err(NoFingerprint::Other),
            None => text,
        };
        let lower = digits.trim().to_ascii_lowercase();
        let digits = lower.strip_prefix("sha256:").unwrap_or(&lower);
        let digits: Vec<u8> = digits
            .chars()
            .filter(|character| *character != ':')
            .map(|digit| {
                digit
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            })
            .collect::<Option<_>>()
            .ok_or(NoFingerprint::Other)?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        match <[u8; SHA256_OUTPUT_LEN]>::try_from(bytes) {
            Ok(bytes) if rest.is_empty() => Ok(Self(bytes)),
            Err(bytes) if bytes.len() == SHA1_OUTPUT_LEN => Err(NoFingerprint::Sha1),
            _ => Err(NoFingerprint::Other),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let colon = if place == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_and_others_write_it() {
        // SHA-256 of no bytes (FIPS 180-4).
        let empty = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55";
        let expected = Fingerprint::of(b"");
        assert_eq!(expected.to_string(), empty);
        for text in [
            empty.to_owned(),
            empty.replace(':', "").to_lowercase(),
            format!("sha256 Fingerprint={empty}"),
            format!("SHA256:{}", empty.replace(':', "")),
            format!(" {empty}\n"),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "x",
            "ab",
            &empty[..40],
            &format!("{empty}0"),
            "a=b",
            "ä",
        ] {
            assert_eq!(
                text.parse::<Fingerprint>(),
                Err(NoFingerprint::Other),
                "{text}"
            );
        }
        assert_eq!(
            "ab".repeat(20).parse::<Fingerprint>(),
            Err(NoFingerprint::Sha1)
        );
    }
}
