//! The directory of pins on the BPF file system: it appears whole, and goes whole.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::statfs,
    mount::{MountFlags, mount},
};

use crate::bpf::stopper::error::StopperError;

/// `BPF_FS_MAGIC` (include/uapi/linux/magic.h, 6.18).
const BPF_FILE_SYSTEM: u32 = 0xcafe_4a11;
/// Where systemd mounts it (src/shared/mount-setup.c, 252).
const MOUNT_POINT: &str = "/sys/fs/bpf";
/// Names with dots are the kernel's own there (bpf_lookup, kernel/bpf/inode.c, 6.18).
const UNFINISHED: &str = "-unfinished";

/// Makes an empty directory for pins beside `place`, which [`finish`] gives its name. What a process that was
/// killed has left there is removed.
pub fn begin(place: &Path) -> Result<PathBuf, StopperError> {
    require_file_system(place)?;
    let unfinished = beside(place);
    remove(&unfinished)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&unfinished)
        .map_err(|source| failed("making", &unfinished, source))?;
    Ok(unfinished)
}

/// Gives the directory its name.
pub fn finish(unfinished: &Path, place: &Path) -> Result<(), StopperError> {
    fs::rename(unfinished, place).map_err(|source| failed("renaming", unfinished, source))
}

/// Removes the directory and what is pinned in it; and the one above, if nothing else is there. Nothing to do
/// where there is none.
pub fn remove(place: &Path) -> Result<(), StopperError> {
    let entries = match fs::read_dir(place) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed("reading", place, source)),
    };
    for entry in entries {
        let path = entry
            .map_err(|source| failed("reading", place, source))?
            .path();
        unpin(&path)?;
    }
    match fs::remove_dir(place) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("removing", place, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes the directory above, unless there is something in it or it is the mount point.
pub fn remove_above(place: &Path) {
    if let Some(above) = place.parent() {
        let _ = fs::remove_dir(above);
    }
}

/// Removes one pin; nothing to do where there is none.
pub fn unpin(path: &Path) -> Result<(), StopperError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(failed("removing", path, source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where the directory is made before it has its name.
pub fn beside(place: &Path) -> PathBuf {
    let mut name = place.file_name().map_or_else(OsString::new, OsString::from);
    name.push(UNFINISHED);
    place.with_file_name(name)
}

fn failed(deed: &'static str, place: &Path, source: io::Error) -> StopperError {
    StopperError::File {
        deed,
        place: place.to_owned(),
        source,
    }
}

/// Mounts the file system at the usual place if nobody has, which stays: other tools want it too.
fn require_file_system(place: &Path) -> Result<(), StopperError> {
    if is_there(place) {
        return Ok(());
    }
    let mounted = if place.starts_with(MOUNT_POINT) {
        let for_root_alone = c"mode=0700";
        mount(
            "bpf",
            MOUNT_POINT,
            "bpf",
            MountFlags::empty(),
            for_root_alone,
        )
        .map_err(io::Error::from)
    } else {
        Err(io::ErrorKind::NotFound.into())
    };
    match mounted {
        // Somebody else may have been quicker.
        Err(_) if is_there(place) => Ok(()),
        mounted => mounted.map_err(|source| StopperError::NoBpfFileSystem {
            place: place.to_owned(),
            source,
        }),
    }
}

/// Is the nearest directory that exists on a BPF file system?
fn is_there(place: &Path) -> bool {
    let found = place.ancestors().find_map(|above| statfs(above).ok());
    // The number is of 32 bits, of whatever type and sign the field is.
    found.is_some_and(|found| u32::try_from(found.f_type & 0xffff_ffff) == Ok(BPF_FILE_SYSTEM))
}
