//! The two-host lab, and what the scenarios, the demonstration and the benchmark share.
//!
//! [`lab`] makes PC-A and PC-B; [`gateway`] and [`commands`] are what runs on them in place of the
//! real gateway, and [`openclaw`] is the real one; [`daemon`] and [`trace`] run the program under test and read what it says, with a configuration file where the package has it
//! ([`package_file`]),
//! [`http`] and [`browser`] look at what it shows; [`demo`] and [`bench`] show it to people; [`guest`] checks a kernel with all of it.
//!
//! Nothing here is global: every scenario has a lab of its own, so they run side by side.

pub mod bench;
pub mod browser;
pub mod commands;
pub mod daemon;
pub mod demo;
pub mod forward;
pub mod gateway;
pub mod guest;
pub mod hoard;
pub mod http;
pub mod lab;
pub mod lines;
pub mod moment;
pub mod openclaw;
pub mod package_file;
pub mod signals;
pub mod trace;
pub mod wait;

use std::{fs::OpenOptions, io};

/// The port that everything happens on.
pub const PORT: u16 = 18789;

/// Where `cargo xtask test` wants to be told of skipped tests.
const SKIPS_VARIABLE: &str = "FAILOVER_SKIPS";

/// Tells that the calling test can't run here, so that it is counted as skipped. The test returns then.
///
/// # Panics
/// When that can't be told: a silent skip would look like a success.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os(SKIPS_VARIABLE) {
        let list = OpenOptions::new().append(true).create(true).open(file);
        list.and_then(|list| add_line(list, &format!("{test}: {why}")))
            .expect("adding to the list of skipped tests");
    }
}

/// In one write, so that lines of tests that run at the same time don't run into each other (write(2),
/// `O_APPEND`).
fn add_line(mut list: impl io::Write, text: &str) -> io::Result<()> {
    let line = text.replace('\n', " ") + "\n";
    let written = list.write(line.as_bytes())?;
    if written < line.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, one entry a call.
    #[derive(Default)]
    struct Calls(Vec<String>);

    impl io::Write for Calls {
        fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8_lossy(piece).into_owned());
            Ok(piece.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_skipped_test_is_one_line_in_one_write() {
        let mut calls = Calls::default();
        add_line(&mut calls, "some_test: no\nbrowser").unwrap();
        add_line(&mut calls, "other_test: no promtool").unwrap();
        assert_eq!(
            calls.0,
            ["some_test: no browser\n", "other_test: no promtool\n"]
        );
    }
}
