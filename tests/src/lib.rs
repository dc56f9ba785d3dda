//! The two-host lab, and what the scenarios, the demonstration and the benchmark share.
//!
//! [`lab`] creates PC-A and PC-B; [`gateway`] and [`commands`] run on them in place of the real gateway, and
//! [`openclaw`] is the real one, also as a unit ([`openclaw_unit`]) and as an account that people talk to
//! ([`openclaw_host`], and [`openclaw_pair`] for two machines), with a [`model`]; [`account`] is an account with sshd on them, whose state [`sync_worker`] copies; [`parker`] stops a gateway
//! ([`binder`]) in its bind; [`daemon`] and [`trace`] run the program under test and read its output, if needed with a
//! configuration file in the package's place ([`package_file`]), or as the unit of a machine whose gateway is kept ready
//! ([`standby`], [`out_of_memory`]); [`watch`] sees a listener appear, [`http`] and [`browser`] read what is served;
//! [`demo`] and [`bench`] present it; [`guest`] checks a kernel with all of it.
//!
//! Nothing here is global: each scenario has its own lab, so they run in parallel.

pub mod account;
pub mod bench;
pub mod binder;
pub mod browser;
pub mod commands;
pub mod daemon;
pub mod demo;
pub mod forward;
pub mod gateway;
pub mod guard;
pub mod guest;
pub mod hoard;
pub mod http;
pub mod lab;
pub mod lines;
pub mod model;
pub mod moment;
pub mod openclaw;
pub mod openclaw_host;
pub mod openclaw_pair;
pub mod openclaw_unit;
pub mod out_of_memory;
pub mod package_file;
pub mod parker;
pub mod signals;
pub mod standby;
pub mod sync_worker;
pub mod trace;
pub mod wait;
pub mod watch;

use std::{fs::OpenOptions, io};

/// The port of all gateways.
pub const PORT: u16 = 18789;

/// The file in which `cargo xtask test` expects skipped tests.
const SKIPS_VARIABLE: &str = "FAILOVER_SKIPS";

/// Reports that the calling test can't run here, so that it counts as skipped. The test then returns.
///
/// # Panics
/// When that can't be reported: a silent skip would look like a success.
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    eprintln!("skipped: {why}");
    if let Some(file) = std::env::var_os(SKIPS_VARIABLE) {
        let list = OpenOptions::new().append(true).create(true).open(file);
        list.and_then(|list| add_line(list, &format!("{test}: {why}")))
            .expect("adding to the list of skipped tests");
    }
}

/// Appends a line in one write, so that lines of concurrent tests don't mix (write(2),
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
