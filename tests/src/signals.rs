//! The few things that programs of the lab do with signals.

use std::sync::atomic::{AtomicBool, Ordering};

/// SIGTERM or SIGINT has come, where [`note_termination`] was called.
static TERMINATED: AtomicBool = AtomicBool::new(false);

/// Ignores what usually ends a program, SIGKILL excepted.
pub fn ignore_termination() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        // SAFETY: ignoring a signal installs no handler, so no code runs asynchronously.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// From now on these signals end nothing but are noted; system calls that wait are interrupted.
pub fn note_termination(signals: &[libc::c_int]) {
    extern "C" fn note(_signal: libc::c_int) {
        TERMINATED.store(true, Ordering::Relaxed);
    }
    let handler: extern "C" fn(libc::c_int) = note;
    for signal in signals {
        // SAFETY: all-zero is a valid `sigaction`: no flags (so no SA_RESTART), an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = handler as libc::sighandler_t;
        // SAFETY: the handler stores to an atomic, which is async-signal-safe; `action` outlives
        // the call.
        unsafe { libc::sigaction(*signal, &raw const action, std::ptr::null_mut()) };
    }
}

/// Has one of them come?
#[must_use]
pub fn terminated() -> bool {
    TERMINATED.load(Ordering::Relaxed)
}
