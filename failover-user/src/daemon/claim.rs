//! The claim on a state directory: two daemons on one would both start the gateway. The lock goes
//! with the process, however it ends; the number in the file only names the holder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use thiserror::Error;
use tracing::warn;

/// More digits than a process number has.
const LONGEST_NUMBER: u64 = 20;

/// Another daemon has it.
#[derive(Debug, Error)]
#[error(
    "another failover daemon (process {holder}) uses the state directory {directory}; stop it, or give another --state-dir"
)]
pub(super) struct Claimed {
    directory: PathBuf,
    holder: String,
}

/// Makes the directory and claims it until the file is closed. `None` where that can't be done: then
/// decisions go on without it.
pub(super) fn claim(directory: &Path) -> Result<Option<File>, Claimed> {
    let opened = fs::create_dir_all(directory).and_then(|()| open(directory));
    let mut file = match opened {
        Ok(file) => file,
        Err(error) => {
            warn!(
                %error, state_dir = %directory.display(),
                "the state directory can't be used; the commands' output is lost, and a second daemon wouldn't be noticed"
            );
            return Ok(None);
        }
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            let _ = file.take(LONGEST_NUMBER).read_to_string(&mut holder);
            let digits = holder.chars().filter(char::is_ascii_digit).collect();
            return Err(Claimed {
                directory: directory.to_owned(),
                holder: digits,
            });
        }
        Err(error) => warn!(%error, "the state directory can't be locked"),
    }
    let written = file
        .set_len(0)
        .and_then(|()| write!(file, "{}", std::process::id()));
    if let Err(error) = written {
        warn!(%error, "the lock can't be written");
    }
    Ok(Some(file))
}

fn open(directory: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(directory.join("daemon.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_claim_is_refused_and_told_of_the_first_until_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = claim(directory.path()).unwrap();
        let refused = claim(directory.path()).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {})", std::process::id())),
            "{refused}"
        );
        drop(first);
        assert!(claim(directory.path()).unwrap().is_some());
    }

    #[test]
    fn where_nothing_can_be_written_decisions_go_on() {
        assert!(claim(Path::new("/proc/nowhere")).unwrap().is_none());
    }
}
