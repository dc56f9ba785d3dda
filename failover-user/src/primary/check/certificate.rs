//! Describes a certificate: its subject, issuer, validity and fingerprint.
//!
//! Reads only the parts of X.509 that this needs (RFC 5280, section 4.1). They decide only whether a pinned
//! certificate is valid now; rustls decides about trust.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use jiff::{Timestamp, civil, tz::Offset};

use failover_linux::escape::Escaped;

use crate::config::Fingerprint;

/// Limit for names in the description.
const MOST_NAMES: usize = 6;

/// A certificate that a server presented. Its texts are untrusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Presented {
    fingerprint: Fingerprint,
    /// `None`: it can't be parsed.
    content: Option<Content>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Content {
    subject: String,
    issuer: String,
    not_before: Timestamp,
    not_after: Timestamp,
    names: Vec<String>,
}

impl Presented {
    pub(super) fn read(der: &[u8]) -> Self {
        Self {
            fingerprint: Fingerprint::of(der),
            content: content(der),
        }
    }

    pub(super) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(super) fn is_self_signed(&self) -> bool {
        let content = self.content.as_ref();
        content.is_some_and(|content| content.subject == content.issuer)
    }

    /// Its validity period, if that can be parsed.
    pub(super) fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        let content = self.content.as_ref()?;
        Some((content.not_before, content.not_after))
    }
}

impl fmt::Display for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            fingerprint,
            content,
        } = self;
        let Some(content) = content else {
            return write!(
                formatter,
                "a certificate that can't be read, SHA-256 {fingerprint}"
            );
        };
        let Content {
            subject,
            issuer,
            not_before,
            not_after,
            names,
        } = content;
        write!(formatter, "subject {}", Escaped(subject))?;
        match subject == issuer {
            true => formatter.write_str(", self-signed")?,
            false => write!(formatter, ", issuer {}", Escaped(issuer))?,
        }
        match names.is_empty() {
            true => formatter.write_str(", no subjectAltName")?,
            false => {
                let names = names.join(", ");
                write!(formatter, ", subjectAltName {}", Escaped(&names))?;
            }
        }
        let day = |time: &Timestamp| time.strftime("%Y-%m-%d").to_string();
        write!(
            formatter,
            ", valid {} to {}, SHA-256 {fingerprint}",
            day(not_before),
            day(not_after)
        )
    }
}

// --- DER (ITU-T X.690) --------------------------------------------------------------------------------

const BOOLEAN: u8 = 0x01;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
const OCTET_STRING: u8 = 0x04;
const INTEGER: u8 = 0x02;
/// `[0]`, `[3]`: the version and the extensions of a certificate.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// `[2]`, `[7]` of a `GeneralName`.
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// The short names of attributes (RFC 4514, section 3, and PKCS #9's address).
const ATTRIBUTES: [(&[u8], &str); 8] = [
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19],
        "DC",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01],
        "emailAddress",
    ),
];

/// A sequence of elements.
#[derive(Clone, Copy)]
struct Elements<'der>(&'der [u8]);

impl<'der> Elements<'der> {
    /// The next element's tag and content.
    fn next(&mut self) -> Option<(u8, &'der [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // A certificate needs two length bytes at most.
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = length
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next element's content, if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'der [u8]> {
        let (found, content) = self.next()?;
        (found == tag).then_some(content)
    }

    /// Skips the next element if it has this tag.
    fn skip(&mut self, tag: u8) {
        let before = *self;
        if self.expect(tag).is_none() {
            *self = before;
        }
    }
}

fn content(der: &[u8]) -> Option<Content> {
    let certificate = Elements(der).expect(SEQUENCE)?;
    let mut fields = Elements(Elements(certificate).expect(SEQUENCE)?);
    fields.skip(VERSION);
    fields.expect(INTEGER)?;
    fields.expect(SEQUENCE)?;
    let issuer = name(fields.expect(SEQUENCE)?);
    let mut validity = Elements(fields.expect(SEQUENCE)?);
    let not_before = time(validity.next()?)?;
    let not_after = time(validity.next()?)?;
    let subject = name(fields.expect(SEQUENCE)?);
    let mut names = Vec::new();
    while let Some((tag, content)) = fields.next() {
        if tag == EXTENSIONS {
            names = alternative_names(content).unwrap_or_default();
        }
    }
    Some(Content {
        subject,
        issuer,
        not_before,
        not_after,
        names,
    })
}

/// A name in its encoded order, as `CN=pc-a, O=lab`.
fn name(content: &[u8]) -> String {
    let mut parts = Vec::new();
    let mut sets = Elements(content);
    while let Some(set) = sets.expect(SET) {
        let mut attributes = Elements(set);
        while let Some(attribute) = attributes.expect(SEQUENCE) {
            let mut attribute = Elements(attribute);
            if let (Some(kind), Some((tag, value))) = (attribute.expect(OID), attribute.next()) {
                let known = ATTRIBUTES.iter().find(|(oid, _)| *oid == kind);
                let label = known.map_or("?", |(_, label)| label);
                parts.push(format!("{label}={}", text(tag, value)));
            }
        }
    }
    match parts.is_empty() {
        true => "(empty)".to_owned(),
        false => parts.join(", "),
    }
}

fn text(tag: u8, value: &[u8]) -> String {
    if tag != BMP_STRING {
        return String::from_utf8_lossy(value).into_owned();
    }
    let (units, _) = value.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
    String::from_utf16_lossy(&units)
}

/// A time (RFC 5280, section 4.1.2.5): always in UTC, to the second.
fn time((tag, content): (u8, &[u8])) -> Option<Timestamp> {
    let digits = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let mut pairs = rest.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        (pair.len() == 2).then(|| pair.parse::<i8>().ok())?
    });
    let mut pair = || pairs.next().flatten();
    let moment = civil::DateTime::new(year, pair()?, pair()?, pair()?, pair()?, pair()?, 0).ok()?;
    Offset::UTC.to_timestamp(moment).ok()
}

