//! Counting what a monitor and all its short-lived children use: a control group of its own. Process
//! tables would show tens of milliseconds at best, and forget children that nobody waited for.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{lab::cgroup::mount_point, wait};

/// A group of processes. Dropping it removes it, once they are gone.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    pub(super) fn new() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let (pid, number) = (std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let path = mount_point()?.join(format!("failover-bench-{pid}-{number}"));
        fs::create_dir(&path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    /// The file that a process writes its number to in order to enter.
    pub(super) fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }

    /// CPU time used so far, in user mode and in the kernel, of all that ever ran in it.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        cpu_time_in(&self.0)
    }

    /// Resident memory of all that run in it now, in bytes; shared pages count for each.
    pub(super) fn resident(&self) -> Result<u64> {
        resident_in(&self.0)
    }
}

/// CPU time used so far by all that ever ran in a group.
pub(super) fn cpu_time_in(group: &Path) -> Result<Duration> {
    let file = group.join("cpu.stat");
    let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    let microseconds = text
        .lines()
        .find_map(|line| line.strip_prefix("usage_usec "))
        .and_then(|number| number.parse().ok())
        .with_context(|| format!("no usage_usec in {}", file.display()))?;
    Ok(Duration::from_micros(microseconds))
}

/// Resident memory of all that run in a group now, in bytes; shared pages count for each.
pub(super) fn resident_in(group: &Path) -> Result<u64> {
    let file = group.join("cgroup.procs");
    let pids = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
    // A short-lived child may be gone by now.
    Ok(pids.lines().filter_map(resident).sum())
}

/// Resident memory of a process in bytes, unless it is gone.
pub(super) fn resident(pid: impl fmt::Display) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let size = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = size.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        let removed = wait::attempt(wait::LONG, || fs::remove_dir(&self.0).ok());
        if removed.is_none() {
            eprintln!("{} can't be removed", self.0.display());
        }
    }
}
