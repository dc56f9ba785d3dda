//! The lock on a state directory: two daemons on one would both start the gateway. It goes with the process,
//! however that ends; the number in the file only names the holder. It must not know what is kept beside it.
//!
//! Where the directory can't be used at the start, decisions go on without it, and it is locked as soon
//! as it can be. If another daemon was quicker, this one is the second: it is refused as it would have
//! been at its start.

use std::{
    fs::File,
    future,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use thiserror::Error;
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};
use tracing::{info, warn};

use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::runtime::background;

/// More digits than a process number has.
const LONGEST_NUMBER: u64 = 20;
/// After so long it is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// Why there is no lock.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// Another daemon has it.
    #[error(
        "another failover daemon (process {holder}) uses the state directory {directory}; stop it, or give another --state-dir"
    )]
    Taken { directory: PathBuf, holder: String },
    /// It can't be had now.
    #[error(transparent)]
    Unusable(#[from] io::Error),
}

/// The lock on a state directory, until it is dropped.
#[derive(Debug)]
pub(crate) enum Lock {
    /// It is held by this file.
    Held { _file: File },
    /// What comes of trying again, and who tries.
    Awaited {
        outcome: oneshot::Receiver<Result<File, Refusal>>,
        _trying: Trying,
    },
    /// The attempts have ended, which was logged.
    None,
}

/// Ends with the lock.
#[derive(Debug)]
pub(crate) struct Trying(JoinHandle<()>);

impl Drop for Trying {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lock {
    /// Acquires it now, or once that can be done.
    ///
    /// # Errors
    /// When another daemon has it.
    pub(crate) fn acquire(directory: &Path) -> Result<Self, Refusal> {
        match lock(directory) {
            Ok(file) => Ok(Self::Held { _file: file }),
            Err(Refusal::Unusable(error)) => {
                warn!(
                    %error, state_dir = %directory.display(),
                    "the state directory can't be claimed; until it can be, a second daemon isn't noticed, and what is kept there may be lost"
                );
                Ok(await_lock(directory.to_owned()))
            }
            Err(taken) => Err(taken),
        }
    }

    /// Waits until one that couldn't be had at the start is had; for ever, if there is nothing to wait
    /// for. Cancel-safe.
    ///
    /// # Errors
    /// When another daemon was quicker.
    pub(crate) async fn acquired(&mut self) -> Result<(), Refusal> {
        let Self::Awaited { outcome, .. } = self else {
            return future::pending().await;
        };
        let Ok(outcome) = outcome.await else {
            *self = Self::None;
            return future::pending().await;
        };
        *self = Self::Held { _file: outcome? };
        info!("the state directory is claimed now: a second daemon is refused");
        Ok(())
    }
}

/// Beside the daemon, for the disk may hang; and for as long as it takes, also while there is no thread.
fn await_lock(directory: PathBuf) -> Lock {
    let (sender, outcome) = oneshot::channel();
    let attempts = async move {
        loop {
            sleep(TRY_AGAIN).await;
            let directory = directory.clone();
            match background::run("lock", move || lock(&directory)).await {
                Ok(Err(Refusal::Unusable(_))) | Err(_) => {}
                Ok(outcome) => {
                    // Who has left has no use for it, and it ends here.
                    let _ = sender.send(outcome);
                    return;
                }
            }
        }
    };
    let _trying = Trying(tokio::spawn(attempts));
    Lock::Awaited { outcome, _trying }
}

/// Makes the directory and locks it until the file is closed.
fn lock(directory: &Path) -> Result<File, Refusal> {
    // An account that can open it can lock it, so no other account can.
    let folder = Folder::make(directory, Sticky::IsNotEnough)?;
    let mut file = folder.append("daemon.lock", 0o600)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let _ = file.take(LONGEST_NUMBER).read_to_string(&mut holder);
            let digits = holder.chars().filter(char::is_ascii_digit).collect();
            return Err(Refusal::Taken {
                directory: directory.to_owned(),
                holder: digits,
            });
        }
        Err(error) => return Err(io::Error::from(error).into()),
    }
    let written = file
        .set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()));
    if let Err(error) = written {
        warn!(%error, "the lock can't be written");
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    /// A directory that can't be used yet, and what makes it usable.
    fn unusable() -> (tempfile::TempDir, PathBuf, impl FnOnce(&Path)) {
        let parent = tempfile::tempdir().unwrap();
        let state = parent.path().join("state");
        let target = parent.path().join("target");
        std::os::unix::fs::symlink(&target, &state).unwrap();
        (parent, state, move |from: &Path| {
            fs::rename(from, target).unwrap();
        })
    }

    #[test]
    fn a_second_lock_is_refused_and_names_the_first_until_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::acquire(directory.path()).unwrap();
        let refused = Lock::acquire(directory.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {})", std::process::id())),
            "{refused}"
        );
        drop(first);
        let lock = Lock::acquire(directory.path()).unwrap();
        assert!(matches!(lock, Lock::Held { .. }));
    }

    #[tokio::test]
    async fn what_cannot_be_locked_at_the_start_is_locked_once_it_can_be() {
        let (parent, state, repair) = unusable();
        let mut lock = Lock::acquire(&state).unwrap();
        assert!(matches!(lock, Lock::Awaited { .. }));
        let usable = parent.path().join("usable");
        fs::create_dir(&usable).unwrap();
        repair(&usable);
        timeout(LONG, lock.acquired()).await.unwrap().unwrap();
        assert!(matches!(Lock::acquire(&state), Err(Refusal::Taken { .. })));
        drop(lock);
        Lock::acquire(&state).unwrap();
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_who_was_quicker() {
        let (parent, state, repair) = unusable();
        let mut late = Lock::acquire(&state).unwrap();
        let usable = parent.path().join("usable");
        let _quick = Lock::acquire(&usable).unwrap();
        repair(&usable);
        let refused = timeout(LONG, late.acquired()).await.unwrap().unwrap_err();
        assert!(matches!(refused, Refusal::Taken { .. }), "{refused}");
    }
}
