//! The few things that programs of the lab do with signals.

/// Ignores what usually ends a program, SIGKILL excepted.
pub fn ignore_termination() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        // SAFETY: ignoring a signal installs no handler, so no code runs asynchronously.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// SIGINT ends this program, also where a shell started it in the background: then it is ignored
/// (POSIX.1-2017, Shell Command Language, 2.11), and that is inherited.
pub fn heed_interrupts() {
    // SAFETY: the default installs no handler, so no code runs asynchronously.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
}
