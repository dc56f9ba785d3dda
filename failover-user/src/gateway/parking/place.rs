//! Where it is noted that a gateway is parked, and who may change that: one record, one lock and one folder of pins
//! for each port.

use std::{
    fs::File,
    io,
    num::NonZeroU16,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use failover_linux::files::{folder::Folder, ownership::Sticky};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// The package's RuntimeDirectory.
pub const DEFAULT_DIRECTORY: &str = "/run/failover";
/// Where what the kernel keeps has names. The package's unit makes the folder above before its sandbox begins, and
/// opens that one to it: so it must stay, also when the last pins are removed.
const PINS: &str = "/sys/fs/bpf/failover/parking";
const LOCK_MODE: u32 = 0o600;
const LOCK_RETRY: Duration = Duration::from_millis(2);

/// The place of one port's gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    directory: PathBuf,
    port: NonZeroU16,
}

/// Held by the command that changes what is parked, until it ends.
#[derive(Debug)]
pub(super) struct Lock(
    #[expect(dead_code, reason = "the lock is released when it is closed")] File,
);

impl Place {
    /// In this runtime directory.
    #[must_use]
    pub fn new(directory: &Path, port: NonZeroU16) -> Self {
        Self {
            directory: directory.to_owned(),
            port,
        }
    }

    /// In the runtime directory of a daemon that has its control socket there.
    #[must_use]
    pub fn beside(control: &Path, port: NonZeroU16) -> Self {
        let folder = control.parent().filter(|folder| folder.is_absolute());
        Self::new(folder.unwrap_or(Path::new(DEFAULT_DIRECTORY)), port)
    }

    /// Every place in a directory that has a record.
    ///
    /// # Errors
    /// When the directory is there and can't be read.
    pub fn all_in(directory: &Path) -> io::Result<Vec<Self>> {
        let entries = match std::fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut places = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let port = name.to_str().and_then(|name| {
                name.strip_prefix("parking-")?
                    .strip_suffix(".json")?
                    .parse()
                    .ok()
            });
            places.extend(port.map(|port| Self::new(directory, port)));
        }
        Ok(places)
    }

    /// The runtime directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The local gateway's port.
    #[must_use]
    pub const fn port(&self) -> NonZeroU16 {
        self.port
    }

    /// The file that says what is parked.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.directory.join(format!("parking-{}.json", self.port))
    }

    fn lock_file(&self) -> PathBuf {
        self.directory.join(format!("parking-{}.lock", self.port))
    }

    /// The folder of the kernel program's pins.
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        Path::new(PINS).join(self.port.to_string())
    }

    /// Waits until no other command is at work.
    ///
    /// # Errors
    /// When one still is after that time, or the lock can't be had.
    pub(super) fn lock(&self, patience: Duration) -> anyhow::Result<Lock> {
        let path = self.lock_file();
        let context = || format!("locking {}", path.display());
        let (folder, name) = Folder::made_for(&path, Sticky::IsNotEnough).with_context(context)?;
        let file = folder.append(name, LOCK_MODE).with_context(context)?;
        let deadline = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
                Err(Errno::WOULDBLOCK) => bail!(
                    "another `failover parking` command is at work (it has {}); wait for it, or end it",
                    path.display()
                ),
                Err(error) => return Err(error).with_context(context),
            }
        }
    }

    /// Is a command at work? Asked for a moment only, which a command waits for.
    pub(super) fn is_busy(&self) -> bool {
        let Ok(file) = File::open(self.lock_file()) else {
            return false;
        };
        flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_is_at_work_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path(), NonZeroU16::MIN);
        assert!(!place.is_busy());
        let held = place.lock(Duration::ZERO).unwrap();
        assert!(place.is_busy());
        let error = place.lock(Duration::from_millis(5)).unwrap_err();
        assert!(error.to_string().contains("at work"), "{error}");
        drop(held);
        // A process that another test forks has the lock's file open until it execs.
        let is_free = (0..500).any(|_| {
            thread::sleep(LOCK_RETRY);
            !place.is_busy()
        });
        assert!(is_free);
        place.lock(Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn the_places_of_a_directory_are_those_with_a_record() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "parking-7.json",
            "parking-70000.json",
            "parking-8.lock",
            "x.json",
        ] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let expected = [Place::new(folder.path(), NonZeroU16::new(7).unwrap())];
        assert_eq!(Place::all_in(folder.path()).unwrap(), expected);
        assert_eq!(Place::all_in(&folder.path().join("none")).unwrap(), []);
    }
}
