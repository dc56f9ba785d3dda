//! The two-host lab, and what the scenarios, the demonstration and the benchmark share.
//!
//! [`lab`] makes PC-A and PC-B; [`gateway`] and [`commands`] are what runs on them in place of the
//! real gateway; [`daemon`] and [`trace`] run the program under test and read what it says; [`demo`]
//! and [`bench`] show it to people.
//!
//! Nothing here is global: every scenario has a lab of its own, so they run side by side.

pub mod bench;
pub mod commands;
pub mod daemon;
pub mod demo;
pub mod gateway;
pub mod lab;
pub mod lines;
pub mod moment;
pub mod signals;
pub mod trace;
pub mod wait;

/// The port that everything happens on.
pub const PORT: u16 = 18789;

/// Reads a duration like `300ms` or `2s`, for the command line.
///
/// # Errors
/// When it isn't one, or is negative.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|signed| std::time::Duration::try_from(signed).ok())
        .ok_or_else(|| format!("`{text}` is not a duration; write one like 300ms or 2s"))
}
