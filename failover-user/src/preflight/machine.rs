//! Checks of this machine: privileges, configuration, eBPF program, state directory, control socket.

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
    config::{Configuration, ConfigurationError, Fault, GatewayError, KernelEventsMode},
    control,
    control::{AskError, Request},
    preflight::{Finding, Level},
    runtime::background,
    status::Document,
};

/// A slower disk counts as unusable.
const PATIENCE: Duration = Duration::from_secs(5);

/// An unprivileged account sees less than the daemon.
pub(super) fn rights() -> Finding {
    match geteuid().is_root() {
        true => Finding::ok("rights", "running as root, like the daemon"),
        false => Finding::warning(
            "rights",
            format!(
                "running as user {}, which sees less than the daemon",
                geteuid().as_raw()
            ),
            "if the daemon runs as root: `sudo failover check`",
        ),
    }
}

/// Is the fault about the account?
pub(super) fn is_of_account(fault: &Fault) -> bool {
    matches!(
        fault.error,
        ConfigurationError::Gateway(GatewayError::User(_))
    )
}

/// The configuration file, and all errors in it and in the flags.
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
        Some(file) => format!("{} is valid, and not writable by others", printable(file)),
        None => "there is no file; the flags are valid".to_owned(),
    };
    vec![Finding::ok("configuration", message)]
}

/// Loads the eBPF program, and unloads it again.
pub(super) fn kernel_events(configuration: &Configuration) -> Finding {
    const NAME: &str = "kernel-events";
    let level = match configuration.kernel_events {
        KernelEventsMode::Off => return Finding::ok(NAME, "off, as configured"),
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
        Ok(_) => Finding::ok(NAME, "the eBPF program loads"),
        Err(error) => {
            let finding = Finding::of_error(NAME, level, &error);
            let effect = match level {
                Level::Error => "the daemon does not start",
                Level::Ok | Level::Warning => "the daemon polls the port every second instead",
            };
            let message = format!("{}; {effect}", finding.message);
            Finding { message, ..finding }
        }
    }
}

/// More than the persisted state and one incident need.
const KEPT: usize = 64 * 1024;

/// Can the daemon write its state? Tried with a real write, because only that detects a full disk.
pub(super) async fn state_dir(configuration: &Configuration) -> Finding {
    const NAME: &str = "state-dir";
    let directory = configuration.state_dir.clone();
    let writing = background::run("state-dir", move || can_be_written(&directory));
    let written = match timeout(PATIENCE, writing).await {
        Ok(Ok(written)) => written,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "writing to {} takes longer than {PATIENCE:?}",
            printable(&configuration.state_dir)
        )),
    };
    match written {
        Ok(message) => Finding::ok(NAME, message),
        Err(why) => Finding::error(
            NAME,
            format!(
                "{why}: each restart forgets that the primary was seen healthy, no incident is recorded, and a second daemon may not be detected"
            ),
            "free some space, make it writable for the daemon, or set another --state-dir",
        ),
    }
}

fn can_be_written(directory: &Path) -> Result<String, String> {
    let is_there = place(directory)?;
    let nearest = nearest(directory);
    let sticky = match is_there {
        true => Sticky::IsNotEnough,
        // Like /tmp: a file created there is safe.
        false => Sticky::Counts,
    };
    files::try_writing(nearest, KEPT, sticky)
        .map_err(|error| format!("cannot write to {}: {error}", printable(nearest)))?;
    Ok(match is_there {
        true => format!("{} is writable, and has space", printable(directory)),
        false => format!("{} can be created, and has space", printable(directory)),
    })
}

/// The status of a running daemon.
pub(super) fn ask_daemon(configuration: &Configuration) -> Result<Document, AskError> {
    control::ask(&configuration.control, &Request::Status)
}

/// Is a daemon running, and is PC-A protected? If none runs, can its control socket be created?
pub(super) fn daemon(configuration: &Configuration, asked: Result<Document, AskError>) -> Finding {
    const NAME: &str = "daemon";
    let path = &configuration.control;
    match asked {
        Ok(status) => {
            let runs = format!("process {} is running: {}", status.pid, status.state);
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
                        "see `failover status`",
                    )
                }
            }
        }
        Err(AskError::NotRunning { .. }) => match folder(path).map_or(Ok(true), place) {
            Ok(_) => Finding::ok(NAME, format!("not running; {} is free", printable(path))),
            Err(why) => Finding::warning(
                NAME,
                format!(
                    "{why}: the control socket cannot be created, so `failover status` would not work"
                ),
                "make it writable for the daemon, or set another --control",
            ),
        },
        Err(error) => Finding::of_error(NAME, Level::Warning, &error),
    }
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}

/// The folder, or its nearest existing parent.
fn nearest(folder: &Path) -> &Path {
    let nearest = folder.ancestors().find(|place| place.exists());
    nearest.unwrap_or(Path::new("."))
}

/// Does the folder exist, or can it be created? The error names the obstacle.
fn place(folder: &Path) -> Result<bool, String> {
    let nearest = nearest(folder);
    if !nearest.is_dir() {
        return Err(format!("{} is no folder", printable(nearest)));
    }
    match access(nearest, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => match Folder::open(nearest, Sticky::Counts) {
            Ok(_) => Ok(nearest == folder),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(format!(
            "{} can't be written to ({})",
            printable(nearest),
            failover_linux::errno::describe(error.raw_os_error())
        )),
    }
}

fn printable(path: &Path) -> String {
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
        let error = place(&file.join("a")).unwrap_err();
        assert!(error.ends_with("file is no folder"), "{error}");
    }
}
