//! The stopper: a program that binds the port is stopped before it can listen, and nobody else is.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    num::NonZeroU16,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::Instant,
};

use failover_linux::{
    bpf::stopper::{Caught, GroupPath, MainProcess, StopEvent, Stopper, Target},
    control_group,
    process::{ProcessKey, is_stopped},
    sock_diag::listeners::Listeners,
};
use failover_tests::{
    PORT,
    binder::LISTENS,
    lab::{ControlGroup, Lab},
    wait,
};
use rustix::process::{Pid, Signal, kill_process};

const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), PORT);

/// A stopper with pins of its own, which are removed at the end.
struct Pinned(PathBuf);

impl Pinned {
    fn of(lab: &Lab) -> Self {
        let name = lab.directory().file_name().expect("a lab has a name");
        Self(Path::new("/sys/fs/bpf").join(name).join("stopper"))
    }

    fn open(&self) -> Stopper {
        Stopper::open(&self.0).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let _ = Stopper::remove(&self.0);
    }
}

/// The program, in a control group.
struct Binder {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Binder {
    /// Spawned by this process, which so is its service manager.
    fn start(lab: &Lab, group: &Path, arguments: &[&str]) -> Self {
        let mut command = lab.host_b().lab_command("binder");
        command.arg(ADDRESS.to_string()).args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("running the program");
        // It waits for its first byte.
        fs::write(group.join("cgroup.procs"), child.id().to_string()).expect("moving it");
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Self {
            child,
            input: input.expect("a pipe"),
            output: output.expect("a pipe"),
        }
    }

    fn go(&mut self) {
        self.input.write_all(b".").expect("it reads");
    }

    fn says(&mut self) -> Option<u8> {
        let mut byte = [0];
        let length = self.output.read(&mut byte).expect("reading a pipe");
        (length > 0).then_some(byte[0])
    }

    fn key(&self) -> ProcessKey {
        ProcessKey::of(self.child.id()).expect("it lives")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Binder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn target(lab: &Lab, group: &Path) -> Target {
    let root = control_group::mount_point().expect("control groups");
    let path = group.strip_prefix(&root).expect("below the mount point");
    Target {
        port: NonZeroU16::new(PORT).expect("a port"),
        netns: u32::try_from(lab.host_b().namespace().identity().inode()).ok(),
        control_group: GroupPath::below(&root, path).expect("a path"),
        main: MainProcess::ChildOf(std::process::id()),
    }
}

fn stops(stopper: &mut Stopper) -> StopEvent {
    let deadline = Instant::now() + wait::LONG;
    let stop = stopper.wait_for_stop(deadline).expect("waiting");
    stop.expect("a stop")
}

fn is_not_listening(listeners: &mut Listeners) {
    assert_eq!(listeners.now().expect("asking"), []);
    let refused = TcpStream::connect(ADDRESS).expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

fn await_stopped(binder: &Binder) {
    let key = binder.key();
    let deadline = Instant::now() + wait::LONG;
    while !is_stopped(key) {
        assert!(Instant::now() < deadline, "it isn't stopped");
        std::hint::spin_loop();
    }
}

/// Runs where PC-B's sockets are.
fn on_host(work: impl FnOnce(&Lab, &Path, &Pinned) + Send) {
    let lab = Lab::new();
    let group = ControlGroup::new(&lab);
    let inner = group.below("slice/unit.service");
    let pinned = Pinned::of(&lab);
    lab.host_b().enter("parker", || work(&lab, &inner, &pinned));
}

#[test]
fn ten_thousand_binds_are_stopped_and_none_listens_before_it_may() {
    on_host(|lab, group, pinned| {
        let mut stopper = pinned.open();
        let target = target(lab, group);
        let mut listeners = Listeners::on(PORT);
        let id = fs::metadata(group).map(|group| std::os::linux::fs::MetadataExt::st_ino(&group));
        let mut binder = Binder::start(lab, group, &[]);
        for round in 0..10_000 {
            if round % 200 == 199 {
                // Ended while it is parked, as one that isn't needed.
                binder = Binder::start(lab, group, &[]);
            }
            stopper.arm(&target).expect("arming");
            binder.go();
            let stop = stops(&mut stopper);
            await_stopped(&binder);
            let expected = (binder.child.id(), ADDRESS, Caught::Bound, Ok(()));
            assert_eq!((stop.pid, stop.local, stop.caught, stop.signal), expected);
            assert_eq!(Some(stop.control_group), id.as_ref().ok().copied());
            is_not_listening(&mut listeners);
            if round % 200 == 198 {
                continue;
            }
            stopper.disarm().expect("disarming");
            kill_process(binder.pid(), Signal::CONT).expect("it lives");
            assert_eq!(binder.says(), Some(LISTENS));
            binder.go();
        }
    });
}
