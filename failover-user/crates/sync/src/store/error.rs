//! Why the store can't be used.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::generation::Number;

/// The store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it.
    #[error(
        "{} was used by another process for all of {} s; try again when that has ended", .path.display(), .waited.as_secs()
    )]
    Busy {
        /// The lock.
        path: PathBuf,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It belongs to another account.
    #[error(
        "{} belongs to user {owner}: generations can only be kept in a folder of the account's own; change its owner or remove it", .path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// There is a complete generation of this number.
    #[error("generation {0} exists, and is never changed; stage the next number")]
    Exists(Number),
    /// A file or folder can't be read, written, or isn't what it should be.
    #[error("{action} {}: {source}", .path.display())]
    Io {
        /// What was done to it.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl StoreError {
    /// For `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
