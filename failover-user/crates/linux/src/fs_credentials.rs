//! Looking with somebody's rights: root that may become anybody (CAP_SETUID, CAP_SETGID) sees an
//! account's processes and files like the account itself does. It needs no CAP_SYS_PTRACE and
//! CAP_DAC_READ_SEARCH for that, to which any memory and any file is open.

use std::marker::PhantomData;

/// As long as this lives, this thread has the rights of that account on files, and on what /proc
/// shows of its processes (setfsuid(2), ptrace(2)). Where it may not have them, nothing changes.
#[derive(Debug)]
pub struct FsCredentials {
    uid: u32,
    gid: u32,
    /// Of this thread, so it must not be dropped on another.
    thread: PhantomData<*const ()>,
}

impl FsCredentials {
    /// Takes the file-system rights of this account, until the value is dropped.
    #[must_use]
    pub fn of(uid: u32, gid: u32) -> Self {
        // The group first: without root's rights there is no other.
        let gid = set_gid(gid);
        Self {
            uid: set_uid(uid),
            gid,
            thread: PhantomData,
        }
    }
}

impl Drop for FsCredentials {
    fn drop(&mut self) {
        set_uid(self.uid);
        set_gid(self.gid);
    }
}

/// Returns the one before.
fn set_uid(uid: u32) -> u32 {
    // SAFETY: a bare system call that takes and returns numbers.
    unsafe { libc::setfsuid(uid) }.cast_unsigned()
}

fn set_gid(gid: u32) -> u32 {
    // SAFETY: the same.
    unsafe { libc::setfsgid(gid) }.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use rustix::process::geteuid;

    use super::*;

    #[test]
    fn root_sees_no_more_than_the_account_and_afterwards_everything_again() {
        if !geteuid().is_root() {
            // Whoever isn't root can't become anybody: nothing changes.
            let _credentials = FsCredentials::of(0, 0);
            assert!(fs::read_dir("/proc/1/fd").is_err());
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        {
            let _credentials = FsCredentials::of(65534, 65534);
            assert!(fs::read_dir(folder.path()).is_err());
        }
        assert!(fs::read_dir(folder.path()).is_ok());
    }
}
