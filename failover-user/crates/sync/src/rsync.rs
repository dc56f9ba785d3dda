//! Runs rsync over the way to the other host, and says what came of it.

use std::process::Command;

use crate::{
    children::{self, Finished, Unfinished},
    failure::Failure,
    outcome::FailedStep,
    source::printable,
    transport::{VERB, Way},
};

/// For all: what has changed of a file is sent, compressed. rsync ends by itself if nothing comes for ten seconds, but
/// not always: see the transport.
const OPTIONS: [&str; 7] = [
    "-rlt",
    "--perms",
    "--no-whole-file",
    "-z",
    "--timeout=10",
    "--stats",
    "--no-human-readable",
];
/// The limit of what rsync prints, in bytes: its statistics.
const LONGEST_OUTPUT: usize = 64 << 10;
/// The limit of what is shown of its errors, in characters.
const LONGEST_COMPLAINT: usize = 500;
/// rsync(1), "EXIT VALUES": files vanished while they were copied, as temporary ones do.
const VANISHED: i32 = 24;
/// rsync(1): a file can't be written, as where it is larger than the kernel permits (EFBIG) or the disk is full.
const NOT_WRITTEN: i32 = 11;
/// The transport's, which is ssh's: ssh(1).
const NOT_REACHED: i32 = 255;

/// rsync, with the transport as its remote shell: the caller gives it what that needs.
pub(crate) fn command(way: &Way) -> Result<Command, Failure> {
    let executable = way.executable.display().to_string();
    // rsync splits the words itself, and knows quotes.
    if executable.contains(['"', '\'']) {
        return Err(Failure::local(format!("a quote in {executable}")));
    }
    let mut rsync = Command::new("rsync");
    rsync.arg("-e").arg(format!("\"{executable}\" {VERB}"));
    rsync.args(OPTIONS).env("LC_ALL", "C");
    for variable in ["RSYNC_OLD_ARGS", "RSYNC_PROTECT_ARGS", "RSYNC_PARTIAL_DIR"] {
        rsync.env_remove(variable);
    }
    Ok(rsync)
}

/// Runs it to its end, or until `look` fails. Returns what it has sent and received, in bytes.
pub(crate) fn run(
    rsync: &mut Command,
    way: &Way,
    mut look: impl FnMut() -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut exceeded = None;
    let look = || {
        exceeded = look().err();
        exceeded.as_ref().map(ToString::to_string)
    };
    let finished = children::run(rsync, Vec::new(), LONGEST_OUTPUT, way.deadline, look);
    if let Some(exceeded) = exceeded {
        return Err(exceeded);
    }
    let failed = |step, words: &str| Failure {
        step,
        error: format!("copying, with {}: {words}", way.source.destination),
    };
    let Finished {
        status,
        output,
        complaint,
    } = match finished {
        Ok(finished) => finished,
        Err(error @ Unfinished::NotRun { .. }) => {
            return Err(Failure::local(format!(
                "{error}; rsync has to be installed"
            )));
        }
        Err(error @ (Unfinished::TooLong | Unfinished::Stopped(_))) => {
            return Err(failed(FailedStep::Transfer, &error.to_string()));
        }
    };
    let words = printable(&complaint, LONGEST_COMPLAINT);
    match status.code() {
        Some(0 | VANISHED) => Ok(transferred(&output)),
        Some(NOT_REACHED) => Err(failed(FailedStep::Reach, &words)),
        Some(NOT_WRITTEN) => Err(failed(
            FailedStep::Limit,
            &format!("{words}; make room, or raise sync-max-file"),
        )),
        Some(_) | None => Err(failed(FailedStep::Transfer, &words)),
    }
}

/// From the statistics; 0 where they can't be read.
fn transferred(output: &[u8]) -> u64 {
    let output = String::from_utf8_lossy(output);
    ["Total bytes sent: ", "Total bytes received: "]
        .iter()
        .filter_map(|name| output.lines().find_map(|line| line.strip_prefix(name)))
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}
