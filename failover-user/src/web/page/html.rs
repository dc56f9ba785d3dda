//! Pieces of the page: text that stays text, times, and the number that makes scripts ours.

use std::fmt::{self, Write as _};

use jiff::{SignedDuration, Timestamp};

use crate::wording;

/// A number that no other page can guess: what has it is ours.
pub(super) fn nonce() -> String {
    let mut bytes = [0_u8; 16];
    // It waits for nothing: long before a daemon starts, the kernel has what it needs (getrandom(2)).
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        // Nothing is styled or run then, and everything can be read.
        Err(_) => String::new(),
    }
}

/// Text that is no markup, wherever it is put.
pub(super) struct Html<'text>(pub(super) &'text str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => formatter.write_str("&amp;")?,
                '<' => formatter.write_str("&lt;")?,
                '>' => formatter.write_str("&gt;")?,
                '"' => formatter.write_str("&quot;")?,
                '\'' => formatter.write_str("&#39;")?,
                control if control.is_control() => formatter.write_str("\u{fffd}")?,
                other => formatter.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// A time of day, with the date if it isn't today's.
pub(super) struct Clock(pub(super) Timestamp);

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        let is_near = Timestamp::now().duration_since(time).abs() < SignedDuration::from_hours(12);
        let format = if is_near {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M"
        };
        write!(
            formatter,
            "<time datetime=\"{time:.3}\">{}</time>",
            time.strftime(format)
        )
    }
}

/// The same with how long ago that is, which the script keeps true.
pub(super) struct Moment(pub(super) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.0;
        let seconds = Timestamp::now().duration_since(time).as_secs();
        let age = wording::age(seconds.unsigned_abs());
        let age = if seconds < 0 {
            format!("in {age}")
        } else {
            format!("{age} ago")
        };
        write!(
            formatter,
            "{} <small>(<span class=\"age\" data-at=\"{}\">{age}</span>)</small>",
            Clock(time),
            time.as_millisecond()
        )
    }
}
