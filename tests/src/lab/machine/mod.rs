//! A host whose init is a real systemd: in process, mount, host name, IPC and control group
//! namespaces of its own, on the network of a host of the lab.
//!
//! Its root is the root of the machine that the test runs on; what it writes is gone with it. It has
//! an account that lingers, so user units run, and none of the services that are enabled on the
//! machine that the test runs on.

mod boot;

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Host, Lab, Process, cgroup, failover_binary};
use crate::{skip, wait};
pub use boot::{ACCOUNT, HOME, Options, USER, run};

/// The first boot reads much from a cold disk, with other tests beside it.
const LONGEST_BOOT: Duration = Duration::from_secs(60);
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The required programs, and their Debian packages.
const NEEDED: [(&str, &str); 4] = [
    (boot::SYSTEMD, "systemd"),
    ("/usr/bin/dbus-daemon", "dbus"),
    ("/usr/lib/systemd/user/dbus.socket", "dbus-user-session"),
    ("/usr/share/pam-configs/systemd", "libpam-systemd"),
];

/// A running machine. Dropping it ends it and all that runs in it.
#[derive(Debug)]
pub struct Machine {
    host: Host,
    group: PathBuf,
    /// Its init's process ID, as seen from here.
    init: u32,
    /// Its init's parent, and so the last to go.
    outer: Option<Process>,
}

