//! The generation before the one that is made: what hasn't changed is linked from there.

use std::path::PathBuf;

use crate::generation::Manifest;

/// See the module.
pub(super) struct Previous<'a> {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// What is known of it.
    pub(super) manifest: &'a Manifest,
}
