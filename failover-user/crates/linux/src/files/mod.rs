//! Files: reading what people wrote, bounded ([`read_at_most`]), and keeping what is ours where nobody else can
//! interfere ([`Folder`]). It must not know what is in them.

pub mod folder;
pub mod ownership;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    path::Path,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use folder::{Folder, read_own, replace};
pub use ownership::{Sticky, WritableByOthers, check as check_owner_and_mode, check_mode};

/// Timeout for the writer of a pipe.
const PATIENCE: Duration = Duration::from_secs(5);

/// All of it, or one byte more than `longest` where it is longer; and the file itself, to be looked at. It
/// may be a pipe that somebody writes into.
///
/// # Errors
/// When it can't be read, or is a pipe that nobody writes into, or not all of it in time.
pub fn read_at_most(path: &Path, longest: u64) -> io::Result<(Vec<u8>, File)> {
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
            format!("its writer has not finished within {PATIENCE:?}"),
        )),
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Writes this number of bytes into the directory, to the disk, and removes them again.
///
/// # Errors
/// When they can't be kept there, or others could change what is kept.
pub fn try_writing(directory: &Path, bytes: usize, sticky: Sticky) -> io::Result<()> {
    let folder = Folder::open(directory, sticky)?;
    let name = format!(".failover-check-{}", std::process::id());
    let mut file = folder.create_new(&name, 0o600)?;
    // Its name is gone at once: nothing is left behind, however this ends.
    folder.remove(&name)?;
    file.write_all(&vec![0; bytes])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn trying_to_write_leaves_nothing_and_says_what_is_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        try_writing(directory.path(), 1000, Sticky::IsNotEnough).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        // Nobody's to write to, root's neither.
        assert!(try_writing(Path::new("/proc/self"), 1000, Sticky::IsNotEnough).is_err());
    }

    #[test]
    fn a_replacement_leaves_nothing_else_and_a_long_file_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file.json");
        for content in ["old and long", "new"] {
            replace(&file, content.as_bytes()).unwrap();
            assert_eq!(read_own(&file, 100).unwrap(), content);
        }
        assert_eq!(read_own(&file, 2).unwrap(), "ne");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(replace(&directory.path().join("missing/file"), b"").is_err());
    }
}
