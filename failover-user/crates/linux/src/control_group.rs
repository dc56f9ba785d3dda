//! Control groups of version 2: freezing, killing and looking at one (Documentation/admin-guide/cgroup-v2.rst,
//! 6.18). By the kernel's own files, not the service manager's calls: its freeze refuses later stops in some
//! releases. It knows nothing of units.

use std::{
    fs, io,
    os::linux::fs::MetadataExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use thiserror::Error;

use crate::procfs::read;

/// A few words and numbers.
const LONGEST_EVENTS: u64 = 4096;
/// Numbers of some 10,000 processes.
const LONGEST_PROCESSES: u64 = 1 << 18;
/// One line for each hierarchy, each with a path (PATH_MAX).
const LONGEST_MEMBERSHIP: u64 = 1 << 17;
const LONGEST_MOUNTS: u64 = 1 << 20;
/// Groups that are read below one; a unit has none or a few.
const MOST_GROUPS: usize = 1024;
/// Where the kernel doesn't tell of a change, it is looked for this often.
const LOOK: Duration = Duration::from_millis(5);

/// A control group, by its directory. It needn't exist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ControlGroup(PathBuf);

/// What couldn't be done with a control group.
#[derive(Debug, Error)]
pub enum ControlGroupError {
    /// The kernel's file refused.
    #[error(
        "{deed} {path}: {source}; it takes root's rights, and in a sandbox a hierarchy that may be written"
    )]
    File {
        /// What was tried.
        deed: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It didn't happen by the deadline.
    #[error(
        "the control group {group} isn't {wanted} in time; its processes may be waiting for a disk"
    )]
    TooLong {
        /// Its directory.
        group: PathBuf,
        /// What was waited for.
        wanted: &'static str,
    },
    /// It has more groups below it than any unit.
    #[error("the control group {0} has too many groups below it")]
    TooMany(PathBuf),
}

/// Where the hierarchy of version 2 is mounted, beside version 1 or alone. `None`: nowhere.
#[must_use]
pub fn mount_point() -> Option<PathBuf> {
    let mounts = read(Path::new("/proc/self/mounts"), LONGEST_MOUNTS);
    let mounts = String::from_utf8_lossy(&mounts);
    mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        let (place, kind) = (words.nth(1)?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    })
}

/// The path of a process's control group below the mount point, as this process sees it. `None`: it is gone, or
/// in none.
#[must_use]
pub fn of_process(pid: u32) -> Option<PathBuf> {
    let membership = read(
        Path::new(&format!("/proc/{pid}/cgroup")),
        LONGEST_MEMBERSHIP,
    );
    let membership = String::from_utf8_lossy(&membership);
    let path = membership
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))?;
    Some(PathBuf::from(path))
}

