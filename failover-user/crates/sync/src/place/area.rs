//! Where entries wait before they come into place, and after they went: on the file system of each, because nothing
//! else can be renamed at once.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    copy::make_folder, failure::Failure, files, place::mounts::Mounts, spec::StateSpec,
    store::Store,
};

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
    pub(super) fn of(folder: &Path, root: &Path, mounts: &Mounts, store: &Path) -> Self {
        let mount = mounts.of(folder);
        if mount == mounts.of(store) {
            return Self(store.to_owned());
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
        areas.insert(Area::of(&root, &root, &mounts, store.path()));
        let within = mounts
            .below(&root)
            .map(|mount| Area::of(mount, &root, &mounts, store.path()));
        areas.extend(within);
    }
    Ok(areas.into_iter().collect())
}

/// Places for single files on the file systems of a state, empty at first.
pub(crate) struct Scratch {
    mounts: Mounts,
    store: PathBuf,
}

impl Scratch {
    pub(crate) fn new(state: &StateSpec, store: &Store) -> Result<Self, Failure> {
        clear(state, store)?;
        Ok(Self {
            mounts: Mounts::read()?,
            store: store.path().to_owned(),
        })
    }

    /// A free place from which a file of a root can be renamed to this path; both without links.
    pub(crate) fn place_for(&self, path: &Path, root: &Path) -> Result<PathBuf, Failure> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        // Of a root that is a file: its folder.
        let root = match path == root {
            true => folder,
            false => root,
        };
        let Area(area) = Area::of(folder, root, &self.mounts, &self.store);
        let folder = area.join(STAGING);
        make_folder(&folder).map_err(Failure::file("making", &folder))?;
        let place = folder.join("file");
        files::remove(&place).map_err(Failure::file("removing", &place))?;
        Ok(place)
    }
}

/// Removes new entries that never came into place.
pub(super) fn clear(state: &StateSpec, store: &Store) -> Result<(), Failure> {
    for Area(area) in all(state, store)? {
        let staging = area.join(STAGING);
        files::remove(&staging).map_err(Failure::file("removing", &staging))?;
    }
    Ok(())
}
