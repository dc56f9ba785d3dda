//! An unprivileged account that takes as many resources as it can get: listening sockets on the gateway's port, and
//! open files.

use std::{
    fs::File,
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    thread,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustix::{
    fd::OwnedFd,
    process::{Resource, Rlimit, setrlimit},
};

use crate::PORT;

/// Nobody's (65534 on Linux, and without processes of its own where tests run).
const ACCOUNT: libc::uid_t = 65_534;

/// `failover-lab hoard`
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Number of loopback addresses to listen on at the gateway's port
    #[arg(long, default_value_t = 0)]
    listeners: u32,
    /// Number of files to open
    #[arg(long, default_value_t = 0)]
    files: u32,
    /// Number of processes
    #[arg(long, default_value_t = 1)]
    processes: u32,
}

/// Holds all of it until it is killed.
///
/// # Errors
/// When it can't get these resources.
pub fn run(options: Options) -> Result<()> {
    let most = u64::from(options.listeners + options.files) + 100;
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    setrlimit(Resource::Nofile, limit).context("raising the limit of open files")?;
    // SAFETY: bare system calls that take numbers; there is one thread.
    let is_nobody = unsafe { libc::setgid(ACCOUNT) == 0 && libc::setuid(ACCOUNT) == 0 };
    if !is_nobody {
        bail!("it can't become account {ACCOUNT}");
    }
    let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
    let listeners: Result<Vec<TcpListener>, _> = (first..first + options.listeners)
        .map(|address| TcpListener::bind((Ipv4Addr::from(address), PORT)))
        .collect();
    let _listeners = listeners.context("listening")?;
    let null = File::open("/dev/null").context("opening /dev/null")?;
    let files: Result<Vec<OwnedFd>, _> =
        (0..options.files).map(|_| rustix::io::dup(&null)).collect();
    let _files = files.context("opening files")?;
    for _ in 1..options.processes {
        // SAFETY: there is one thread, and the child does nothing but wait.
        match unsafe { libc::fork() } {
            0 => wait(),
            1.. => {}
            _ => bail!("it can't fork"),
        }
    }
    writeln!(std::io::stdout(), "there")?;
    wait()
}

fn wait() -> ! {
    // SAFETY: takes numbers; a child goes with who began it.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    loop {
        thread::park();
    }
}
