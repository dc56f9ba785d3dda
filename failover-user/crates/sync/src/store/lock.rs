//! The lock of a store: it ends with the process that has it, whatever ends that.

use std::{
    os::fd::OwnedFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
};

use crate::store::error::StoreError;

/// A process that is ended for a takeover needs less than this to be gone.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(10);

pub(super) fn acquire(path: &Path) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| StoreError::io("opening", path)(errno.into()))?;
    let begin = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(Errno::WOULDBLOCK | Errno::INTR) if begin.elapsed() < LONGEST_WAIT => {
                thread::sleep(PAUSE);
            }
            Err(Errno::WOULDBLOCK | Errno::INTR) => {
                return Err(StoreError::Busy {
                    path: path.to_owned(),
                    waited: LONGEST_WAIT,
                });
            }
            Err(errno) => return Err(StoreError::io("locking", path)(errno.into())),
        }
    }
}
