//! How much has arrived, and whether that is too much: a hostile source could send without end.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::statvfs;

use crate::{failure::Failure, outcome::FailedStep, source::SourceState, spec::Limits};

/// Of the time, at most one part in this many goes into measuring.
const SHARE: u32 = 10;

/// The size of a tree. Every name counts, folders as well.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Size {
    /// Names.
    pub(super) names: u64,
    /// Regular files.
    pub(super) files: u64,
    /// Their length, in bytes.
    pub(super) bytes: u64,
    /// The length of the longest, in bytes.
    pub(super) largest: u64,
}

/// Measures a tree, which may be changing.
pub(super) fn of(path: &Path) -> io::Result<Size> {
    let mut size = Size::default();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            size.names += 1;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() {
                size.files += 1;
                size.bytes = size.bytes.saturating_add(metadata.len());
                size.largest = size.largest.max(metadata.len());
            }
        }
    }
    Ok(size)
}

/// Whether what has arrived is within the limits.
pub(super) fn within(size: &Size, limits: &Limits) -> Result<(), Failure> {
    let Limits {
        bytes,
        file_bytes,
        files,
        ..
    } = *limits;
    if size.bytes > bytes {
        return Err(too_much(&format!(
            "more than sync-max-bytes, {bytes} bytes"
        )));
    }
    // Seen where the kernel didn't refuse it: RLIMIT_FSIZE is the worker's.
    if size.largest >= file_bytes {
        return Err(too_much(&format!(
            "a file larger than sync-max-file, {file_bytes} bytes"
        )));
    }
    if size.names > files {
        return Err(too_much(&format!(
            "more files and folders than sync-max-files, {files}"
        )));
    }
    Ok(())
}

/// Whether what the source announces can be taken at all.
pub(super) fn announced(state: &SourceState, limits: &Limits, store: &Path) -> Result<(), Failure> {
    let size = Size {
        names: state.files,
        files: state.files,
        bytes: state.bytes,
        largest: 0,
    };
    within(&size, limits)?;
    has_room(limits, store)
}

fn has_room(limits: &Limits, store: &Path) -> Result<(), Failure> {
    let free = statvfs(store).map_err(|error| Failure::file("reading", store)(error.into()))?;
    let free = free.f_bavail.saturating_mul(free.f_frsize);
    match free < limits.free_bytes {
        true => Err(too_much(&format!(
            "with {free} bytes free in {}, less than sync-min-free, {} bytes",
            store.display(),
            limits.free_bytes
        ))),
        false => Ok(()),
    }
}

fn too_much(what: &str) -> Failure {
    Failure {
        step: FailedStep::Limit,
        error: format!(
            "the copy is not taken: {what}; raise the limit, or leave out more with sync-exclude"
        ),
    }
}

/// Measures a growing tree, not too often.
pub(super) struct Watch<'a> {
    path: PathBuf,
    limits: &'a Limits,
    next: Instant,
}

impl<'a> Watch<'a> {
    /// Of this tree.
    pub(super) fn new(path: &Path, limits: &'a Limits) -> Self {
        Self {
            path: path.to_owned(),
            limits,
            next: Instant::now(),
        }
    }

    /// What is too much by now.
    pub(super) fn look(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        if begin < self.next {
            return Ok(());
        }
        // A tree that changes can't always be read; at the end it has to be.
        let size = of(&self.path).unwrap_or_default();
        self.next = begin + begin.elapsed().max(Duration::from_millis(1)) * SHARE;
        within(&size, self.limits)?;
        has_room(self.limits, &self.path)
    }
}
