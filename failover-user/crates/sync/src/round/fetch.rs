//! Fetches with rsync: what hasn't changed becomes a link to the previous generation, of a database that has
//! changed only the differences are sent.

use std::{fs, os::unix::fs::DirBuilderExt as _, path::Path, process::Command};

use crate::{
    children::{self, Finished, Unfinished},
    failure::Failure,
    outcome::FailedStep,
    round::{measure, previous::Previous},
    source::{SourceState, printable},
    spec::{Spec, StateSpec},
    store::{DATABASES, Staging, TREE},
    transport::{HOST, VERB, Way},
};

/// Below the home there: where the program puts copies of databases.
const COPIES: &str = ".cache/failover/sync/./databases";
/// rsync ends by itself if nothing comes for this time, in seconds. Not always: see the transport.
const SILENCE: &str = "--timeout=10";
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
/// What lies beside a database in use.
const SIDECARS: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Fetches into the staged generation, and returns what came over the wire, in bytes.
pub(super) fn fetch(
    way: &Way,
    spec: &Spec,
    state: &SourceState,
    staging: &Staging<'_>,
    previous: Option<&Previous<'_>>,
) -> Result<u64, Failure> {
    let tree = staging.path().join(TREE);
    let copies = staging.path().join(DATABASES);
    for folder in [&tree, &copies] {
        let mut builder = fs::DirBuilder::new();
        builder
            .mode(0o700)
            .create(folder)
            .map_err(Failure::file("making", folder))?;
    }
    let mut rsync = command(way)?;
    rsync.args(["-rlt", "--perms", "--chmod=Du=rwx,u-s,go="]);
    rsync.args(["--relative", "--no-implied-dirs", "--safe-links"]);
    rsync.args([
        "--no-whole-file",
        "-z",
        SILENCE,
        "--stats",
        "--no-human-readable",
    ]);
    if let Some(Previous { folder, .. }) = previous {
        for folder in [folder.join(TREE), folder.clone()] {
            rsync.arg(with("--link-dest=", &folder));
        }
    }
    rsync.args(filters(&spec.state));
    rsync.arg(with(&format!("{HOST}:"), &state.home.join(COPIES)));
    for path in &spec.state.paths {
        rsync.arg(with(":/.", path));
    }
    rsync.arg(with("", &tree.join("")));
    let bytes = run(&mut rsync, way, spec, staging)?;
    // It comes with the tree, in the same connection.
    let arrived = tree.join(DATABASES);
    match fs::symlink_metadata(&arrived) {
        Ok(metadata) if metadata.is_dir() => {
            fs::rename(&arrived, &copies).map_err(Failure::file("renaming", &arrived))?;
        }
        // There is none where there are no databases.
        Ok(_) | Err(_) => {}
    }
    Ok(bytes)
}

fn command(way: &Way) -> Result<Command, Failure> {
    let executable = way.executable.display().to_string();
    // rsync splits the words itself, and knows quotes.
    if executable.contains(['"', '\'']) {
        return Err(Failure::local(format!("a quote in {executable}")));
    }
    let mut rsync = Command::new("rsync");
    rsync.arg("-e").arg(format!("\"{executable}\" {VERB}"));
    rsync.env("LC_ALL", "C");
    for variable in ["RSYNC_OLD_ARGS", "RSYNC_PROTECT_ARGS", "RSYNC_PARTIAL_DIR"] {
        rsync.env_remove(variable);
    }
    way.equip(&mut rsync)?;
    Ok(rsync)
}

fn run(rsync: &mut Command, way: &Way, spec: &Spec, staging: &Staging<'_>) -> Result<u64, Failure> {
    let mut watch = measure::Watch::new(staging.path(), &spec.limits);
    let mut exceeded = None;
    let look = || {
        exceeded = watch.look().err();
        exceeded.as_ref().map(ToString::to_string)
    };
    let finished = children::run(rsync, Vec::new(), LONGEST_OUTPUT, way.deadline, look);
    if let Some(exceeded) = exceeded {
        return Err(exceeded);
    }
    let destination = &way.source.destination;
    let failed = |step, words: &str| Failure {
        step,
        error: format!("copying from {destination}: {words}"),
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
        Some(0 | VANISHED) => Ok(received(&output)),
        Some(NOT_REACHED) => Err(failed(FailedStep::Reach, &words)),
        Some(NOT_WRITTEN) => Err(failed(
            FailedStep::Limit,
            &format!("{words}; make room, or raise sync-max-file"),
        )),
        Some(_) | None => Err(failed(FailedStep::Transfer, &words)),
    }
}

/// Databases come as copies only. The first rule that matches decides.
fn filters(state: &StateSpec) -> Vec<String> {
    let mut rules = vec![format!("--include=/{DATABASES}/***")];
    let databases = state.databases.iter();
    let databases = databases.flat_map(|one| SIDECARS.map(|end| format!("{one}{end}")));
    for pattern in databases.chain(state.exclude.iter().cloned()) {
        match pattern.strip_prefix('/') {
            // What starts at the path starts at the root for rsync.
            Some(rest) => rules.extend(
                state
                    .paths
                    .iter()
                    .map(|path| format!("--exclude={}/{rest}", path.display())),
            ),
            None => rules.push(format!("--exclude={pattern}")),
        }
    }
    rules
}

fn with(before: &str, path: &Path) -> std::ffi::OsString {
    let mut word = std::ffi::OsString::from(before);
    word.push(path);
    word
}

/// From the statistics; 0 where they can't be read.
fn received(output: &[u8]) -> u64 {
    let output = String::from_utf8_lossy(output);
    ["Total bytes sent: ", "Total bytes received: "]
        .iter()
        .filter_map(|name| output.lines().find_map(|line| line.strip_prefix(name)))
        .filter_map(|number| number.trim().parse::<u64>().ok())
        .fold(0, u64::saturating_add)
}
