//! Files and trees of files that another host has made: read in bounds, removed, brought to the disk. No link is
//! ever followed.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, RenameFlags, open, renameat_with},
    io::Errno,
};

/// Opens a regular file, and nothing else, for reading.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    // Opening a pipe that nobody writes to would wait.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it isn't a regular file")),
    }
}

/// A whole regular file of at most this size, in bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let mut text = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut text)?;
    match u64::try_from(text.len()).is_ok_and(|length| length <= most) {
        true => Ok(text),
        false => Err(io::Error::other(format!("it is longer than {most} bytes"))),
    }
}

/// Writes a new file that only this account can read, to the disk.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(open(path, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(text)?;
    file.sync_all()
}

/// Writes a file in place of the one that may be there: a reader sees either, after a loss of power as well.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    remove(&draft)?;
    write(&draft, text)?;
    fs::rename(&draft, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

/// Opens a folder, and nothing else.
pub(crate) fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(open(path, flags, Mode::empty())?))
}

/// Brings a folder's list of names to the disk.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    open_folder(path)?.sync_all()
}

/// Brings a tree to the disk. Files with several names are there already: those of the generation that they are from.
pub(crate) fn sync_new(path: &Path) -> io::Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_file() && metadata.nlink() == 1 {
                open_regular(&path)?.sync_all()?;
            }
        }
        sync_folder(&folder)?;
    }
    Ok(())
}

/// The regular files of a tree.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Measured {
    pub(crate) files: u64,
    /// Of all of them, in bytes.
    pub(crate) bytes: u64,
}

/// Counts the regular files of a tree.
pub(crate) fn measure(path: &Path) -> io::Result<Measured> {
    let mut measured = Measured::default();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                folders.push(entry.path());
            } else if metadata.is_file() {
                measured.files = measured.files.saturating_add(1);
                measured.bytes = measured.bytes.saturating_add(metadata.len());
            }
        }
    }
    Ok(measured)
}

/// Removes a file or a tree, also where folders of it have lost their owner's rights; nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match remove_once(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            unlock(path)?;
            remove_once(path)
        }
        done => done,
    }
}

fn remove_once(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Gives the owner all rights to the folders of a tree.
fn unlock(path: &Path) -> io::Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let metadata = fs::symlink_metadata(&folder)?;
        if !metadata.is_dir() {
            continue;
        }
        if metadata.mode() & 0o700 != 0o700 {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        }
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// Whether something is at a path, be it a link that leads nowhere.
pub(crate) fn exists(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Renames a file or folder; fails where something has the new name.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let rename = || renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
    match rename() {
        // A folder that is moved gets another parent, and so has to be writable.
        Err(Errno::ACCESS) => {
            let mode = fs::symlink_metadata(from)?.permissions();
            if !fs::symlink_metadata(from)?.is_dir() || mode.mode() & 0o200 != 0 {
                return Err(Errno::ACCESS.into());
            }
            fs::set_permissions(from, fs::Permissions::from_mode(0o700))?;
            rename()?;
            fs::set_permissions(to, mode)
        }
        renamed => Ok(renamed?),
    }
}

/// Removes the folders of a tree that has no files.
pub(crate) fn remove_empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    fs::remove_dir(path)
}
