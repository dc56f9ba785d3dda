//! The command lines that the daemon runs, in place of a step's own or for a step. It must not know when.

use std::time::Duration;

use crate::gateway::{
    command::command_line::{CommandLine, THIS_PROGRAM},
    parking::{place::Place, unit::ParkedUnit},
};

/// The hidden subcommand.
const SUBCOMMAND: &str = "parking";

/// Parks a unit, within this time. Run as root, whatever the unit's account.
#[must_use]
pub fn park(place: &Place, unit: &ParkedUnit, within: Duration) -> CommandLine {
    let within = format!("{}ms", within.as_millis());
    let mut more = vec!["--unit", &unit.name, "--within", &within];
    if let Some(account) = &unit.account {
        more.extend(["--account", account]);
    }
    line("park", place, &more)
}

/// Continues it, so that it serves. Run as root.
#[must_use]
pub fn proceed(place: &Place) -> CommandLine {
    line("continue", place, &[])
}

/// Ends it without it having served. Run as root.
#[must_use]
pub fn discard(place: &Place) -> CommandLine {
    line("discard", place, &[])
}

fn line(verb: &str, place: &Place, more: &[&str]) -> CommandLine {
    let directory = place.directory().to_string_lossy().into_owned();
    let port = place.port().to_string();
    let arguments = [SUBCOMMAND, verb, "--directory", &directory, "--port", &port];
    CommandLine {
        program: THIS_PROGRAM.into(),
        arguments: arguments
            .iter()
            .chain(more)
            .map(|word| (*word).to_owned())
            .collect(),
    }
}
