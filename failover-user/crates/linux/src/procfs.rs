//! Files below /proc: read once, and never further than they may be long.

use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};

/// The beginning of a file, at most `most` bytes; empty where it can't be read.
#[must_use]
pub fn read(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}

/// The numbers of the processes that there are; none where they can't be listed.
pub fn processes() -> impl Iterator<Item = u32> {
    list_processes().into_iter().flatten()
}

/// The same where it matters that they can't be listed.
///
/// # Errors
/// When /proc can't be read.
pub fn list_processes() -> io::Result<impl Iterator<Item = u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()))
}
