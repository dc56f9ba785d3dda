//! What a child process does to itself between fork and exec, where only bare system calls are safe: nothing
//! may be allocated there, and no lock taken. So this is a list of things that are known to be so, not a
//! closure of the caller's.

use std::{ffi::CString, io, os::unix::process::CommandExt as _, process::Command};

use rustix::{
    fs::{Gid, Mode, Uid},
    process::{
        Signal, chdir, geteuid, getpid, getppid, set_parent_process_death_signal, setsid, umask,
    },
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::limits;

/// Descriptors from here on are closed when a command begins: whatever this process has open, or
/// was given by who started it, is not the command's.
const FIRST_PRIVATE: libc::c_uint = 3;
/// Where a kernel before 5.11 can't close them all at once; more than this process ever has.
const MOST_DESCRIPTORS: libc::c_int = 1024;

/// What accounts have who log in (login.defs(5)): the daemon's own is narrower, and a gateway that a
/// command begins would have it for good.
const USUAL_MASK: Mode = Mode::WGRP.union(Mode::WOTH);

/// The change to another account, complete before the fork.
#[derive(Debug)]
pub struct AccountChange {
    /// Becomes the real, effective and saved user.
    pub uid: Uid,
    /// Becomes the real, effective and saved group.
    pub gid: Gid,
    /// All groups beside it.
    pub groups: Vec<Gid>,
    /// The working directory; `/` where it can't be entered.
    pub home: CString,
}

impl AccountChange {
    /// Switches to the account, in its home. Bare system calls for the calling thread, which after a
    /// fork is the only one. In this order, because without root the groups cannot be changed any
    /// longer (setpriv(1), login(1) do the same).
    fn apply(&self) -> io::Result<()> {
        let Self {
            uid,
            gid,
            groups,
            home,
        } = self;
        if geteuid() != *uid {
            set_thread_groups(groups)?;
            set_thread_res_gid(*gid, *gid, *gid)?;
            set_thread_res_uid(*uid, *uid, *uid)?;
        }
        // As login(1) does: an account without a home is in the root directory.
        Ok(chdir(home.as_c_str()).or_else(|_| chdir(c"/"))?)
    }
}

/// Lets the child run in a session of its own, without any descriptor of this process but the standard ones.
pub fn in_own_session(command: &mut Command) {
    let prepare = || {
        setsid()?;
        close_descriptors();
        Ok(())
    };
    // SAFETY: makes bare system calls only: nothing is allocated, no lock is taken.
    unsafe { command.pre_exec(prepare) };
}

/// As [`in_own_session`], and with the usual umask, the limits that this process was given, and as the account.
pub fn isolated(command: &mut Command, account: Option<AccountChange>) {
    let prepare = move || {
        setsid()?;
        umask(USUAL_MASK);
        limits::restore_descriptors();
        close_descriptors();
        account.as_ref().map_or(Ok(()), AccountChange::apply)
    };
    // SAFETY: makes bare system calls only: nothing is allocated, no lock is taken. What the closure owns was
    // made before.
    unsafe { command.pre_exec(prepare) };
}

/// Prepares a helper process that needs another account. It stays in this process's group and session, and is killed
/// when the calling thread ends, so that nothing continues after either is killed.
pub fn dependent(command: &mut Command, account: Option<AccountChange>) {
    let parent = getpid();
    let prepare = move || {
        umask(USUAL_MASK);
        close_descriptors();
        account.as_ref().map_or(Ok(()), AccountChange::apply)?;
        // Last: a change of credentials takes it back (PR_SET_PDEATHSIG(2const)).
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // The parent may have ended before that.
        match getppid() == Some(parent) {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: makes bare system calls only: nothing is allocated, no lock is taken. What the closure owns was
    // made before.
    unsafe { command.pre_exec(prepare) };
}

/// At the exec to come, and not now: the one by which a failed exec is reported is among them.
fn close_descriptors() {
    // SAFETY: changes flags of descriptors, and touches no memory (close_range(2)).
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST_PRIVATE,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done != 0 {
        for descriptor in 3..MOST_DESCRIPTORS {
            // SAFETY: the same for one that may not be there (F_SETFD in fcntl(2)).
            unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}
