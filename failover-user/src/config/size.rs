//! A size as people write one: `500MB`, `2.5GB`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::config::secret::quoted;

/// Decimal, as disks are sold and traffic is counted.
const UNITS: [(&str, u64); 5] = [
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];
/// Digits after the point that count.
const PLACES: usize = 3;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct Size(u64);

/// Not a size.
#[derive(Debug, Error)]
#[error("`{}` is not a size; write one like 500MB or 2.5GB", quoted(.0))]
pub struct SizeError(String);

pub(super) const fn megabytes(count: u64) -> Size {
    Size(count * 1_000_000)
}

pub(super) const fn gigabytes(count: u64) -> Size {
    megabytes(1000 * count)
}

impl Size {
    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let parsed = || {
            let (number, unit) = UNITS.iter().find_map(|(name, unit)| {
                let number = text.trim().strip_suffix(name)?.trim_end();
                number
                    .ends_with(|last: char| last.is_ascii_digit())
                    .then_some((number, *unit))
            })?;
            let (whole, part) = number.split_once('.').unwrap_or((number, ""));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            if !digits(whole) || !digits(part) || part.len() > PLACES || number.ends_with('.') {
                return None;
            }
            let whole: u64 = whole.parse().ok()?;
            let thousandths: u64 = format!("{part:0<PLACES$}").parse().ok()?;
            let part = (unit / 1000).checked_mul(thousandths)?;
            whole.checked_mul(unit)?.checked_add(part)
        };
        parsed().map(Self).ok_or_else(|| SizeError(text.to_owned()))
    }
}

impl TryFrom<String> for Size {
    type Error = SizeError;

    fn try_from(text: String) -> Result<Self, SizeError> {
        text.parse()
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// In the largest unit that shows it exactly.
impl fmt::Display for Size {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = |unit: u64| self.0 >= unit && self.0.is_multiple_of((unit / 1000).max(1));
        let found = UNITS.iter().find(|(_, unit)| exact(*unit));
        let (name, unit) = found.copied().unwrap_or(("B", 1));
        let thousandths = (self.0 % unit) / (unit / 1000).max(1);
        let part = format!("{thousandths:03}");
        match part.trim_end_matches('0') {
            "" => write!(out, "{}{name}", self.0 / unit),
            part => write!(out, "{}.{part}{name}", self.0 / unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_sizes_with_units() {
        for (text, bytes) in [
            ("4GB", 4_000_000_000),
            ("2.5GB", 2_500_000_000),
            ("500 MB", 500_000_000),
            ("1.001kB", 1001),
            ("7B", 7),
            ("0B", 0),
            ("2TB", 2_000_000_000_000),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size, "{text}");
        }
        assert_eq!(Size(2_500_000_000).to_string(), "2.5GB");
        assert_eq!(Size(1_234_567).to_string(), "1234.567kB");
    }

    #[test]
    fn what_is_not_a_size_is_refused_with_an_example() {
        for text in [
            "",
            "4",
            "GB",
            ".5GB",
            "1.GB",
            "-1GB",
            "1.2345GB",
            "1GiB",
            "1 000MB",
            "four GB",
            "99999999999999999999GB",
        ] {
            let error = text.parse::<Size>().unwrap_err().to_string();
            assert!(error.contains("write one like 500MB"), "{text}: {error}");
        }
    }
}
