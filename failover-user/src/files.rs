//! Small files that are read and replaced as a whole. It must not know what is in them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Whoever writes into a pipe has so long for all of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file's text, up to so many bytes: whoever wrote it.
///
/// # Errors
/// When it can't be read, or is no text.
pub(crate) fn read(path: &Path, longest: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(longest).read_to_string(&mut text)?;
    Ok(text)
}

/// All of it, or one byte more than `longest` where it is longer; and the file itself, to be looked at. It
/// may be a pipe that somebody writes into.
///
/// # Errors
/// When it can't be read, or is a pipe that nobody writes into, or not all of it in time.
pub(crate) fn read_at_most(path: &Path, longest: u64) -> io::Result<(Vec<u8>, File)> {
    // Opening a pipe that nobody writes into would wait for ever otherwise (fifo(7)).
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let deadline = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    loop {
        let left = (longest + 1).saturating_sub(bytes.len() as u64);
        match (&file).take(left).read_to_end(&mut bytes) {
            Ok(_) if bytes.is_empty() && file.metadata()?.file_type().is_fifo() => {
                return Err(io::Error::other("it is a pipe, and nobody writes into it"));
            }
            Ok(_) => return Ok((bytes, file)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                await_more(&file, deadline)?;
            }
            Err(error) => return Err(error),
        }
    }
}

fn await_more(file: &File, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(&mut [PollFd::new(file, PollFlags::IN)], Some(&timeout)) {
        Ok(0) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("whoever writes into it isn't done within {PATIENCE:?}"),
        )),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes so many bytes into the directory, as far as a disk, and leaves nothing there.
///
/// # Errors
/// When they can't be kept there.
pub(crate) fn try_writing(directory: &Path, bytes: usize) -> io::Result<()> {
    let write = |mut file: File| {
        file.write_all(&vec![0; bytes])?;
        file.sync_all()
    };
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    // A file that never has a name (open(2)).
    let nameless = options
        .clone()
        .custom_flags(libc::O_TMPFILE)
        .open(directory);
    match nameless {
        // Not every file system knows them.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::EISDIR)) => {
            let path = directory.join(format!(".failover-check-{}", std::process::id()));
            let written = options.create_new(true).open(&path).and_then(write);
            fs::remove_file(&path).and(written)
        }
        nameless => nameless.and_then(write),
    }
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
    fn trying_to_write_leaves_nothing_and_says_what_is_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        try_writing(directory.path(), 1000).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        // Nobody's to write to, root's neither, and without nameless files.
        assert!(try_writing(Path::new("/proc/self"), 1000).is_err());
    }

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
