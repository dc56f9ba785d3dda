//! A generation that is being made: it has a name of its own until it is complete and on the disk.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::{
    files,
    generation::{Manifest, Number},
    store::{MANIFEST, PREFIX, Store, StoreError, UNFINISHED},
};

/// See the module. One that isn't committed is removed when it is dropped, or by the next [`Store::stage`].
#[derive(Debug)]
pub struct Staging<'store> {
    store: &'store Store,
    number: Number,
    path: PathBuf,
    spared: Option<Number>,
}

impl<'store> Staging<'store> {
    pub(super) fn make(store: &'store Store, number: Number) -> Result<Self, StoreError> {
        if fs::symlink_metadata(store.folder(number)).is_ok() {
            return Err(StoreError::Exists(number));
        }
        let path = store.path.join(format!("{PREFIX}{number}{UNFINISHED}"));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(StoreError::io("making", &path))?;
        Ok(Self {
            store,
            number,
            path,
            spared: None,
        })
    }

    /// This generation isn't removed when there are newer ones: none of those may fit.
    pub const fn spare(&mut self, spared: Number) {
        self.spared = Some(spared);
    }

    /// Its folder, empty at first.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it a generation, and removes those that are no longer needed. The manifest gets its number and
    /// size.
    ///
    /// # Errors
    /// When something can't be written: then there is no such generation, and those that were there are there.
    pub fn commit(self, mut manifest: Manifest) -> Result<Manifest, StoreError> {
        let file = self.path.join(MANIFEST);
        // The source may have sent something of this name.
        files::remove(&file).map_err(StoreError::io("removing", &file))?;
        let measured = files::measure(&self.path).map_err(StoreError::io("listing", &self.path))?;
        manifest.number = self.number;
        manifest.files = measured.files;
        manifest.bytes = measured.bytes;
        let text = serde_json::to_vec(&manifest)
            .map_err(|error| StoreError::io("writing", &self.path)(error.into()))?;
        files::write(&file, &text).map_err(StoreError::io("writing", &file))?;
        files::sync_new(&self.path).map_err(StoreError::io("writing", &self.path))?;
        let folder = self.store.folder(self.number);
        fs::rename(&self.path, &folder).map_err(StoreError::io("renaming", &self.path))?;
        files::sync_folder(&self.store.path)
            .map_err(StoreError::io("writing", &self.store.path))?;
        // It is complete: what is left of the others is no reason to call it a failure.
        let _ = self.store.prune(self.spared);
        Ok(manifest)
    }
}

impl Drop for Staging<'_> {
    fn drop(&mut self) {
        let _ = files::remove(&self.path);
    }
}