/// The host names and addresses of subjectAltName.
fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut extensions = Elements(Elements(extensions).expect(SEQUENCE)?);
    while let Some(extension) = extensions.expect(SEQUENCE) {
        let mut extension = Elements(extension);
        if extension.expect(OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        extension.skip(BOOLEAN);
        let mut names = Elements(Elements(extension.expect(OCTET_STRING)?).expect(SEQUENCE)?);
        let mut listed = Vec::new();
        while let Some((tag, name)) = names.next() {
            if listed.len() == MOST_NAMES {
                listed.push("...".to_owned());
                break;
            }
            match tag {
                DNS_NAME => listed.push(String::from_utf8_lossy(name).into_owned()),
                IP_ADDRESS => listed.extend(address(name)),
                _ => {}
            }
        }
        return Some(listed);
    }
    None
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    let bytes = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut parameters = CertificateParams::default();
        parameters.not_before = date_time_ymd(1999, 12, 31);
        parameters.not_after = date_time_ymd(2077, 2, 28);
        change(&mut parameters);
        let key = KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    fn named() -> Vec<u8> {
        let names = [
            "pc-a.lan".to_owned(),
            "10.0.0.1".to_owned(),
            "fd00::1".to_owned(),
        ];
        certificate(|parameters| {
            let times = (parameters.not_before, parameters.not_after);
            *parameters = CertificateParams::new(names).unwrap();
            (parameters.not_before, parameters.not_after) = times;
            parameters.distinguished_name = rcgen::DistinguishedName::new();
            parameters
                .distinguished_name
                .push(DnType::CommonName, "pc-a");
            parameters
                .distinguished_name
                .push(DnType::OrganizationName, "Lab\u{1b}[31m\n");
        })
    }

    #[test]
    fn a_certificate_names_itself_in_one_harmless_line() {
        let der = named();
        let text = Presented::read(&der).to_string();
        let fingerprint = Fingerprint::of(&der);
        assert_eq!(
            text,
            format!(
                "subject CN=pc-a, O=Lab\\u{{1b}}[31m\\n, self-signed, subjectAltName pc-a.lan, 10.0.0.1, fd00::1, \
                 valid 1999-12-31 to 2077-02-28, SHA-256 {fingerprint}"
            )
        );
        let bare = certificate(|parameters| {
            parameters.distinguished_name = rcgen::DistinguishedName::new();
        });
        let text = Presented::read(&bare).to_string();
        assert!(
            text.starts_with("subject (empty), self-signed, no subjectAltName, valid "),
            "{text}"
        );
        let text = Presented::read(b"x").to_string();
        assert!(
            text.starts_with("a certificate that can't be read, SHA-256 2D:71:16:42"),
            "{text}"
        );
    }

    #[test]
    fn many_names_are_cut() {
        let names: Vec<String> = (0..40).map(|number| format!("host-{number}.lan")).collect();
        let der = certificate(|parameters| *parameters = CertificateParams::new(names).unwrap());
        let text = Presented::read(&der).to_string();
        assert!(text.contains("host-5.lan, ..., valid"), "{text}");
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_breaks_nothing(
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
            length in any::<prop::sample::Index>(),
        ) {
            let mut der = named();
            for (place, value) in changes {
                let place = place.index(der.len());
                der[place] = value;
            }
            der.truncate(length.index(der.len()) + 1);
            let text = Presented::read(&der).to_string();
            prop_assert!(text.len() < 8 * 1024, "{}", text.len());
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }

        #[test]
        fn no_bytes_break_it(der in vec(any::<u8>(), 0..200)) {
            let text = Presented::read(&der).to_string();
            prop_assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}
