//! Until when, as people write it: `18:30`, `Sun 06:00`, `2026-12-24 08:00`. In local time.

use std::str::FromStr;

use jiff::{
    Timestamp, ToSpan as _, ZonedDateTime,
    civil::{DateTime, Time, Weekday},
};
use thiserror::Error;

/// A moment to come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Until(When);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum When {
    /// The next time that clocks show this, on this day of the week if there is one.
    Clock(Option<Weekday>, Time),
    /// A date, in local time.
    Date(DateTime),
    /// With its offset from UTC.
    Moment(Timestamp),
}

/// Not a moment.
#[derive(Debug, Error)]
#[error(
    "`{0}` is not a time; write one like 18:30, \"Sun 06:00\" or \"2026-12-24 08:00\" (local time)"
)]
pub struct UntilError(String);

/// A moment that is over.
#[derive(Debug, Error, PartialEq)]
#[error("{0} is over; give a time to come")]
pub struct UntilOver(String);

impl Until {
    /// The moment, seen from this one.
    ///
    /// # Errors
    /// When it is over.
    pub fn after(self, now: &ZonedDateTime) -> Result<Timestamp, UntilOver> {
        let moment = match self.0 {
            When::Moment(moment) => Some(moment),
            When::Date(date) => date
                .to_zoned_datetime(now.time_zone().clone())
                .ok()
                .map(|date| date.timestamp()),
            When::Clock(weekday, time) => next(now, weekday, time),
        };
        let moment = moment.filter(|moment| *moment > now.timestamp());
        moment.ok_or_else(|| {
            UntilOver(match self.0 {
                When::Moment(moment) => moment.to_string(),
                When::Date(date) => date.to_string(),
                When::Clock(_, time) => time.to_string(),
            })
        })
    }
}

/// Within eight days: that of today may be over.
fn next(now: &ZonedDateTime, weekday: Option<Weekday>, time: Time) -> Option<Timestamp> {
    (0..=7_i64).find_map(|days| {
        let day = now.date().checked_add(days.days()).ok()?;
        let is_wanted = weekday.is_none_or(|weekday| day.weekday() == weekday);
        // A time that a change of clocks leaves out is the one after it.
        let at = day
            .to_datetime(time)
            .to_zoned_datetime(now.time_zone().clone())
            .ok()?;
        (is_wanted && at > *now).then(|| at.timestamp())
    })
}

impl FromStr for Until {
    type Err = UntilError;

    fn from_str(text: &str) -> Result<Self, UntilError> {
        let wrong = || {
            UntilError(
                text.chars()
                    .filter(|one| !one.is_control())
                    .take(80)
                    .collect(),
            )
        };
        let (weekday, rest) = match text.split_once(' ') {
            Some((day, rest)) if day.starts_with(|first: char| first.is_ascii_alphabetic()) => {
                (Some(weekday(day).ok_or_else(wrong)?), rest)
            }
            _ => (None, text),
        };
        if let Ok(time) = Time::strptime("%H:%M", rest.trim()) {
            return Ok(Self(When::Clock(weekday, time)));
        }
        if weekday.is_some() {
            return Err(wrong());
        }
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self(When::Moment(moment)));
        }
        text.parse()
            .map(|date| Self(When::Date(date)))
            .map_err(|_| wrong())
    }
}

/// Its first three letters are enough.
fn weekday(name: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let name = name.to_ascii_lowercase();
    let named = NAMES
        .iter()
        .find(|(full, _)| name.len() >= 3 && full.starts_with(&name));
    named.map(|(_, weekday)| *weekday)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Monday, in a zone that moves its clocks on the last Sundays of March and October.
    fn now(text: &str) -> ZonedDateTime {
        let berlin = jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        let civil: DateTime = text.parse().expect("a date");
        civil.to_zoned_datetime(berlin).expect("a moment")
    }

    #[test]
    fn the_next_time_that_clocks_show_it() {
        for (text, moment) in [
            ("18:30", "2026-11-30T17:30:00Z"),
            // Over for today.
            ("06:00", "2026-12-01T05:00:00Z"),
            ("Sun 06:00", "2026-12-06T05:00:00Z"),
            ("monday 18:00", "2026-11-30T17:00:00Z"),
            ("Mon 06:00", "2026-12-07T05:00:00Z"),
            ("2026-12-24 08:00", "2026-12-24T07:00:00Z"),
            ("2026-12-24T08:00:00Z", "2026-12-24T08:00:00Z"),
        ] {
            let until: Until = text.parse().expect(text);
            let moment: Timestamp = moment.parse().expect("a moment");
            assert_eq!(
                until.after(&now("2026-11-30T12:00:00")),
                Ok(moment),
                "{text}"
            );
        }
    }

    #[test]
    fn a_time_that_clocks_leave_out_is_the_one_after_it() {
        let until: Until = "02:30".parse().expect("a time");
        let after = until.after(&now("2026-03-28T12:00:00"));
        assert_eq!(after, Ok("2026-03-29T01:30:00Z".parse().expect("a moment")));
    }

    #[test]
    fn what_is_over_or_no_time_is_refused() {
        let over: Until = "2026-01-01 00:00".parse().expect("a date");
        assert!(over.after(&now("2026-11-30T12:00:00")).is_err());
        for text in [
            "",
            "soon",
            "2h",
            "Su 06:00",
            "Sun",
            "Sun 2026-12-01",
            "25:00",
            "\u{1b}[2J",
        ] {
            let error = text.parse::<Until>().expect_err(text).to_string();
            assert!(error.contains("Sun 06:00"), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}
