//! A duration as people write one: `500ms`, `30s`, `2m`, `1h 30m`, `7d`.

use std::{fmt, str::FromStr, time::Duration};

use jiff::{SignedDuration, SpanRelativeTo};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use crate::config::secret::quoted;

/// A duration, never negative.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub struct HumanDuration(Duration);

/// Not a duration.
#[derive(Debug, Error)]
#[error("`{}` is not a duration; write one like 500ms, 30s, 2m, 1h 30m or 7d", quoted(.0))]
pub struct HumanDurationError(String);

pub(super) const fn milliseconds(count: u64) -> HumanDuration {
    HumanDuration(Duration::from_millis(count))
}

pub(super) const fn seconds(count: u64) -> HumanDuration {
    HumanDuration(Duration::from_secs(count))
}

pub(super) const fn minutes(count: u64) -> HumanDuration {
    seconds(60 * count)
}

pub(super) const fn hours(count: u64) -> HumanDuration {
    minutes(60 * count)
}

pub(super) const fn days(count: u64) -> HumanDuration {
    hours(24 * count)
}

impl HumanDuration {
    /// The duration itself.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for HumanDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for HumanDuration {
    type Err = HumanDurationError;

    fn from_str(text: &str) -> Result<Self, HumanDurationError> {
        // A day has 24 hours here: nothing is configured by the calendar.
        let days = SpanRelativeTo::days_are_24_hours();
        let with_days = || text.parse::<jiff::Span>().ok()?.to_duration(days).ok();
        let parsed = text.parse::<SignedDuration>().ok().or_else(with_days);
        let span = parsed.and_then(|signed| Duration::try_from(signed).ok());
        span.map(Self)
            .ok_or_else(|| HumanDurationError(text.to_owned()))
    }
}

impl TryFrom<String> for HumanDuration {
    type Error = HumanDurationError;

    fn try_from(text: String) -> Result<Self, HumanDurationError> {
        text.parse()
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(signed) => write!(formatter, "{signed:#}"),
            Err(_) => write!(formatter, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_durations_with_units() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("1.5s", 1500),
            ("30s", 30_000),
            ("2m", 120_000),
            ("1h 30m", 5_400_000),
            ("7d", 7 * 86_400_000),
            ("0s", 0),
        ] {
            let span: HumanDuration = text.parse().unwrap();
            assert_eq!(span.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(
                span.to_string().parse::<HumanDuration>().unwrap(),
                span,
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_duration_is_refused_with_an_example() {
        for text in ["", "30", "-5s", "five", "99999999999999999999s", "1 month"] {
            let error = text.parse::<HumanDuration>().unwrap_err();
            assert!(
                error.to_string().contains("write one like 500ms"),
                "{text}: {error}"
            );
        }
    }
}
