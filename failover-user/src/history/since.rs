//! Parses `--since`: `2d`, `12h`, `2026-11-24`, `2026-11-24T03:00`.

use std::str::FromStr;

use jiff::{SpanRelativeTo, Timestamp, civil::DateTime, tz::Offset};
use thiserror::Error;

/// A point in time in the past.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Since(Timestamp);

/// The text is not a point in time.
#[derive(Debug, Error)]
#[error(
    "`{0}` is not a time; use a duration before now, like 2d or 12h, or a date in UTC, like 2026-11-24"
)]
pub struct SinceError(String);

impl Since {
    /// The point in time.
    #[must_use]
    pub const fn get(self) -> Timestamp {
        self.0
    }
}

impl FromStr for Since {
    type Err = SinceError;

    fn from_str(text: &str) -> Result<Self, SinceError> {
        let days = SpanRelativeTo::days_are_24_hours();
        let ago = text.parse::<jiff::Span>().ok();
        let ago = ago.and_then(|span| span.to_duration(days).ok());
        let ago = ago.filter(|ago| !ago.is_negative());
        let moment = match ago {
            Some(ago) => Timestamp::now().checked_sub(ago).ok(),
            None => text.parse::<Timestamp>().ok().or_else(|| {
                let civil = text.parse::<DateTime>().ok()?;
                Offset::UTC.to_timestamp(civil).ok()
            }),
        };
        moment.map(Self).ok_or_else(|| SinceError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_say_how_long_ago_or_when() {
        for (text, hours) in [("2d", 48), ("12h", 12), ("1w", 168), ("1h 30m", 1)] {
            let since: Since = text.parse().unwrap();
            let now = Timestamp::now();
            assert_eq!(now.duration_since(since.get()).as_hours(), hours, "{text}");
        }
        for (text, moment) in [
            ("2026-11-24", "2026-11-24T00:00:00Z"),
            ("2026-11-24T03:00", "2026-11-24T03:00:00Z"),
            ("2026-11-24 03:00:10", "2026-11-24T03:00:10Z"),
            ("2026-11-24T03:00:00+02:00", "2026-11-24T01:00:00Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.get(), moment.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for text in ["", "yesterday", "-2d", "2", "2026-13-01", "9999999999d"] {
            let error = text.parse::<Since>().unwrap_err().to_string();
            assert!(error.contains("2026-11-24"), "{text}: {error}");
        }
    }
}
