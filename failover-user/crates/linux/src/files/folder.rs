//! A folder that only root and this account can write to, opened once and used by its descriptor. So nobody else
//! can put a link in the place of a file that root writes, nor exchange a folder on the way to it.
//!
//! The way is walked component by component from the root directory, and each folder is checked after it was
//! opened. Links on the way are followed where nobody else could have made them, for administrators use them
//! (/var/run, or a state directory on another disk): openat2's RESOLVE_NO_SYMLINKS would refuse those as well.

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStringExt as _,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, fstat, fsync, mkdirat, mknodat, openat, readlinkat,
        renameat, unlinkat,
    },
    io::Errno,
    process::geteuid,
};

use crate::files::{ownership, ownership::Sticky};

/// As many links as the kernel follows (MAXSYMLINKS in `linux/namei.h`, 6.12).
const MOST_LINKS: usize = 40;
/// Of folders that are made; the umask takes away more.
const FOLDER_MODE: Mode = Mode::RWXU
    .union(Mode::RGRP)
    .union(Mode::XGRP)
    .union(Mode::ROTH)
    .union(Mode::XOTH);

/// See the module.
#[derive(Debug)]
pub struct Folder {
    descriptor: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// The folder, which must be there.
    ///
    /// # Errors
    /// When it can't be opened, or others could have changed what is in it: then the message says what to type.
    pub fn open(path: &Path, sticky: Sticky) -> io::Result<Self> {
        Self::walk(path, sticky, false)
    }

    /// The same, and what is missing of it is made.
    ///
    /// # Errors
    /// As [`Self::open`], and when it can't be made.
    pub fn make(path: &Path, sticky: Sticky) -> io::Result<Self> {
        Self::walk(path, sticky, true)
    }

    /// The folder that a file is in, and the file's name.
    ///
    /// # Errors
    /// As [`Self::open`], and when the path has no name at its end.
    pub fn of(file: &Path, sticky: Sticky) -> io::Result<(Self, &OsStr)> {
        let (folder, name) = parts(file)?;
        Ok((Self::open(folder, sticky)?, name))
    }

    /// The same, and what is missing of the folder is made.
    ///
    /// # Errors
    /// As [`Self::of`], and when it can't be made.
    pub fn made_for(file: &Path, sticky: Sticky) -> io::Result<(Self, &OsStr)> {
        let (folder, name) = parts(file)?;
        Ok((Self::make(folder, sticky)?, name))
    }

