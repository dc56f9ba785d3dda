//! What must be remembered across restarts of the daemon and of the machine, in the state directory: that
//! the primary was seen healthy once, and a pause. Losing it is safe: then nothing is taken over until
//! the primary is seen healthy again.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::files;

/// Many times what it takes.
const LONGEST_FILE: u64 = 64 * 1024;
/// A reason is a sentence.
const LONGEST_REASON: usize = 200;

/// What is remembered.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(super) struct Memory {
    /// The primary that was seen healthy, as it is configured.
    pub(super) armed_for: Option<String>,
    /// The pause in force.
    pub(super) pause: Option<Paused>,
}

/// A pause, in the wall clock's time, which is all that survives a restart of the machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Paused {
    /// When it was ordered.
    pub(super) since: Timestamp,
    /// By whom: as [`operator`] tells it.
    #[serde(default)]
    pub(super) by: String,
    /// Until when; `None`: until it is resumed.
    pub(super) until: Option<Timestamp>,
    /// Why, as the operator said.
    pub(super) reason: Option<String>,
}

impl Paused {
    /// Ordered now, by this account's process.
    pub(super) fn now(seconds: Option<u64>, by: u32, reason: Option<&str>) -> Self {
        let since = Timestamp::now();
        let span = seconds.and_then(|seconds| i64::try_from(seconds).ok());
        Self {
            since,
            by: operator(by),
            until: span
                .and_then(|seconds| since.checked_add(SignedDuration::from_secs(seconds)).ok()),
            reason: reason.map(|reason| reason.chars().take(LONGEST_REASON).collect()),
        }
    }

    /// So long it still lasts; `None`: until it is resumed. A clock that was set meanwhile makes it
    /// shorter or longer, but never longer than it was ordered for.
    pub(super) fn left(&self, now: Timestamp) -> Option<Duration> {
        let until = self.until?;
        let after = |time| Duration::try_from(until.duration_since(time)).unwrap_or_default();
        Some(after(now).min(after(self.since)))
    }
}

/// For people. A name would have to be asked for, and who is asked may be slow.
pub(super) fn operator(user: u32) -> String {
    match user {
        0 => "root".to_owned(),
        user => format!("user {user}"),
    }
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("remembered.json")
}

impl Memory {
    /// What was remembered; nothing where it can't be read, which is told.
    pub(super) fn load(state_dir: &Path) -> Self {
        let file = file(state_dir);
        let read = files::read(&file, LONGEST_FILE);
        match read.and_then(|text| serde_json::from_str(&text).map_err(io::Error::from)) {
            Ok(memory) => memory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => {
                warn!(%error, file = %file.display(), "what was remembered can't be read; it is as if nothing was");
                Self::default()
            }
        }
    }

    /// As it is kept.
    pub(super) fn document(&self) -> Vec<u8> {
        // Texts, times and nothing else: there is nothing in it that JSON can't tell.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Keeps all of a document or, after a crash, what was kept before.
///
/// # Errors
/// When the state directory can't be written to.
pub(super) fn store(state_dir: &Path, document: &[u8]) -> io::Result<()> {
    files::replace(&file(state_dir), document)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_stored_is_loaded_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Memory::load(directory.path()), Memory::default());
        let memory = Memory {
            armed_for: Some("10.0.0.1:18789".to_owned()),
            pause: Some(Paused {
                since: Timestamp::UNIX_EPOCH,
                by: "root".to_owned(),
                until: None,
                reason: Some("moving house".to_owned()),
            }),
        };
        store(directory.path(), &memory.document()).unwrap();
        assert_eq!(Memory::load(directory.path()), memory);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_memory_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let file = file(directory.path());
        for nonsense in [&b""[..], b"{", b"[1]", b"\xff\xfe", b"{\"pause\":3}"] {
            fs::write(&file, nonsense).unwrap();
            assert_eq!(Memory::load(directory.path()), Memory::default());
        }
        // What a newer version adds is no nonsense.
        fs::write(&file, "{\"armed_for\":\"a\",\"more\":1}").unwrap();
        assert_eq!(
            Memory::load(directory.path()).armed_for.as_deref(),
            Some("a")
        );
    }

    #[test]
    fn a_pause_ends_when_it_was_to_and_never_lasts_longer_than_it_was_ordered_for() {
        let hours = SignedDuration::from_hours;
        let pause = Paused::now(Some(7200), 1000, Some("moving"));
        assert_eq!(pause.by, "user 1000");
        let left = |by: SignedDuration| pause.left(pause.since + by);
        assert_eq!(left(hours(1)), Some(Duration::from_secs(3600)));
        assert_eq!(left(hours(3)), Some(Duration::ZERO));
        // The clock was set back by a year.
        assert_eq!(left(hours(-365 * 24)), Some(Duration::from_secs(7200)));
        assert_eq!(Paused::now(None, 0, None).left(Timestamp::now()), None);
    }
}
