//! The claim on a state directory: two daemons on one would both start the gateway. The lock goes
//! with the process, however it ends; the number in the file only names the holder.
//!
//! Where the directory can't be used at the start, decisions go on without it, and it is claimed as soon
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

/// Why there is no claim.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    /// Another daemon has it.
    #[error(
        "another failover daemon (process {holder}) uses the state directory {directory}; stop it, or give another --state-dir"
    )]
    Claimed { directory: PathBuf, holder: String },
    /// It can't be had now.
    #[error(transparent)]
    Unusable(#[from] io::Error),
}

/// One on a state directory, until it is dropped.
#[derive(Debug)]
pub(crate) enum Claim {
    /// Its lock.
    Held { _lock: File },
    /// What comes of trying again, and who tries.
    Awaited {
        outcome: oneshot::Receiver<Result<File, Refusal>>,
        _trying: Trying,
    },
    /// The attempts have ended, which was logged.
    None,
}

/// Ends with the claim.
#[derive(Debug)]
pub(crate) struct Trying(JoinHandle<()>);

impl Drop for Trying {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Claim {
    /// Claims it now, or once that can be done.
    ///
    /// # Errors
    /// When another daemon has it.
    pub(crate) fn stake(directory: &Path) -> Result<Self, Refusal> {
        match claim(directory) {
            Ok(lock) => Ok(Self::Held { _lock: lock }),
            Err(Refusal::Unusable(error)) => {
                warn!(
                    %error, state_dir = %directory.display(),
                    "the state directory can't be claimed; until it can be, a second daemon isn't noticed, and what is kept there may be lost"
                );
                Ok(await_claim(directory.to_owned()))
            }
            Err(claimed) => Err(claimed),
        }
    }

    /// Waits until one that couldn't be had at the start is had; for ever, if there is nothing to wait
    /// for. Cancel-safe.
    ///
    /// # Errors
    /// When another daemon was quicker.
    pub(crate) async fn had(&mut self) -> Result<(), Refusal> {
        let Self::Awaited { outcome, .. } = self else {
            return future::pending().await;
        };
        let Ok(outcome) = outcome.await else {
            *self = Self::None;
            return future::pending().await;
        };
        *self = Self::Held { _lock: outcome? };
        info!("the state directory is claimed now: a second daemon is refused");
        Ok(())
    }
}

/// Beside the daemon, for the disk may hang; and for as long as it takes, also while there is no thread.
fn await_claim(directory: PathBuf) -> Claim {
    let (sender, outcome) = oneshot::channel();
    let attempts = async move {
        loop {
            sleep(TRY_AGAIN).await;
            let directory = directory.clone();
            match background::run("claim", move || claim(&directory)).await {
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
    Claim::Awaited { outcome, _trying }
}

/// Makes the directory and claims it until the file is closed.
fn claim(directory: &Path) -> Result<File, Refusal> {
    // Whoever can open it can lock it, so nobody else can.
    let folder = Folder::make(directory, Sticky::IsNotEnough)?;
    let mut file = folder.append("daemon.lock", 0o600)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let _ = file.take(LONGEST_NUMBER).read_to_string(&mut holder);
            let digits = holder.chars().filter(char::is_ascii_digit).collect();
            return Err(Refusal::Claimed {
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
    fn a_second_claim_is_refused_and_told_of_the_first_until_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Claim::stake(directory.path()).unwrap();
        let refused = Claim::stake(directory.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {})", std::process::id())),
            "{refused}"
        );
        drop(first);
        let claim = Claim::stake(directory.path()).unwrap();
        assert!(matches!(claim, Claim::Held { .. }));
    }

    #[tokio::test]
    async fn what_cannot_be_claimed_at_the_start_is_claimed_once_it_can_be() {
        let (parent, state, mend) = unusable();
        let mut claim = Claim::stake(&state).unwrap();
        assert!(matches!(claim, Claim::Awaited { .. }));
        let usable = parent.path().join("usable");
        fs::create_dir(&usable).unwrap();
        mend(&usable);
        timeout(LONG, claim.had()).await.unwrap().unwrap();
        assert!(matches!(Claim::stake(&state), Err(Refusal::Claimed { .. })));
        drop(claim);
        Claim::stake(&state).unwrap();
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_who_was_quicker() {
        let (parent, state, mend) = unusable();
        let mut late = Claim::stake(&state).unwrap();
        let usable = parent.path().join("usable");
        let _quick = Claim::stake(&usable).unwrap();
        mend(&usable);
        let refused = timeout(LONG, late.had()).await.unwrap().unwrap_err();
        assert!(matches!(refused, Refusal::Claimed { .. }), "{refused}");
    }
}
