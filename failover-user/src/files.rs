//! Small files that are read and replaced as a whole. It must not know what is in them.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::Path,
};

/// The file's text, up to so many bytes: whoever wrote it.
///
/// # Errors
/// When it can't be read, or is no text.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(longest).read_to_string(&mut text)?;
    Ok(text)
}

/// Puts all of it there or, after a crash, leaves what was there before.
///
/// # Errors
/// When the directory can't be written to.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // The name, too (rename(2), fsync(2)).
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_leaves_nothing_else_and_a_long_file_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file.json");
        for content in ["old and long", "new"] {
            replace(&file, content.as_bytes()).unwrap();
            assert_eq!(read(&file, 100).unwrap(), content);
        }
        assert_eq!(read(&file, 2).unwrap(), "ne");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("missing/file"), b"").is_err());
    }
}
