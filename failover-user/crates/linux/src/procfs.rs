//! Files below /proc: read once, and never further than they may be long.

use std::{fs, io::Read as _, path::Path};

/// The beginning of a file, at most `most` bytes; empty where it can't be read.
#[must_use]
pub fn read(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        let _ = file.take(most).read_to_end(&mut bytes);
    }
    bytes
}
