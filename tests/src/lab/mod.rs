//! Two hosts on a switch, made of network namespaces: PC-A with the primary, PC-B with the daemon.
//!
//! The TCP between them, and the kernel's events about it, are real. See [`reaper`] for how nothing
//! is left behind.

pub mod cgroup;
pub mod host;
pub mod machine;
pub mod namespace;
pub mod reaper;

use std::{
    env,
    fmt::Write as _,
    fs::{self, DirBuilder},
    io::Write as _,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, Ordering},
    },
};

use anyhow::{Context as _, Result, ensure};

pub use cgroup::ControlGroup;
pub use host::{Host, Process, end_listener};
pub use machine::Machine;
pub use namespace::{Identity, Namespace};
use reaper::Reaper;

use crate::moment::Moment;

/// The lab's own binary.
const LAB_BINARY: &str = "failover-lab";
/// The variable in which `cargo xtask test` passes the daemon's binary.
const FAILOVER_VARIABLE: &str = "FAILOVER_BIN";
/// The remedy when the environment is incomplete.
const HOW: &str = "run through cargo xtask test";

/// Two hosts on a switch. Dropping it ends all that runs there.
#[derive(Debug)]
pub struct Lab {
    switch: Namespace,
    primary: Host,
    standby: Host,
    hosts: AtomicU8,
    directory: PathBuf,
    lab_binary: PathBuf,
    // Dropped last, and so by then nothing of the lab is needed.
    reaper: Mutex<Reaper>,
}

impl Lab {
    /// A lab for a test.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn new() -> Self {
        Self::build().unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// A lab.
    ///
    /// # Errors
    /// Without root, or without `ip`.
    pub fn build() -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "the lab's network namespaces need root; {HOW}"
        );
        let lab_binary = lab_binary()?;
        let mut reaper = Reaper::start(&lab_binary)?;
        let switch = Namespace::new().context("making a network namespace")?;
        reaper.hold_namespace(&switch)?;
        let directory = directory(&mut reaper)?;
        ip(
            &switch,
            "link add switch type bridge stp_state 0 mcast_snooping 0\n\
             link set switch up\n",
        )?;
        let primary = host("PC-A", 1, &switch, &mut reaper, &lab_binary)?;
        let standby = host("PC-B", 2, &switch, &mut reaper, &lab_binary)?;
        Ok(Self {
            switch,
            primary,
            standby,
            hosts: AtomicU8::new(2),
            directory,
            lab_binary,
            reaper: Mutex::new(reaper),
        })
    }

    /// PC-A, where the primary runs.
    #[must_use]
    pub fn host_a(&self) -> &Host {
        &self.primary
    }

    /// PC-B, where the daemon runs.
    #[must_use]
    pub fn host_b(&self) -> &Host {
        &self.standby
    }

    /// One more host on the switch.
    ///
    /// # Panics
    /// When it can't be made.
    #[must_use]
    pub fn add_host(&self, name: &str) -> Host {
        let number = self.hosts.fetch_add(1, Ordering::Relaxed) + 1;
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        host(name, number, &self.switch, &mut reaper, &self.lab_binary)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The switch's end of a host's cable.
    #[must_use]
    pub fn switch_port(&self, host: &Host) -> SwitchPort<'_> {
        SwitchPort {
            switch: &self.switch,
            name: port_name(host),
        }
    }

    /// Switches the switch off: cables stay in, nothing passes.
    pub fn switch_down(&self) -> Moment {
        set_link(&self.switch, "switch", "down")
    }

    /// Switches it on again.
    pub fn switch_up(&self) -> Moment {
        set_link(&self.switch, "switch", "up")
    }

    /// This control group, which is about to be made, goes with the lab.
    fn hold_group(&self, group: &Path) -> Result<()> {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        reaper.hold_group(group)
    }

    /// A directory that goes with the lab.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Copies a program, in another process: if this one had the copy open for writing, a child that a
    /// concurrent test forks would inherit it, and the copy could not be run (ETXTBSY).
    ///
    /// # Panics
    /// When it can't be copied.
    pub fn copy_program(from: &Path, to: &Path) {
        let copied = Command::new("cp").arg(from).arg(to).status();
        let copied = copied.expect("cp can be run");
        assert!(
            copied.success(),
            "copying {} to {}",
            from.display(),
            to.display()
        );
    }

    /// Writes a script that all accounts may run. Not in place, for the same reason as in
    /// [`Self::copy_program`].
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write_program(path: &Path, script: &str) {
        let draft = path.with_extension("draft");
        fs::write(&draft, script).expect("writing a script");
        let mut install = Command::new("install");
        let installed = install.arg("--mode=755").arg(&draft).arg(path).status();
        let installed = installed.expect("install can be run");
        assert!(installed.success(), "installing {}", path.display());
    }

    /// The lab's own binary.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.lab_binary
    }

    /// All its namespaces, except those of added hosts.
    #[must_use]
    pub fn namespaces(&self) -> [Identity; 3] {
        [
            self.switch.identity(),
            self.primary.namespace().identity(),
            self.standby.namespace().identity(),
        ]
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

/// The switch's end of a cable. Down, the host at the other end has no carrier.
#[derive(Debug)]
pub struct SwitchPort<'lab> {
    switch: &'lab Namespace,
    name: String,
}

