//! Where entries wait before they come into place, and after they went: on the file system of each, because nothing
//! else can be renamed at once.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{failure::Failure, place::mounts::Mounts, spec::StateSpec, store::Store};

/// The folder of an area where it isn't the store, within the tree that is on the other file system. It is never
/// copied to another host.
pub const AREA: &str = ".failover-sync";
/// New entries, in an area.
pub(super) const STAGING: &str = "placing";
/// Old entries, in an area: a folder for each time.
pub(super) const KEPT: &str = "kept";

/// A folder on the file system of some entries.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Area(pub(super) PathBuf);

impl Area {
    /// For the entries of a folder, which is in the tree of a root; both without links.
    pub(super) fn of(folder: &Path, root: &Path, mounts: &Mounts, store: &Store) -> Self {
        let mount = mounts.of(folder);
        if mount == mounts.of(store.path()) {
            return Self(store.path().to_owned());
        }
        // The account may not write to a mount point above its tree.
        Self(match mount.starts_with(root) {
            true => mount.join(AREA),
            false => root.join(AREA),
        })
    }
}

/// The areas that may have something: of each root, and of the mount points in it.
pub(super) fn all(state: &StateSpec, store: &Store) -> Result<Vec<Area>, Failure> {
    let mounts = Mounts::read()?;
    let mut areas = BTreeSet::from([Area(store.path().to_owned())]);
    for path in &state.paths {
        let root = match fs::canonicalize(path) {
            Ok(root) if root.is_dir() => root,
            Ok(root) => root.parent().unwrap_or(Path::new("/")).to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Failure::file("opening", path)(error)),
        };
        areas.insert(Area::of(&root, &root, &mounts, store));
        let within = mounts
            .below(&root)
            .map(|mount| Area::of(mount, &root, &mounts, store));
        areas.extend(within);
    }
    Ok(areas.into_iter().collect())
}
