//! This process's own standard output and its signals.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
};

use tokio::io::{Interest, unix::AsyncFd};

/// Standard output, to be watched for its reader's end.
#[derive(Debug)]
pub struct StandardOutput;

impl AsRawFd for StandardOutput {
    fn as_raw_fd(&self) -> RawFd {
        io::stdout().as_raw_fd()
    }
}

impl StandardOutput {
    /// Watches whether the reader has gone, where the kernel can tell: for pipes and sockets.
    ///
    /// # Errors
    /// When it is a plain file: such a one can't be waited for, and need not be.
    pub fn watch() -> io::Result<AsyncFd<Self>> {
        // SAFETY: standard output is never closed by this process.
        unsafe { AsyncFd::register_with_interest(Self, Interest::ERROR) }.map_err(io::Error::from)
    }
}

/// Ignores the signals that a terminal or an administrator ends a process with: hangup, interrupt, quit,
/// terminate.
pub fn ignore_endings() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM] {
        // SAFETY: ignoring a signal runs no code of ours (signal(2)).
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
