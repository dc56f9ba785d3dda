//! What of the store is in place of the local tree, and what an interrupted placement has still to do.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    files,
    generation::Number,
    store::{Store, StoreError},
};

const NAME: &str = "place.json";
/// In bytes: two paths for each entry that is replaced.
const LONGEST: u64 = 16 << 20;

/// See the module.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Placement {
    /// The generation that the local tree began as.
    pub in_place: Option<Number>,
    /// A generation that is being put into the databases of a parked gateway, or was when that was interrupted.
    pub feeding: Option<Number>,
    /// Entries that are being exchanged, or were when that was interrupted.
    pub swap: Option<Swap>,
}

/// The exchange of entries of the local tree, which is finished or taken back as a whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Swap {
    /// What will be in place.
    pub number: Number,
    /// Where the new entries wait, a folder for each file system; removed at the end.
    pub staging: Vec<PathBuf>,
    /// Where the old entries go, a folder for each file system.
    pub aside: Vec<PathBuf>,
    /// Whether the old entries are removed at the end.
    pub discard: bool,
    /// Where it goes.
    pub direction: Direction,
    /// Every entry.
    pub units: Vec<SwapUnit>,
    /// What belongs to this machine, and moves from the old entries into the new ones.
    pub carried: Vec<Carried>,
}

/// Where an exchange goes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The new entries come into place.
    Forward,
    /// One could not be renamed: the old ones come back.
    Back,
}

/// An entry that is exchanged. How far its exchange is can be seen by which of the paths exist.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SwapUnit {
    /// Its place.
    pub target: PathBuf,
    /// Where the new one waits; `None`: there is no new one.
    pub staged: Option<PathBuf>,
    /// Where the old one goes; `None`: there is no old one.
    pub old: Option<PathBuf>,
}

/// A file or folder that moves from an old entry into a new one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Carried {
    /// Where it is within the old entry.
    pub from: PathBuf,
    /// Where it belongs.
    pub to: PathBuf,
}

impl Store {
    /// What is in place.
    ///
    /// # Errors
    /// When it can't be read: nothing may be exchanged then, because an exchange may be unfinished.
    pub fn placement(&self) -> Result<Placement, StoreError> {
        let path = self.placement_path();
        match files::read(&path, LONGEST) {
            Ok(text) => serde_json::from_slice(&text)
                .map_err(|error| StoreError::io("reading", &path)(error.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Placement::default()),
            Err(error) => Err(StoreError::io("reading", &path)(error)),
        }
    }

    /// Notes what is in place, on the disk.
    ///
    /// # Errors
    /// When it can't be written: then the former note is there.
    pub fn set_placement(&self, placement: &Placement) -> Result<(), StoreError> {
        let path = self.placement_path();
        let text = serde_json::to_vec(placement)
            .map_err(|error| StoreError::io("writing", &path)(error.into()))?;
        files::replace(&path, &text).map_err(StoreError::io("writing", &path))
    }

    fn placement_path(&self) -> PathBuf {
        self.path().join(Path::new(NAME))
    }
}
