//! Control groups of version 2, to find and kill all processes of a machine of the lab.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::Lab;
use crate::wait;

/// Their mount point, beside version 1 or alone.
///
/// # Errors
/// When they aren't mounted.
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

/// A control group of a lab, which is removed with it.
#[derive(Debug)]
pub struct ControlGroup(PathBuf);

impl ControlGroup {
    /// A new one.
    ///
    /// # Panics
    /// When it can't be made, as without root.
    #[must_use]
    pub fn new(lab: &Lab) -> Self {
        let name = lab.directory().file_name().expect("a lab has a name");
        let group = mount_point().expect("control groups").join(name);
        fs::create_dir(&group).expect("making a control group");
        Self(group)
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of a group below, which is created if it doesn't exist.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn below(&self, path: &str) -> PathBuf {
        let group = self.0.join(path);
        fs::create_dir_all(&group).expect("making a control group");
        group
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        kill(&self.0);
        wait::attempt(wait::LONG, || remove(&self.0).ok());
    }
}

/// Kills all processes in the group and below at once, where the kernel can (since 5.14).
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
