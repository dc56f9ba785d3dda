//! The files of a generation, put in place of those of a parked gateway one by one: each is the old one or the new one.
//! A file that only this host has stays, unless the former generation had it and it is as it was.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
    time::Instant,
};

use crate::{
    copy::{self, Copy, make_folder},
    failure::Failure,
    feed::end::End,
    files,
    generation::{Manifest, Number},
    pattern::Patterns,
    place::Scratch,
    spec::Spec,
    store::{Store, TREE, really_below},
};

pub(super) fn feed(
    spec: &Spec,
    store: &Store,
    manifest: &Manifest,
    former: Number,
    deadline: Instant,
) -> Result<(), End> {
    let exclude = Patterns::new(&spec.state.exclude);
    let scratch = Scratch::new(&spec.state, store)?;
    for root in &spec.state.paths {
        let copy = |number: Number| {
            really_below(&store.folder(number).join(TREE), root)
                .map_err(|error| Failure::check(format!("{}: {error}", root.display())))
        };
        let (new, old) = (copy(manifest.number)?, copy(former)?);
        // What the other host doesn't have at all is left alone, as when it is put in place.
        if !files::exists(&new).map_err(Failure::file("reading", &new))? {
            continue;
        }
        let Ok(root) = fs::canonicalize(root) else {
            return Err(End::park(format!("{} isn't there", root.display())));
        };
        let tree = Tree {
            root: &root,
            exclude: &exclude,
            scratch: &scratch,
            deadline,
        };
        tree.add(&new)?;
        tree.remove(&old, &new)?;
    }
    Ok(())
}

struct Tree<'a> {
    /// The local one, without links.
    root: &'a Path,
    exclude: &'a Patterns,
    scratch: &'a Scratch,
    deadline: Instant,
}

impl Tree<'_> {
    /// Replaces what differs, and adds what is missing.
    fn add(&self, new: &Path) -> Result<(), End> {
        let mut left = vec![PathBuf::new()];
        while let Some(within) = left.pop() {
            let (new, local) = (joined(new, &within), joined(self.root, &within));
            let metadata = fs::symlink_metadata(&new).map_err(Failure::file("reading", &new))?;
            let is_folder = metadata.is_dir();
            if !copy::is_copied(&new, &within) || self.is_excluded(&within, is_folder) {
                continue;
            }
            let there = match fs::symlink_metadata(&local) {
                Ok(there) => Some(there),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(Failure::file("reading", &local)(error).into()),
            };
            if there
                .as_ref()
                .is_some_and(|there| there.is_dir() != is_folder)
            {
                return Err(End::park(format!(
                    "{} is a folder on one of the hosts, and a file on the other",
                    local.display()
                )));
            }
            if is_folder {
                if there.is_none() {
                    make_folder(&local).map_err(Failure::file("making", &local))?;
                }
                let names = fs::read_dir(&new).map_err(Failure::file("listing", &new))?;
                for entry in names {
                    let entry = entry.map_err(Failure::file("listing", &new))?;
                    left.push(within.join(entry.file_name()));
                }
            } else if !there.is_some_and(|there| is_same(&metadata, &there)) {
                self.replace(&new, &local, &within)?;
            }
        }
        Ok(())
    }

    fn replace(&self, new: &Path, local: &Path, within: &Path) -> Result<(), End> {
        let draft = self.scratch.place_for(local, self.root)?;
        let mut step = || Ok(());
        let mut copy = Copy {
            // Nothing is left out of a file.
            exclude: &Patterns::default(),
            deadline: self.deadline,
            step: &mut step,
            folders: Vec::new(),
        };
        copy.entry(new, &draft, within)?;
        if let Ok(file) = files::open_regular(&draft) {
            file.sync_all().map_err(Failure::file("writing", &draft))?;
        }
        fs::rename(&draft, local).map_err(Failure::file("renaming", local))?;
        Ok(())
    }

    /// Removes what the former generation had and the new one hasn't.
    fn remove(&self, old: &Path, new: &Path) -> Result<(), End> {
        let mut left = vec![PathBuf::new()];
        let mut folders = Vec::new();
        while let Some(within) = left.pop() {
            let (old, new) = (joined(old, &within), joined(new, &within));
            let local = joined(self.root, &within);
            let Ok(metadata) = fs::symlink_metadata(&old) else {
                continue;
            };
            if self.is_excluded(&within, metadata.is_dir()) {
                continue;
            }
            let is_gone = !files::exists(&new).map_err(Failure::file("reading", &new))?;
            if metadata.is_dir() {
                let names = fs::read_dir(&old).map_err(Failure::file("listing", &old))?;
                for entry in names {
                    let entry = entry.map_err(Failure::file("listing", &old))?;
                    left.push(within.join(entry.file_name()));
                }
                folders.extend(is_gone.then_some(local));
            } else if is_gone
                && fs::symlink_metadata(&local).is_ok_and(|there| is_same(&metadata, &there))
            {
                files::remove(&local).map_err(Failure::file("removing", &local))?;
            }
        }
        // Deeper ones come later.
        for folder in folders.iter().rev() {
            // One that isn't empty has something of this host.
            let _ = fs::remove_dir(folder);
        }
        Ok(())
    }

    fn is_excluded(&self, within: &Path, is_folder: bool) -> bool {
        let bytes = within.as_os_str().as_bytes();
        !bytes.is_empty() && self.exclude.matches(bytes, is_folder)
    }
}

/// The file of a root that is one has the root's own path.
fn joined(root: &Path, within: &Path) -> PathBuf {
    match within.as_os_str().is_empty() {
        true => root.to_owned(),
        false => root.join(within),
    }
}

/// As rsync compares: size and time. Modes, too, because a secret may have been closed to others.
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    let key = |metadata: &fs::Metadata| {
        (
            metadata.file_type(),
            metadata.len(),
            metadata.mode() & 0o777,
            // Those of a link aren't kept.
            match metadata.is_symlink() {
                true => (0, 0),
                false => (metadata.mtime(), metadata.mtime_nsec()),
            },
        )
    };
    key(one) == key(other)
}
