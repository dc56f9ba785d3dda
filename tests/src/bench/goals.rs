//! What the benchmarks of one capability have in common: the machine's line above the table, the goals below it, the
//! JSON, and the exit code.

use std::{
    fmt::Write as _, fs, io::Write as _, num::NonZeroUsize, path::Path, process::ExitCode, thread,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// A goal in words, and whether it is met.
pub(super) type Goal = (String, bool);

/// The processors and the load, before what the columns have.
pub(super) fn machine(columns: &str) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    format!(
        "{processors} processors, load average {}. {columns}\n",
        load.split(' ').next().unwrap_or_default()
    )
}

/// Adds these goals to the table. Are all met?
pub(super) fn judge(table: &mut String, goals: impl IntoIterator<Item = Goal>) -> bool {
    let mut are_met = true;
    for (goal, is_met) in goals {
        are_met &= is_met;
        let verdict = if is_met { "met" } else { "MISSED" };
        let _ = writeln!(table, "  {goal}: {verdict}");
    }
    are_met
}

/// Prints the table, and writes the JSON where it is wanted. The exit code says whether every goal is met.
pub(super) fn publish(
    (table, are_met): (String, bool),
    outcomes: &impl Serialize,
    json: Option<&Path>,
) -> Result<ExitCode> {
    write!(std::io::stdout(), "\n{table}").context("printing the table")?;
    if let Some(file) = json {
        let json = serde_json::to_string_pretty(outcomes).context("making JSON")?;
        fs::write(file, json).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(match are_met {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goal_that_is_missed_is_enough_and_is_shown() {
        let mut table = String::new();
        let goals = [("quick".to_owned(), true), ("lean".to_owned(), false)];
        assert!(!judge(&mut table, goals));
        assert_eq!(table, "  quick: met\n  lean: MISSED\n");
        assert!(judge(&mut table, [("quick".to_owned(), true)]));
    }
}
