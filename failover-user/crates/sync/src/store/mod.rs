//! The store: the folder in which an account keeps generations, used by one process at a time.
//!
//! A generation that is complete has its final name, and is never changed again: what is not complete has another
//! name. It knows neither how a generation is copied nor what it is used for.

mod error;
mod lock;
mod placement;
mod staging;
#[cfg(test)]
mod tests;

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Component, Path, PathBuf},
};

use rustix::process::geteuid;

pub use self::{
    error::StoreError,
    placement::{Carried, Direction, Placement, Swap, SwapUnit},
    staging::Staging,
};
use crate::{
    files,
    generation::{Manifest, Number},
};

/// Databases are below it, by their absolute paths.
pub const DATABASES: &str = "databases";
/// All other files are below it, by their absolute paths.
pub const TREE: &str = "tree";
/// What a generation's folder says of itself.
const MANIFEST: &str = "manifest.json";
/// The beginning of a generation's name.
const PREFIX: &str = "generation.";
/// The end of the name of one that isn't complete.
const UNFINISHED: &str = ".new";
/// The end of the name of one that was found to be broken.
const BROKEN: &str = ".broken";
/// Generations that are kept besides the one in place: the newest, and one in case that the newest doesn't fit.
const KEPT: usize = 2;
/// Of a manifest, in bytes: a path and a number for each of a few thousand databases.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// See the module.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    _lock: OwnedFd,
}

/// What a store has.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Complete generations, the oldest first.
    pub generations: Vec<Manifest>,
    /// What has the name of a generation and is none, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

impl Store {
    /// Opens the store, and makes it where it is missing, for this account only.
    ///
    /// # Errors
    /// When another process keeps using it, it is another account's, or it can't be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(path)
            .map_err(StoreError::io("making", path))?;
        // SQLite refuses every path with a link in it, also above the store.
        let path = fs::canonicalize(path).map_err(StoreError::io("opening", path))?;
        let metadata = fs::metadata(&path).map_err(StoreError::io("opening", &path))?;
        if metadata.uid() != geteuid().as_raw() {
            return Err(StoreError::Foreign {
                owner: metadata.uid(),
                path,
            });
        }
        if metadata.mode() & 0o777 != 0o700 {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
                .map_err(StoreError::io("closing to others", &path))?;
        }
        let lock = lock::acquire(&path.join("lock"))?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A complete generation's folder.
    #[must_use]
    pub fn folder(&self, number: Number) -> PathBuf {
        self.path.join(format!("{PREFIX}{number}"))
    }

    /// Complete generations, the oldest first.
    ///
    /// # Errors
    /// When the store can't be listed.
    pub fn generations(&self) -> Result<Vec<Manifest>, StoreError> {
        Ok(self.contents()?.generations)
    }

    /// Complete generations, and what has the name of one and is none.
    ///
    /// # Errors
    /// When the store can't be listed.
    pub fn contents(&self) -> Result<Contents, StoreError> {
        let mut contents = Contents::default();
        for path in self.named_as_generations()? {
            let Some(number) = number(&path) else {
                continue;
            };
            match manifest(&path, number) {
                Ok(manifest) => contents.generations.push(manifest),
                Err(error) => contents.skipped.push((path, error.to_string())),
            }
        }
        contents.generations.sort_by_key(|manifest| manifest.number);
        contents.skipped.sort();
        Ok(contents)
    }

    /// The number of the next generation: higher than any that was ever complete or in place.
    ///
    /// # Errors
    /// When the store can't be listed.
    pub fn next_number(&self) -> Result<Number, StoreError> {
        let folders = self.named_as_generations()?;
        let numbers = folders.iter().filter_map(|path| number(path));
        let placed = self.placement()?.in_place;
        Ok(numbers.chain(placed).max().unwrap_or_default().next())
    }

    /// A folder for a generation to come. What an interrupted round has left is removed.
    ///
    /// # Errors
    /// When a complete one has this number, or the folder can't be made.
    pub fn stage(&self, number: Number) -> Result<Staging<'_>, StoreError> {
        for path in self.named_as_generations()? {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(UNFINISHED) || name.ends_with(BROKEN) {
                files::remove(&path).map_err(StoreError::io("removing", &path))?;
            }
        }
        Staging::make(self, number)
    }

    /// Takes a generation that was found to be broken out of use: the next [`Self::stage`] removes it.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn reject(&self, number: Number) -> Result<(), StoreError> {
        let folder = self.folder(number);
        let broken = self.path.join(format!("{PREFIX}{number}{BROKEN}"));
        files::remove(&broken).map_err(StoreError::io("removing", &broken))?;
        fs::rename(&folder, &broken).map_err(StoreError::io("renaming", &folder))?;
        files::sync_folder(&self.path).map_err(StoreError::io("writing", &self.path))
    }

    /// Removes all complete generations but the newest two, the one in place and this one.
    fn prune(&self, spared: Option<Number>) -> Result<(), StoreError> {
        let stays = [self.placement()?.in_place, spared];
        let generations = self.generations()?;
        let older = generations.iter().rev().skip(KEPT);
        for manifest in older.filter(|manifest| !stays.contains(&Some(manifest.number))) {
            // Not a complete one any more, whenever the removal is interrupted.
            self.reject(manifest.number)?;
            let broken = self
                .path
                .join(format!("{PREFIX}{}{BROKEN}", manifest.number));
            files::remove(&broken).map_err(StoreError::io("removing", &broken))?;
        }
        Ok(())
    }

    fn named_as_generations(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(StoreError::io("listing", &self.path))? {
            let entry = entry.map_err(StoreError::io("listing", &self.path))?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with(PREFIX) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }
}

/// The place of an absolute path below a folder; `None` for one that isn't absolute, or that climbs.
#[must_use]
pub fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut components = path.components();
    if components.next() != Some(Component::RootDir) {
        return None;
    }
    let mut place = folder.to_owned();
    for component in components {
        match component {
            Component::Normal(name) => place.push(name),
            Component::CurDir
            | Component::ParentDir
            | Component::RootDir
            | Component::Prefix(_) => return None,
        }
    }
    Some(place)
}

/// The same, and what is on the way there is a folder, not a link to one: those of a generation are from the other host.
///
/// # Errors
/// When a link is on the way, or it isn't absolute, or climbs.
pub fn really_below(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let place =
        below(folder, path).ok_or_else(|| io::Error::other("it isn't a full path without `..`"))?;
    let mut way = folder.to_owned();
    for component in path.parent().into_iter().flat_map(Path::components).skip(1) {
        way.push(component);
        match fs::symlink_metadata(&way) {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(io::Error::other(format!("{} is a link", way.display())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    Ok(place)
}

/// The number in the name of a complete generation.
fn number(path: &Path) -> Option<Number> {
    let digits = path.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    let number = Number(digits.parse().ok()?);
    (number.to_string() == digits).then_some(number)
}

fn manifest(folder: &Path, number: Number) -> io::Result<Manifest> {
    let text = files::read(&folder.join(MANIFEST), LONGEST_MANIFEST)?;
    let manifest: Manifest = serde_json::from_slice(&text)?;
    match manifest.number == number {
        true => Ok(manifest),
        false => Err(io::Error::other(format!(
            "its manifest is that of generation {}",
            manifest.number
        ))),
    }
}
