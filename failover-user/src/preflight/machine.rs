//! What of this machine's own the daemon needs.

use std::{path::Path, time::Duration};

use rustix::{
    fs::{Access, access},
    process::geteuid,
};
use tokio::time::timeout;

use failover_linux::{
    bpf::load::{KernelEvents, Watch},
    escape, files,
    files::{folder::Folder, ownership::Sticky},
};

use crate::{
    config::{Configuration, ConfigurationError, Fault, KernelEventsMode},
    control,
    control::{AskError, Request},
    preflight::{Finding, Level},
    runtime::background,
    status::Status,
};

/// A disk that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_secs(5);

/// Not everything is shown to everybody.
pub(super) fn rights() -> Finding {
    match geteuid().is_root() {
        true => Finding::ok("rights", "this runs as root, as the daemon does"),
        false => Finding::warning(
            "rights",
            format!(
                "this runs as user {}, who may see less than the daemon does",
                geteuid().as_raw()
            ),
            "if the daemon is to run as root: `sudo failover check`",
        ),
    }
}

/// Is the fault the account's?
pub(super) fn is_of_account(fault: &Fault) -> bool {
    matches!(fault.error, ConfigurationError::User(_))
}

/// The file, and all that is wrong with what it and the flags say.
pub(super) fn configuration(file: Option<&Path>, faults: &[Fault]) -> Vec<Finding> {
    if !faults.is_empty() {
        let finding = |fault: &Fault| {
            let name = match is_of_account(fault) {
                true => "account",
                false => "configuration",
            };
            let (message, remedy) = fault.parts();
            Finding {
                name,
                level: Level::Error,
                message,
                remedy,
            }
        };
        return faults.iter().map(finding).collect();
    }
    let message = match file {
        Some(file) => format!("{} is safe from other users, and can be run", told(file)),
        None => "there is no file; the flags can be run".to_owned(),
    };
    vec![Finding::ok("configuration", message)]
}

/// Loads the kernel program, and drops it.
pub(super) fn kernel_events(configuration: &Configuration) -> Finding {
    const NAME: &str = "kernel-events";
    let level = match configuration.kernel_events {
        KernelEventsMode::Off => return Finding::ok(NAME, "are off, as configured"),
        KernelEventsMode::Auto => Level::Warning,
        KernelEventsMode::Required => Level::Error,
    };
    let loaded = KernelEvents::load(Watch {
        local_port: configuration.port,
        primary_port: configuration.primary.port,
        all_namespaces: false,
        ignored_process: Some(std::process::id()),
        debug: false,
    });
    match loaded {
        Ok(_) => Finding::ok(NAME, "the kernel program can be loaded"),
        Err(error) => {
            let finding = Finding::of_error(NAME, level, &error);
            let effect = match level {
                Level::Error => "the daemon won't start",
                Level::Ok | Level::Warning => "the port is looked at every second instead",
            };
            let message = format!("{}; {effect}", finding.message);
            Finding { message, ..finding }
        }
    }
}

/// More than what is remembered and one incident's history take.
const KEPT: usize = 64 * 1024;

/// Can what must be remembered be written? It is tried, for only the disk knows whether it is full.
pub(super) async fn state_dir(configuration: &Configuration) -> Finding {
    const NAME: &str = "state-dir";
    let directory = configuration.state_dir.clone();
    let writing = background::run("state-dir", move || can_be_written(&directory));
    let written = match timeout(PATIENCE, writing).await {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "{} takes longer than {PATIENCE:?} to write to",
            told(&configuration.state_dir)
        )),
    };
    match written {
        Ok(message) => Finding::ok(NAME, message),
        Err(why) => Finding::error(
            NAME,
            format!(
                "{why}: that the primary was seen healthy is forgotten at each restart, no incident is kept, and a second daemon may not be noticed"
            ),
            "make room there, make it writable for the daemon, or give another --state-dir",
        ),
    }
}

fn can_be_written(directory: &Path) -> Result<String, String> {
    let is_there = place(directory)?;
    let nearest = nearest(directory);
    let sticky = match is_there {
        true => Sticky::IsNotEnough,
        // As /tmp: what is made there is safe.
        false => Sticky::Counts,
    };
    files::try_writing(nearest, KEPT, sticky)
        .map_err(|error| format!("{} can't be written to: {error}", told(nearest)))?;
    Ok(match is_there {
        true => format!("{} can be written to, and has room", told(directory)),
        false => format!("{} can be made, and has room", told(directory)),
    })
}

/// What a daemon that is there already says of itself.
pub(super) fn ask_daemon(configuration: &Configuration) -> Result<Status, AskError> {
    control::ask(&configuration.control, &Request::Status)
}

/// Is a daemon there already, and is it well? If there is none, could one be asked?
pub(super) fn daemon(configuration: &Configuration, asked: Result<Status, AskError>) -> Finding {
    const NAME: &str = "daemon";
    let path = &configuration.control;
    match asked {
        Ok(status) => {
            let runs = format!("process {} runs already: {}", status.pid, status.state);
            match status.problems.split_first() {
                None => Finding::ok(NAME, format!("{runs}, safe")),
                Some((first, others)) => {
                    let others = match others.len() {
                        0 => String::new(),
                        count => format!(" (and {count} more)"),
                    };
                    Finding::warning(
                        NAME,
                        format!("{runs}, NOT SAFE: {first}{others}"),
                        "`failover status` tells all of it",
                    )
                }
            }
        }
        Err(AskError::NotRunning { .. }) => match folder(path).map_or(Ok(true), place) {
            Ok(_) => Finding::ok(NAME, format!("none runs; {} is free", told(path))),
            Err(why) => Finding::warning(
                NAME,
                format!(
                    "{why}: there is no place for the control socket, and no `failover status`"
                ),
                "make it writable for the daemon, or give another --control",
            ),
        },
        Err(error) => Finding::of_error(NAME, Level::Warning, &error),
    }
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// The folder, or as much of the way to it as there is.
fn nearest(folder: &Path) -> &Path {
    let nearest = folder.ancestors().find(|place| place.exists());
    nearest.unwrap_or(Path::new("."))
}

/// Is the folder there, or can it be made? The error says what is in the way.
fn place(folder: &Path) -> Result<bool, String> {
    let nearest = nearest(folder);
    if !nearest.is_dir() {
        return Err(format!("{} is no folder", told(nearest)));
    }
    match access(nearest, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => match Folder::open(nearest, Sticky::Counts) {
            Ok(_) => Ok(nearest == folder),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(format!(
            "{} can't be written to ({})",
            told(nearest),
            failover_linux::errno::describe(error.raw_os_error())
        )),
    }
}

fn told(path: &Path) -> String {
    escape::one_line(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_there_or_can_be_made_or_says_what_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(place(folder.path()), Ok(true));
        assert_eq!(place(&folder.path().join("a/b")), Ok(false));
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let told = place(&file.join("a")).unwrap_err();
        assert!(told.ends_with("file is no folder"), "{told}");
    }
}
