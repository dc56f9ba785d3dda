//! What must be remembered across restarts of the daemon and of the machine, in the state directory: that
//! the primary was seen healthy once, and a pause. Losing it is safe: then nothing is taken over until
//! the primary is seen healthy again.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

/// Many times what it takes.
const LONGEST_FILE: u64 = 64 * 1024;

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
    /// Until when; `None`: until it is resumed.
    pub(super) until: Option<Timestamp>,
    /// Why, as the operator said.
    pub(super) reason: Option<String>,
}

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) struct MemoryFile(PathBuf);

impl MemoryFile {
    pub(super) fn in_directory(state_dir: &Path) -> Self {
        Self(state_dir.join("remembered.json"))
    }

    /// What was remembered; nothing where it can't be read, which is told.
    pub(super) fn load(&self) -> Memory {
        let read = || {
            let mut text = String::new();
            File::open(&self.0)?
                .take(LONGEST_FILE)
                .read_to_string(&mut text)?;
            serde_json::from_str(&text).map_err(io::Error::from)
        };
        match read() {
            Ok(memory) => memory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Memory::default(),
            Err(error) => {
                warn!(%error, file = %self.0.display(), "what was remembered can't be read; it is as if nothing was");
                Memory::default()
            }
        }
    }

    /// Keeps it: all of it or, after a crash, what was kept before.
    ///
    /// # Errors
    /// When the state directory can't be written to.
    pub(super) fn store(&self, memory: &Memory) -> io::Result<()> {
        let new = self.0.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(memory)?)?;
        file.sync_all()?;
        fs::rename(&new, &self.0)?;
        // The name, too (rename(2), fsync(2)).
        let directory = self.0.parent().unwrap_or(Path::new("."));
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_loaded_and_nothing_else_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let file = MemoryFile::in_directory(directory.path());
        assert_eq!(file.load(), Memory::default());
        let memory = Memory {
            armed_for: Some("10.0.0.1:18789".to_owned()),
            pause: Some(Paused {
                since: Timestamp::UNIX_EPOCH,
                until: None,
                reason: Some("moving house".to_owned()),
            }),
        };
        file.store(&memory).unwrap();
        assert_eq!(file.load(), memory);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_memory_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let file = MemoryFile::in_directory(directory.path());
        for nonsense in [&b""[..], b"{", b"[1]", b"\xff\xfe", b"{\"pause\":3}"] {
            fs::write(&file.0, nonsense).unwrap();
            assert_eq!(file.load(), Memory::default());
        }
        // What a newer version adds is no nonsense.
        fs::write(&file.0, "{\"armed_for\":\"a\",\"more\":1}").unwrap();
        assert_eq!(file.load().armed_for.as_deref(), Some("a"));
    }
}
