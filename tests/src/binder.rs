//! A program whose next system call after bind(2) is listen(2): nothing may come between for it to be caught.

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    num::NonZeroU16,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use io_uring::{IoUring, opcode, squeue, types::Fd};
use rustix::net::{bind, listen};

use crate::{PORT, lab::host::stream_socket};
use failover_linux::{
    bpf::stopper::{GroupPath, MainProcess, Stopper, Target},
    control_group,
};

/// What it says when it listens.
pub const LISTENS: u8 = b'L';
/// What it says when bind or listen has failed.
pub const REFUSED: u8 = b'R';
/// What it says when this kernel can't do it.
pub const UNABLE: u8 = b'U';

/// `failover-lab binder`
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Address and port to bind
    address: SocketAddr,
    /// How to bind and listen
    #[arg(long, value_enum, default_value_t = Way::Calls)]
    way: Way,
    /// Leave the work to a child
    #[arg(long)]
    child: bool,
}

/// How to bind and listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// bind(2), then listen(2)
    Calls,
    /// Both in one submission to io_uring
    Linked,
}

/// `failover-lab arm`
#[derive(Args, Clone, Debug)]
pub struct ArmOptions {
    /// Directory of the pins
    pins: PathBuf,
    /// Directory of the unit's control group
    group: PathBuf,
    /// Whose child the main process is
    manager: u32,
}

/// Arms a stopper for such a program, says so with one byte, and waits to be killed.
///
/// # Errors
/// When it can't be armed.
pub fn arm(options: &ArmOptions) -> Result<()> {
    let root = control_group::mount_point().context("no control groups of version 2")?;
    let mut stopper = Stopper::open(&options.pins)?;
    stopper.arm(&Target {
        port: NonZeroU16::new(PORT).context("no port")?,
        netns: None,
        control_group: GroupPath::below(&root, options.group.strip_prefix(&root)?)?,
        main: MainProcess::ChildOf(options.manager),
    })?;
    let mut output = io::stdout();
    output.write_all(b"A")?;
    output.flush()?;
    loop {
        thread::park();
    }
}

/// For each byte that comes in: binds, listens, says how that went; at the next byte it closes the socket.
///
/// # Errors
/// When standard input or output can't be used.
pub fn run(options: &Options) -> Result<()> {
    if options.child {
        let program = std::env::current_exe().context("finding this program")?;
        let mut command = Command::new(program);
        command.args(["binder", &options.address.to_string()]);
        let status = command.stdin(Stdio::inherit()).status();
        let status = status.context("running a child")?;
        ensure!(status.success(), "the child: {status}");
        return Ok(());
    }
    let mut input = io::stdin().lock();
    let mut output = io::stdout();
    let mut byte = [0];
    let mut held: Option<OwnedFd> = None;
    while input.read(&mut byte).context("reading what to do")? > 0 {
        if held.take().is_some() {
            continue;
        }
        let socket = stream_socket(options.address).context("making a socket")?;
        let said = match options.way {
            Way::Calls => by_calls(&socket, options.address),
            Way::Linked => linked(&socket, options.address)?,
        };
        held = Some(socket);
        output.write_all(&[said])?;
        output.flush()?;
    }
    Ok(())
}

fn by_calls(socket: &OwnedFd, address: SocketAddr) -> u8 {
    match bind(socket, &address).and_then(|()| listen(socket, 8)) {
        Ok(()) => LISTENS,
        Err(_) => REFUSED,
    }
}

/// The kernel begins the second when it has done the first, without returning to this program.
fn linked(socket: &OwnedFd, address: SocketAddr) -> Result<u8> {
    let SocketAddr::V4(address) = address else {
        return Ok(UNABLE);
    };
    let mut ring = IoUring::new(4).context("making a ring")?;
    let mut probe = io_uring::Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    if !probe.is_supported(opcode::Listen::CODE) {
        return Ok(UNABLE);
    }
    let storage = libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET)?,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    };
    let descriptor = Fd(socket.as_raw_fd());
    let length = u32::try_from(size_of::<libc::sockaddr_in>())?;
    let first = opcode::Bind::new(descriptor, (&raw const storage).cast(), length)
        .build()
        .flags(squeue::Flags::IO_LINK);
    let second = opcode::Listen::new(descriptor, 8).build();
    // SAFETY: the address and the socket live until both completions have been waited for.
    unsafe { ring.submission().push_multiple(&[first, second]) }.context("a full ring")?;
    ring.submit_and_wait(2).context("submitting")?;
    let all_done = ring.completion().all(|entry| entry.result() == 0);
    Ok(if all_done { LISTENS } else { REFUSED })
}
