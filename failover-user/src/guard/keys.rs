//! The file with a host's keys, in its state directory: nobody but the daemon's account may read or write it.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use failover_guard::keys::{KeyError, KeyPair, KeyRing};
use failover_linux::files;

/// The file's name.
const FILE: &str = "guard-keys.json";
/// Many times what two pairs take.
const LONGEST: u64 = 16 * 1024;

/// What the file has.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Keys {
    /// PC-B as PC-A reaches it, `HOST:PORT`; PC-B answers where it was asked from.
    pub peer: Option<String>,
    /// The newest first.
    pairs: Vec<KeyPair>,
}

/// Why there are no keys.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The file can't be used.
    #[error("{}: {source}; remove it, and pair the hosts again with `failover guard pair`", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it says is nothing.
    #[error("{}: {source}", .path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
}

impl Keys {
    /// Those in a state directory; `None` where the host was never paired.
    ///
    /// # Errors
    /// When others could have read or written them, or they are none.
    pub fn read(state_dir: &Path) -> Result<Option<Self>, KeysError> {
        let path = state_dir.join(FILE);
        let failed = |source| KeysError::File {
            path: path.clone(),
            source,
        };
        let text = match files::read_own(&path, LONGEST) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let keys = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        Ok(Some(keys))
    }

    /// Adds a pair, and keeps the newest of those that there were, so that the other side may still use it.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn add(state_dir: &Path, pair: KeyPair, peer: Option<String>) -> Result<(), KeysError> {
        let path = state_dir.join(FILE);
        // What can't be read is replaced.
        let before = Self::read(state_dir).ok().flatten().unwrap_or_default();
        let keys = Self {
            peer: peer.or(before.peer),
            pairs: std::iter::once(pair)
                .chain(before.pairs.into_iter().take(1))
                .collect(),
        };
        let written = serde_json::to_vec_pretty(&keys).map_err(io::Error::from);
        written
            .and_then(|text| files::replace(&path, &text))
            .map_err(|source| KeysError::File { path, source })
    }

    /// For sending and receiving.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn ring(&self, state_dir: &Path) -> Result<KeyRing, KeysError> {
        KeyRing::new(&self.pairs).map_err(|source| KeysError::Content {
            path: state_dir.join(FILE),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use failover_guard::keys::KeyId;

    use super::*;

    fn pair(id: u32) -> KeyPair {
        KeyPair::new(KeyId(id), &[1; 32], &[2; 32])
    }

    #[test]
    fn the_newest_pair_and_the_one_before_it_are_kept_for_their_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Keys::read(directory.path()).unwrap(), None);
        let peer = Some("pc-b:18790".to_owned());
        Keys::add(directory.path(), pair(1), peer.clone()).unwrap();
        Keys::add(directory.path(), pair(2), None).unwrap();
        Keys::add(directory.path(), pair(3), None).unwrap();
        let keys = Keys::read(directory.path()).unwrap().unwrap();
        assert_eq!(keys.peer, peer);
        let ring = keys.ring(directory.path()).unwrap();
        assert_eq!(ring.send().id(), KeyId(3));
        assert!(ring.receive(KeyId(2)).is_some() && ring.receive(KeyId(1)).is_none());
        let mode = fs::metadata(directory.path().join(FILE)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_others_could_have_written_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        Keys::add(directory.path(), pair(1), None).unwrap();
        let path = directory.path().join(FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let error = Keys::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("failover guard pair"), "{error}");
    }
}