impl ControlGroup {
    /// The one with this directory.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// Its id, the inode of its directory: another one after it was removed and made again. `None`: there is
    /// none.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        Some(fs::metadata(&self.0).ok()?.st_ino())
    }

    /// Is there a process in it or below? `None`: there is no such group.
    #[must_use]
    pub fn is_populated(&self) -> Option<bool> {
        self.event("populated")
    }

    /// Are all processes in it and below frozen? A process that was stopped counts as frozen. `None`: there is no
    /// such group.
    #[must_use]
    pub fn is_frozen(&self) -> Option<bool> {
        self.event("frozen")
    }

    /// Freezes it, and waits until it is: nothing in it runs any more, not even after SIGCONT.
    ///
    /// # Errors
    /// When it can't be written, or isn't frozen by the deadline; it may freeze later.
    pub fn freeze(&self, deadline: Instant) -> Result<(), ControlGroupError> {
        self.write("cgroup.freeze", "1")?;
        self.wait_until("frozen", deadline, || self.is_frozen() == Some(true))
    }

    /// Lets it go on. Returns at once.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn thaw(&self) -> Result<(), ControlGroupError> {
        self.write("cgroup.freeze", "0")
    }

    /// Kills everything in it and below, frozen or not, without letting it run, and waits until it is empty. A
    /// group that isn't there is empty.
    ///
    /// # Errors
    /// When it isn't empty by the deadline, or has more groups below it than can be looked at.
    pub fn kill(&self, deadline: Instant) -> Result<(), ControlGroupError> {
        let at_once = fs::write(self.0.join("cgroup.kill"), "1").is_ok();
        while !at_once && self.is_populated() == Some(true) && Instant::now() < deadline {
            // Before 5.14. What is forked meanwhile is found the next time.
            for pid in self.processes()? {
                self.kill_one(pid);
            }
            thread::sleep(LOOK);
        }
        self.wait_until("empty", deadline, || self.is_populated() != Some(true))
    }

    /// The processes in it and below; none where there is no such group.
    ///
    /// # Errors
    /// When it has more groups below it than can be looked at.
    pub fn processes(&self) -> Result<Vec<u32>, ControlGroupError> {
        let mut found = Vec::new();
        let mut groups = vec![self.0.clone()];
        let mut looked = 0;
        while let Some(group) = groups.pop() {
            looked += 1;
            if looked > MOST_GROUPS {
                return Err(ControlGroupError::TooMany(self.0.clone()));
            }
            let listed = read(&group.join("cgroup.procs"), LONGEST_PROCESSES);
            let listed = String::from_utf8_lossy(&listed);
            found.extend(listed.lines().filter_map(|pid| pid.parse::<u32>().ok()));
            let below = fs::read_dir(&group).into_iter().flatten().flatten();
            groups.extend(
                below
                    .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                    .map(|entry| entry.path()),
            );
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The descriptor is the process's that was listed, if the number is still listed.
    fn kill_one(&self, pid: u32) {
        let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        if let Ok(process) = pidfd_open(number, PidfdFlags::empty())
            && self.processes().is_ok_and(|listed| listed.contains(&pid))
        {
            let _ = pidfd_send_signal(&process, Signal::KILL);
        }
    }

    fn write(&self, file: &str, value: &str) -> Result<(), ControlGroupError> {
        let path = self.0.join(file);
        fs::write(&path, value).map_err(|source| ControlGroupError::File {
            deed: "writing",
            path,
            source,
        })
    }

    /// A line of `cgroup.events`.
    fn event(&self, wanted: &str) -> Option<bool> {
        let events = read(&self.0.join("cgroup.events"), LONGEST_EVENTS);
        let events = String::from_utf8_lossy(&events);
        let value = events
            .lines()
            .find_map(|line| line.strip_prefix(wanted)?.strip_prefix(' '))?;
        Some(value == "1")
    }

    /// The kernel tells of each change of `cgroup.events` (POLLPRI).
    fn wait_until(
        &self,
        wanted: &'static str,
        deadline: Instant,
        is_so: impl Fn() -> bool,
    ) -> Result<(), ControlGroupError> {
        let events = fs::File::open(self.0.join("cgroup.events"));
        loop {
            if is_so() {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ControlGroupError::TooLong {
                    group: self.0.clone(),
                    wanted,
                });
            }
            // A change before the file was opened isn't told.
            let longest = Timespec::try_from(left.min(LOOK)).ok();
            match &events {
                Ok(events) => {
                    let mut asked = [PollFd::new(events, PollFlags::PRI)];
                    let _ = poll(&mut asked, longest.as_ref());
                }
                Err(_) => thread::sleep(left.min(LOOK)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_there_is_empty_and_has_no_processes() {
        let group = ControlGroup::at("/no/such/group".into());
        assert_eq!((group.id(), group.is_populated()), (None, None));
        assert_eq!(group.processes().unwrap(), Vec::<u32>::new());
        assert!(group.kill(Instant::now()).is_ok());
        let refused = group.freeze(Instant::now()).unwrap_err().to_string();
        assert!(
            refused.contains("/no/such/group/cgroup.freeze"),
            "{refused}"
        );
    }
}