impl SwitchPort<'_> {
    /// Pulls the cable, and returns when.
    pub fn down(&self) -> Moment {
        set_link(self.switch, &self.name, "down")
    }

    /// Puts it back in, and returns when.
    pub fn up(&self) -> Moment {
        set_link(self.switch, &self.name, "up")
    }
}

/// The binary under test.
///
/// # Panics
/// When its path isn't configured.
#[must_use]
pub fn failover_binary() -> PathBuf {
    let path = env::var_os(FAILOVER_VARIABLE).map(PathBuf::from);
    match path {
        Some(path) if path.is_absolute() => path,
        _ => panic!("{FAILOVER_VARIABLE} doesn't tell where the failover binary is; {HOW}"),
    }
}

/// This program, or for a test the binary that cargo built beside it.
fn lab_binary() -> Result<PathBuf> {
    let this = env::current_exe().context("finding this program")?;
    if this.file_name().is_some_and(|name| name == LAB_BINARY) {
        return Ok(this);
    }
    let beside = this
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(LAB_BINARY))
        .find(|candidate| candidate.is_file());
    beside.with_context(|| format!("{LAB_BINARY} is not beside {}; {HOW}", this.display()))
}

/// Announced to the reaper before it is made.
fn directory(reaper: &mut Reaper) -> Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    // The time for processes of the same number, one after the other; two labs of one process may be
    // made at the same time to the nanosecond.
    let (pid, now) = (std::process::id(), Moment::now().nanoseconds());
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = env::temp_dir().join(format!("failover-lab-{pid}-{now}-{number}"));
    reaper.hold_directory(&path)?;
    DirBuilder::new()
        .mode(0o700)
        .create(&path)
        .with_context(|| format!("making {}", path.display()))?;
    Ok(path)
}

fn host(
    name: &str,
    number: u8,
    switch: &Namespace,
    reaper: &mut Reaper,
    lab_binary: &Path,
) -> Result<Host> {
    let namespace = Namespace::new().context("making a network namespace")?;
    reaper.hold_namespace(&namespace)?;
    let host = Host::new(name, number, namespace, lab_binary.to_owned());
    let port = port_name(&host);
    ip(
        switch,
        &format!(
            "link add {port} type veth peer name eth0 netns {}\n\
             link set {port} master switch addrgenmode none up\n",
            host.namespace().path()
        ),
    )?;
    let mut inside = String::from("link set lo up\nlink set eth0 addrgenmode none up\n");
    let _ = writeln!(inside, "address add {}/24 dev eth0", host.address());
    let _ = writeln!(inside, "address add {}/64 dev eth0 nodad", host.address6());
    ip(host.namespace(), &inside)?;
    Ok(host)
}

fn port_name(host: &Host) -> String {
    format!("port-{}", host.name().to_lowercase())
}

fn set_link(namespace: &Namespace, link: &str, state: &str) -> Moment {
    let now = Moment::now();
    ip(namespace, &format!("link set {link} {state}\n"))
        .unwrap_or_else(|error| panic!("{error:#}"));
    now
}

/// Runs commands of ip(8) in the namespace.
fn ip(namespace: &Namespace, commands: &str) -> Result<()> {
    let mut process = namespace
        .command("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("running `ip`; the lab needs iproute2 (apt-get install iproute2)")?;
    // Written whole before anything is read: a few hundred bytes fit into the pipe.
    if let Some(mut input) = process.stdin.take() {
        input
            .write_all(commands.as_bytes())
            .context("telling `ip` what to do")?;
    }
    let output = process.wait_with_output().context("waiting for `ip`")?;
    ensure!(
        output.status.success(),
        "`ip` failed: {}\n{commands}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