impl Machine {
    /// Boots PC-B; `None` when this machine lacks a program for that, which counts as skipped. Each
    /// of `shown` is a path here and one there, where it can be read. The lab's directory and the
    /// binaries under test are where they are here.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn boot(lab: &Lab, shown: &[(&Path, &str)]) -> Option<Self> {
        Self::boot_on(lab, lab.host_b(), shown)
    }

    /// Boots another host.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn boot_on(lab: &Lab, host: &Host, shown: &[(&Path, &str)]) -> Option<Self> {
        if !Self::can_boot() {
            return None;
        }
        let machine = Self::start(lab, host, shown).and_then(|mut machine| {
            machine.await_boot()?;
            Ok(machine)
        });
        Some(machine.unwrap_or_else(|error| panic!("{error:#}")))
    }

    /// The Debian packages that the machine that the test runs on lacks for it.
    #[must_use]
    pub fn missing() -> Vec<&'static str> {
        NEEDED
            .iter()
            .filter(|(path, _)| !Path::new(path).exists())
            .map(|(_, package)| *package)
            .collect()
    }

    /// Whether there is all that it takes. Otherwise the calling test counts as skipped.
    #[must_use]
    pub fn can_boot() -> bool {
        let missing = Self::missing().join(" ");
        if !missing.is_empty() {
            skip(&format!("no real systemd: apt-get install {missing}"));
        }
        missing.is_empty()
    }

    fn start(lab: &Lab, host: &Host, shown: &[(&Path, &str)]) -> Result<Self> {
        let name = host.name().to_lowercase();
        let of_lab = lab.directory().file_name().context("no directory")?;
        let group = format!("{}-{name}", of_lab.to_string_lossy());
        let group = cgroup::mount_point()?.join(group);
        lab.hold_group(&group)?;
        fs::create_dir(&group).with_context(|| format!("making {}", group.display()))?;
        let group_file = File::options()
            .write(true)
            .open(group.join("cgroup.procs"))
            .context("opening the control group")?;
        let directory = lab.directory().join(format!("machine-{name}"));
        fs::create_dir(&directory).context("making the machine's directory")?;

        let mut command = host.command("unshare");
        // SAFETY: runs between fork and exec; write is a bare system call and takes no lock.
        unsafe {
            // Zero stands for the writing process.
            command.pre_exec(move || (&group_file).write_all(b"0"));
        }
        command
            .args(["--mount", "--pid", "--uts", "--ipc", "--cgroup"])
            .args(["--fork", "--kill-child"])
            .arg(lab.binary())
            .args(["boot", "--name", &name])
            .arg("--directory")
            .arg(&directory)
            .arg("--share")
            .arg(lab.directory());
        let binaries = [lab.binary().to_owned(), failover_binary()];
        for folder in binaries.iter().filter_map(|binary| binary.parent()) {
            command.arg("--show").arg(folder).arg(folder);
        }
        for (here, there) in shown {
            command.arg("--show").arg(here).arg(there);
        }
        let outer = host.spawn(&mut command)?;
        let mut machine = Self {
            host: host.clone(),
            group,
            init: 0,
            outer: Some(outer),
        };
        machine.init = machine.await_init()?;
        Ok(machine)
    }

    /// Until it is systemd, its root is still ours, and a command would speak to our own init.
    fn await_init(&mut self) -> Result<u32> {
        let outer = self.outer.as_mut().context("it has been ended")?;
        let children = format!("/proc/{pid}/task/{pid}/children", pid = outer.pid());
        let found = wait::attempt(LONGEST_BOOT, || {
            if let Some(status) = outer.ended() {
                return Some(Err(status));
            }
            let children = fs::read_to_string(&children).ok()?;
            let init = children.trim().parse().ok()?;
            let name = fs::read_to_string(format!("/proc/{init}/comm")).ok()?;
            (name.trim() == "systemd").then_some(Ok(init))
        });
        match found {
            Some(Ok(init)) => Ok(init),
            Some(Err(status)) => bail!("the machine ended before its systemd ran: {status}"),
            None => bail!("not within {LONGEST_BOOT:?}: the machine's systemd runs"),
        }
    }

    fn await_boot(&mut self) -> Result<()> {
        let mut state = String::new();
        let up = wait::attempt(LONGEST_BOOT, || {
            let output = self.command("systemctl").arg("is-system-running").output();
            state = String::from_utf8_lossy(&output.ok()?.stdout)
                .trim()
                .to_owned();
            matches!(state.as_str(), "running" | "degraded").then_some(())
        });
        if up.is_some() && state == "running" {
            return Ok(());
        }
        let tell = |words: &[&str]| match self.output(&mut self.command_of(words)) {
            Ok(text) => text,
            Err(error) => format!("{error:#}\n"),
        };
        bail!(
            "the machine is {state:?}, not running:\n{}{}{}",
            tell(&["systemctl", "--no-pager", "list-jobs"]),
            tell(&["systemctl", "--no-pager", "--failed"]),
            tell(&["journalctl", "--no-pager", "--lines=60"])
        )
    }

    /// A command that runs there as root.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command.args(["env", "-i", PATH, "HOME=/root"]).arg(program);
        command
    }

    /// A command that runs there as [`ACCOUNT`] does after a login.
    #[must_use]
    pub fn user_command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        command
            .args(["setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT])
            .args(["--init-groups", "env", "-i", PATH])
            .args([&format!("HOME={HOME}"), &format!("USER={ACCOUNT}")])
            .arg(format!("XDG_RUNTIME_DIR=/run/user/{USER}"))
            .arg(format!(
                "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/{USER}/bus"
            ))
            .arg(program);
        command
    }

    /// The prefix that runs a command there, on the machine's host.
    #[must_use]
    pub fn entrance(&self) -> Vec<OsString> {
        let target = format!("--target={}", self.init);
        let namespaces = [
            "--mount", "--uts", "--ipc", "--pid", "--cgroup", "--root", "--wd",
        ];
        let words = ["nsenter", &target].into_iter().chain(namespaces);
        words.map(OsString::from).collect()
    }

    fn enter(&self) -> Command {
        let words = self.entrance();
        let mut words = words.iter();
        let mut command = self.host.command(words.next().expect("a program"));
        command.args(words);
        command
    }

    fn command_of(&self, words: &[&str]) -> Command {
        let mut words = words.iter();
        let mut command = self.command(words.next().copied().unwrap_or("true"));
        command.args(words);
        command
    }

    /// Runs a command there as root to its end.
    ///
    /// # Panics
    /// When it can't be run or fails.
    pub fn run(&self, words: &[&str]) -> String {
        self.output(&mut self.command_of(words))
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The same as [`ACCOUNT`].
    ///
    /// # Panics
    /// When it can't be run or fails.
    pub fn run_as_user(&self, words: &[&str]) -> String {
        let (program, arguments) = words.split_first().expect("a program");
        self.output(self.user_command(program).args(arguments))
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let Output {
            status,
            stdout,
            stderr,
        } = command
            .stdin(Stdio::null())
            .output()
            .context("running nsenter")?;
        let (text, complaint) = (
            String::from_utf8_lossy(&stdout),
            String::from_utf8_lossy(&stderr),
        );
        ensure!(
            status.success(),
            "{command:?} on {}: {status}: {complaint}{text}",
            self.host.name()
        );
        Ok(text.into_owned())
    }

    /// Where a path of it is found from here.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        Path::new(&format!("/proc/{}/root{inside}", self.init)).to_owned()
    }

    /// Writes a file there, and its folders, as root.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, inside: &str, text: &str) {
        let path = self.path(inside);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, text))
            .unwrap_or_else(|error| panic!("writing {inside}: {error}"));
    }

    /// The state of a unit: `active`, `inactive`, `failed`...
    #[must_use]
    pub fn unit_state(&self, unit: &str) -> String {
        state(self.command("systemctl").args(["is-active", unit]))
    }

    /// The state of a unit of [`ACCOUNT`]'s.
    #[must_use]
    pub fn user_unit_state(&self, unit: &str) -> String {
        state(
            self.user_command("systemctl")
                .args(["--user", "is-active", unit]),
        )
    }

    /// Its init's process number, as seen from outside.
    #[must_use]
    pub fn init(&self) -> u32 {
        self.init
    }

    /// Its control group, as seen from outside.
    #[must_use]
    pub fn group(&self) -> &Path {
        &self.group
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        cgroup::kill(&self.group);
        // Its child, the machine's init, is killed with it, and with that one all the others.
        drop(self.outer.take());
        if wait::attempt(wait::LONG, || cgroup::remove(&self.group).ok()).is_none() {
            eprintln!("{} can't be removed", self.group.display());
        }
    }
}

/// The output of systemctl, whatever its exit code, which means the same.
fn state(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("nsenter can be run");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
