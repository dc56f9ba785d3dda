//! May `failover run` begin as this account? A daemon without root sees no sockets of other accounts, can't
//! become the gateway's account and loads no kernel program. So it would take over at the wrong moment, or not at
//! all, perhaps beside the daemon that root runs.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
    process::geteuid,
};
use thiserror::Error;

use failover_linux::escape;

use crate::config::{Configuration, DEFAULT_CONTROL, DEFAULT_STATE_DIR, KernelEventsMode};

/// Why it may not.
#[derive(Debug, Error)]
pub enum RightsError {
    /// A daemon is there, which another account runs.
    #[error(
        "a failover daemon is running already ({} is in use), and this account can't see what it does; ask it \
         with: sudo failover status",
        .0.display()
    )]
    Running(PathBuf),
    /// Nothing that it decided could be relied on.
    #[error(
        "failover run needs root: to see whose sockets have the port, to run commands as the gateway's account, \
         and for kernel events; type: {sudo}\n\
         to try it as this account, without a start or stop of anything, add --dry-run --kernel-events off"
    )]
    NotRoot {
        /// What was typed, with sudo before it.
        sudo: String,
    },
}

/// Checks the rights of this process for this configuration. `typed`: its own command line.
///
/// # Errors
/// When it isn't root, unless this is a dry run without kernel events and beside no other daemon.
pub fn check(
    configuration: &Configuration,
    typed: impl Iterator<Item = OsString>,
) -> Result<(), RightsError> {
    if geteuid().is_root() {
        return Ok(());
    }
    let Configuration {
        control, state_dir, ..
    } = configuration;
    for socket in [Path::new(DEFAULT_CONTROL), control] {
        if is_listening(socket) {
            return Err(RightsError::Running(socket.to_owned()));
        }
    }
    for directory in [Path::new(DEFAULT_STATE_DIR), state_dir] {
        let lock = directory.join("daemon.lock");
        if is_locked(&lock) {
            return Err(RightsError::Running(lock));
        }
    }
    match configuration.dry_run && configuration.kernel_events == KernelEventsMode::Off {
        true => Ok(()),
        false => Err(RightsError::NotRoot { sudo: sudo(typed) }),
    }
}

/// The same line as root.
fn sudo(typed: impl Iterator<Item = OsString>) -> String {
    let words = typed.map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = std::iter::once("sudo".to_owned()).chain(words).collect();
    escape::one_line(&shell_words::join(words))
}

/// Does a daemon listen there? A socket that this account may not connect to is another account's.
fn is_listening(socket: &Path) -> bool {
    match UnixStream::connect(socket) {
        Ok(_) => true,
        // The socket's own mode, or a folder that is closed: only the first says that there is one.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => socket.exists(),
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}

/// Does a daemon hold this lock? Not known of one that this account can't open.
fn is_locked(lock: &Path) -> bool {
    let Ok(file) = File::open(lock) else {
        return false;
    };
    flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn the_line_to_type_is_the_one_that_was_typed() {
        let typed = ["./failover", "run", "--stop", "sh -c 'a b'"];
        let line = sudo(typed.into_iter().map(OsString::from));
        assert_eq!(line, r#"sudo ./failover run --stop 'sh -c '\''a b'\'''"#);
    }

    #[test]
    fn a_daemon_is_known_by_its_socket_and_by_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, lock] = ["control.sock", "daemon.lock"].map(|name| folder.path().join(name));
        assert!(!is_listening(&socket) && !is_locked(&lock));
        let listener = UnixListener::bind(&socket).unwrap();
        assert!(is_listening(&socket));
        drop(listener);
        // Left behind by a daemon that was killed.
        assert!(socket.exists() && !is_listening(&socket));
        let held = File::create(&lock).unwrap();
        assert!(!is_locked(&lock));
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert!(is_locked(&lock));
    }
}