    fn walk(path: &Path, sticky: Sticky, make: bool) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut here = root()?;
        let mut name = PathBuf::from("/");
        // With what is still to be walked: whether a link's target says so. What a link leads to isn't made: it
        // may be a disk that is mounted later.
        let mut left: VecDeque<(OsString, bool)> =
            components(&path).map(|one| (one, false)).collect();
        let mut links = 0;
        while let Some((next, of_link)) = left.pop_front() {
            // Others may add to a shared folder, but not change what isn't theirs.
            trust(&here, &name, Sticky::Counts)?;
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let found = match openat(&here, &next, flags, Mode::empty()) {
                Err(Errno::NOENT) if make && !of_link => {
                    match mkdirat(&here, &next, FOLDER_MODE) {
                        Ok(()) => sync(here.as_fd())?,
                        // Somebody was quicker; whose it is, is looked at below.
                        Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    openat(&here, &next, flags, Mode::empty())?
                }
                found => found?,
            };
            let stat = fstat(&found)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    name.push(&next);
                    here = found;
                }
                FileType::Symlink => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let link = name.join(&next);
                    if stat.st_uid != 0 && stat.st_uid != geteuid().as_raw() {
                        return Err(io::Error::new(
                            io::ErrorKind::PermissionDenied,
                            format!(
                                "{} is a link of another account's (user {}), which could lead it anywhere; give another path",
                                link.display(),
                                stat.st_uid
                            ),
                        ));
                    }
                    let target = readlinkat(&found, "", Vec::new())?;
                    let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                    if target.is_absolute() {
                        here = root()?;
                        name = PathBuf::from("/");
                    }
                    let target: Vec<OsString> = components(&target).collect();
                    for component in target.into_iter().rev() {
                        left.push_front((component, true));
                    }
                }
                _ => return Err(Errno::NOTDIR.into()),
            }
        }
        trust(&here, &name, sticky)?;
        Ok(Self {
            descriptor: here,
            path,
        })
    }

    /// For calls that take a folder's descriptor.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// A new file; whatever has its name already is left alone.
    ///
    /// # Errors
    /// When there is something of that name, or it can't be made.
    pub fn create_new(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR
            | OFlags::APPEND
            | OFlags::CREATE
            | OFlags::EXCL
            | OFlags::NOFOLLOW
            | OFlags::CLOEXEC;
        let file = openat(
            &self.descriptor,
            name.as_ref(),
            flags,
            Mode::from_raw_mode(mode),
        )?;
        Ok(file.into())
    }

    /// A file to be read and appended to; a new one if there is none.
    ///
    /// # Errors
    /// When it can't be opened, is no file, or others could have written it.
    pub fn append(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        self.open_own(name.as_ref(), flags, mode)
    }

    /// A file that is there, to be read.
    ///
    /// # Errors
    /// When it isn't, is no file, or others could have written it.
    pub fn read(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.open_own(name.as_ref(), OFlags::RDONLY, 0)
    }

    fn open_own(&self, name: &OsStr, flags: OFlags, mode: u32) -> io::Result<File> {
        // Opening a pipe would wait otherwise (fifo(7)).
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.descriptor, name, flags, Mode::from_raw_mode(mode))?;
        let stat = fstat(&opened)?;
        let path = self.path.join(name);
        // Another name for it may be in a folder that others write to.
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink > 1 {
            let what = format!("{} is no file of its own; move it away", path.display());
            return Err(io::Error::other(what));
        }
        trust(&opened, &path, Sticky::IsNotEnough)?;
        Ok(opened.into())
    }

    /// Puts all of it there or, after a crash, leaves what was there before. On disk when this returns.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn replace(&self, name: &OsStr, content: &[u8], mode: u32) -> io::Result<()> {
        let mut new = name.to_owned();
        new.push(".new");
        self.remove(&new)?;
        let mut file = self.create_new(&new, mode)?;
        file.write_all(content)?;
        file.sync_all()?;
        self.rename(&new, name)?;
        // The name, too (rename(2), fsync(2)).
        self.sync()
    }

    /// A named pipe.
    ///
    /// # Errors
    /// When there is something of that name, or it can't be made.
    pub fn make_pipe(&self, name: impl AsRef<OsStr>, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode);
        Ok(mknodat(
            &self.descriptor,
            name.as_ref(),
            FileType::Fifo,
            mode,
            0,
        )?)
    }

    /// A named pipe of ours that is there.
    ///
    /// # Errors
    /// When there is none, or it is something else.
    pub fn open_pipe(&self, name: impl AsRef<OsStr>, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = openat(&self.descriptor, name.as_ref(), flags, Mode::empty())?;
        let stat = fstat(&opened)?;
        let is_ours = stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Fifo if is_ours => Ok(opened),
            _ => Err(io::Error::other("it is no pipe of ours")),
        }
    }

    /// Removes a file, if it is there; of a link the link.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        match unlinkat(&self.descriptor, name.as_ref(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives a file another name, in place of whatever has that.
    ///
    /// # Errors
    /// When it can't be given.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        let here = &self.descriptor;
        Ok(renameat(here, from.as_ref(), here, to.as_ref())?)
    }

    /// Sees to it that names that were given or taken away survive a loss of power.
    ///
    /// # Errors
    /// When the disk can't be written to.
    pub fn sync(&self) -> io::Result<()> {
        sync(self.descriptor.as_fd())
    }
}

/// Reads the whole text of one of our files, up to this number of bytes.
///
/// # Errors
/// When it can't be read, is no text, or others could have written it.
pub fn read_own(path: &Path, longest: u64) -> io::Result<String> {
    let (folder, name) = Folder::of(path, Sticky::IsNotEnough)?;
    let mut text = String::new();
    folder.read(name)?.take(longest).read_to_string(&mut text)?;
    Ok(text)
}

/// Puts all of it there or, after a crash, leaves what was there before. On disk when this returns. Nobody but this
/// account may read it.
///
/// # Errors
/// When it can't be written, or others could change what is in its folder.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let (folder, name) = Folder::of(path, Sticky::IsNotEnough)?;
    folder.replace(name, content, 0o600)
}

fn root() -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat(CWD, "/", flags, Mode::empty())?)
}

fn components(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn parts(file: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = file.file_name().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} names no file", file.display()),
        )
    })?;
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    Ok((folder.unwrap_or(Path::new(".")), name))
}

fn trust(opened: &OwnedFd, path: &Path, sticky: Sticky) -> io::Result<()> {
    ownership::check(opened, path, sticky)?
        .map_err(|fault| io::Error::new(io::ErrorKind::PermissionDenied, fault))
}

/// One that was opened by O_PATH can't be synced itself.
fn sync(folder: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(fsync(openat(folder, ".", flags, Mode::empty())?)?)
}
