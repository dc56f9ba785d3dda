//! Control groups of the second version: how all that a machine of the lab runs is found and ended.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// Where they are mounted, beside the first version or alone.
///
/// # Errors
/// When they are mounted nowhere.
pub fn mount_point() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading /proc/self/mounts")?;
    mounts
        .lines()
        .find_map(|line| {
            let mut words = line.split(' ');
            let (place, kind) = (words.nth(1)?, words.next()?);
            (kind == "cgroup2").then(|| Path::new(place).to_owned())
        })
        .context("no cgroup2 is mounted; mount -t cgroup2 none /sys/fs/cgroup")
}

/// Kills all that runs in the group and below, as far as the kernel can do so at once (from 5.14 on).
pub(super) fn kill(group: &Path) {
    let _ = fs::write(group.join("cgroup.kill"), "1");
}

/// Removes the group and those below. It fails while something runs in one.
pub(super) fn remove(group: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // The files in it go with it.
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}
