//! Parks a program ([`crate::binder`]) in a control group with a stopper of its own, as its service manager would.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    num::NonZeroU16,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio},
    time::Instant,
};

use failover_linux::{
    bpf::stopper::{GroupPath, MainProcess, StopEvent, Stopper, StopperError, Target},
    control_group,
    process::{ProcessKey, is_stopped},
    sock_diag::listeners::Listeners,
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    PORT,
    lab::{ControlGroup, Host, Lab},
    wait,
};

/// The address that the program binds.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), PORT);

/// A unit's control group in its slice, and the pins of a stopper. Both are removed at the end.
#[derive(Debug)]
pub struct Parker {
    host: Host,
    slice: PathBuf,
    pins: PathBuf,
    _group: ControlGroup,
}

impl Parker {
    /// On PC-B. Enter that host to look at its sockets.
    #[must_use]
    pub fn new(lab: &Lab) -> Self {
        let name = lab.directory().file_name().expect("a lab has a name");
        let group = ControlGroup::new(lab);
        Self {
            host: lab.host_b().clone(),
            slice: group.below("slice"),
            pins: Path::new("/sys/fs/bpf").join(name).join("stopper"),
            _group: group,
        }
    }

    /// The directory of the pins.
    #[must_use]
    pub fn pins(&self) -> &Path {
        &self.pins
    }

    /// The control group above the unit's.
    #[must_use]
    pub fn slice(&self) -> &Path {
        &self.slice
    }

    /// The unit's control group, made again if it is gone.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn unit(&self) -> PathBuf {
        self.group("unit.service")
    }

    /// Another one of the slice.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn group(&self, name: &str) -> PathBuf {
        let group = self.slice.join(name);
        fs::create_dir_all(&group).expect("making a control group");
        group
    }

    /// The stopper.
    ///
    /// # Errors
    /// When this machine can't have one.
    pub fn open(&self) -> Result<Stopper, StopperError> {
        Stopper::open(&self.pins)
    }

    /// The unit's main process, which this process starts.
    ///
    /// # Panics
    /// Without control groups of version 2.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target_named("unit.service")
    }

    /// The same of another unit.
    ///
    /// # Panics
    /// Without control groups of version 2.
    #[must_use]
    pub fn target_named(&self, unit: &str) -> Target {
        let root = control_group::mount_point().expect("control groups");
        let path = self.slice.join(unit);
        let path = path.strip_prefix(&root).expect("below the mount point");
        Target {
            port: NonZeroU16::new(PORT).expect("a port"),
            netns: u32::try_from(self.host.namespace().identity().inode()).ok(),
            control_group: GroupPath::below(&root, path).expect("a path"),
            main: MainProcess::ChildOf(std::process::id()),
        }
    }

    /// The program in the unit's control group, waiting for its first byte.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn start(&self, arguments: &[&str]) -> Binder {
        self.start_in(&self.unit(), arguments)
    }

    /// The same in another control group.
    ///
    /// # Panics
    /// When it can't be run.
    #[must_use]
    pub fn start_in(&self, group: &Path, arguments: &[&str]) -> Binder {
        let mut command = self.host.lab_command("binder");
        if !arguments.iter().any(|argument| argument.contains(':')) {
            command.arg(ADDRESS.to_string());
        }
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("running the program");
        // It waits for its first byte.
        fs::write(group.join("cgroup.procs"), child.id().to_string()).expect("moving it");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Binder {
            child,
            input: input.expect("a pipe"),
            output: output.expect("a pipe"),
        }
    }
}

impl Drop for Parker {
    fn drop(&mut self) {
        let _ = Stopper::remove(&self.pins);
    }
}

/// The program. Dropping it kills it.
#[derive(Debug)]
pub struct Binder {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Binder {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// It binds and listens; or closes the socket, if it has one.
    ///
    /// # Panics
    /// When it has ended.
    pub fn go(&mut self) {
        self.input.write_all(b".").expect("it reads");
    }

    /// What came of it; `None`: it has ended.
    ///
    /// # Panics
    /// When the pipe can't be read.
    pub fn says(&mut self) -> Option<u8> {
        let mut byte = [0];
        let length = self.output.read(&mut byte).expect("reading a pipe");
        byte.first().filter(|_| length > 0).copied()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it has ended and been waited for.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it is there");
    }

    /// Is it stopped?
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        ProcessKey::of(self.id()).is_some_and(is_stopped)
    }

    /// Waits until it is.
    ///
    /// # Panics
    /// When it isn't.
    pub fn await_stopped(&self) {
        let deadline = Instant::now() + wait::LONG;
        // Without a pause, for it takes some microseconds and is done thousands of times.
        while !self.is_stopped() {
            assert!(Instant::now() < deadline, "it isn't stopped");
            std::hint::spin_loop();
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When the system doesn't report it.
    pub fn end(&mut self) -> ExitStatus {
        self.child.wait().expect("waiting for it")
    }
}

impl Drop for Binder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next stop.
///
/// # Panics
/// When there is none.
pub fn next_stop(stopper: &mut Stopper) -> StopEvent {
    let deadline = Instant::now() + wait::LONG;
    let stop = stopper.wait_for_stop(deadline).expect("waiting");
    stop.expect("a stop")
}

/// Nobody listens, says the kernel and sees a client. On the host in question.
///
/// # Panics
/// When somebody does.
pub fn assert_nobody_listens(listeners: &mut Listeners) {
    assert_eq!(listeners.now().expect("asking"), []);
    let refused = TcpStream::connect(ADDRESS).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

/// The inode of a control group's directory.
///
/// # Panics
/// When there is no such group.
#[must_use]
pub fn id(group: &Path) -> u64 {
    fs::metadata(group).expect("a control group").ino()
}
