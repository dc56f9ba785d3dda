//! A daemon that gets no kernel events, and doesn't notice: its programs are loaded, and the call that should
//! attach them succeeds without doing so.

use std::{io, os::unix::process::CommandExt as _, process::Command};

/// `BPF_RAW_TRACEPOINT_OPEN` (include/uapi/linux/bpf.h, 6.18), which attaches typed programs too.
const ATTACH: u32 = 17;
/// `nr` and, low half first, `args[0]` in `struct seccomp_data` (include/uapi/linux/seccomp.h, 6.18).
const CALL: u32 = 0;
const FIRST_ARGUMENT: u32 = if cfg!(target_endian = "little") {
    16
} else {
    20
};

/// Has whatever runs there attach nothing: the call is not made, and yields standard input's descriptor.
pub(super) fn deafen(command: &mut Command) {
    // SAFETY: between fork and exec it makes two system calls and takes no lock.
    unsafe { command.pre_exec(pretend) };
}

fn pretend() -> io::Result<()> {
    let bpf = u32::try_from(libc::SYS_bpf).map_err(|_| io::ErrorKind::Unsupported)?;
    let mut filter = [
        load(CALL),
        unless(bpf, 3),
        load(FIRST_ARGUMENT),
        unless(ATTACH, 1),
        // No error: the call yields zero.
        answer(libc::SECCOMP_RET_ERRNO),
        answer(libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: plain numbers.
    let asked = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    // SAFETY: the program and its instructions outlive the call, which copies them.
    let filtered = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    match (asked, filtered) {
        (0, 0) => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0)
}

/// Skips this number of instructions unless the loaded value is that one.
fn unless(value: u32, skipped: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, value, skipped)
}

fn answer(value: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, value, 0)
}

fn instruction(code: u32, value: u32, skipped: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: 0,
        jf: skipped,
        k: value,
    }
}
