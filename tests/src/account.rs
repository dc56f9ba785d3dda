//! An account on a host of the lab, which has its home at the same path on every host, and sshd, which lets in the
//! keys in its `authorized_keys`.
//!
//! Each account has process, mount and host name namespaces of its own, as on a machine of its own: whether a process
//! of another host lives is not to be seen. Its files are in the lab's directory, and so can be written from outside.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    lab::{Host, Lab, Process, failover_binary},
    skip, wait,
};

/// Its name.
pub const NAME: &str = "alice";
/// Its home, on every host.
pub const HOME: &str = "/mnt/home";
/// Where the program under test is there.
pub const FAILOVER: &str = "/mnt/bin/failover";
/// Its number, and that of its group: hardly anybody's else.
const USER: u32 = 47_012;
/// Where the files of its host's sshd are there: root's, and the same for all that runs on the host.
pub const SSHD: &str = "/mnt/sshd";
/// Where sshd listens.
pub const SSH_PORT: u16 = 22;

/// An account on a host.
#[derive(Clone, Debug)]
pub struct Account {
    host: Host,
    directory: PathBuf,
    hidden: Vec<PathBuf>,
    shown: Vec<(PathBuf, PathBuf)>,
    counted_in: Option<PathBuf>,
}

impl Account {
    /// On this host.
    ///
    /// # Panics
    /// When the lab's directory can't be written to.
    #[must_use]
    pub fn new(lab: &Lab, host: &Host) -> Self {
        let directory = lab.directory().join(format!("account-{}", host.name()));
        let this = Self {
            host: host.clone(),
            directory,
            hidden: Vec::new(),
            shown: Vec::new(),
            counted_in: None,
        };
        for folder in [this.home(), this.directory.join("sshd")] {
            fs::create_dir_all(folder).expect("making the account's folders");
        }
        fs::set_permissions(this.home(), fs::Permissions::from_mode(0o700))
            .expect("closing the account's home");
        this.own(&this.home());
        let entries = [
            (
                "passwd",
                format!(
                    "root:x:0:0::/root:/bin/sh\nsshd:x:105:65534::/run/sshd:/bin/false\n{NAME}:x:{USER}:{USER}::{HOME}:/bin/sh\n"
                ),
            ),
            (
                "group",
                format!("root:x:0:\nnogroup:x:65534:\n{NAME}:x:{USER}:\n"),
            ),
            (
                "shadow",
                format!("root:*:20000:0:99999:7:::\n{NAME}:*:20000:0:99999:7:::\n"),
            ),
        ];
        for (name, text) in entries {
            fs::write(this.directory.join(name), text).expect("writing the accounts");
        }
        this
    }

    /// The same without these programs.
    #[must_use]
    pub fn without(mut self, programs: &[&str]) -> Self {
        let programs = programs
            .iter()
            .filter_map(|program| fs::canonicalize(program).ok());
        self.hidden.extend(programs);
        self
    }

    /// The same with this folder, which it sees elsewhere below `/mnt`.
    #[must_use]
    pub fn with(mut self, folder: &Path, there: &str) -> Self {
        self.shown.push((folder.to_owned(), there.into()));
        self
    }

    /// The same, whose commands and sshd enter a control group by this `cgroup.procs` of it: not what sets up their
    /// namespaces.
    #[must_use]
    pub fn counted_in(mut self, group: PathBuf) -> Self {
        self.counted_in = Some(group);
        self
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its home, as it is seen from outside.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    /// Where a path of it, as it sees that, is found from outside.
    ///
    /// # Panics
    /// When it isn't below its home.
    #[must_use]
    pub fn outside(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix(HOME).expect("a path below the home");
        self.home().join(inside)
    }

    /// Gives a path, and all that is below it, to the account.
    ///
    /// # Panics
    /// When that isn't possible.
    pub fn own(&self, path: &Path) {
        let metadata = fs::symlink_metadata(path).expect("a path of the account");
        std::os::unix::fs::lchown(path, Some(USER), Some(USER)).expect("giving it to the account");
        if metadata.is_dir() {
            for entry in fs::read_dir(path).expect("reading a folder of the account") {
                self.own(&entry.expect("an entry").path());
            }
        }
    }

    /// Writes a file below its home, and its folders.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.home().join(name);
        let folder = path.parent().expect("a folder");
        fs::create_dir_all(folder).expect("making the file's folder");
        fs::write(&path, text).expect("writing a file of the account");
        let mut place = path.as_path();
        while place != self.home() {
            chown(place, Some(USER), Some(USER)).expect("giving it to the account");
            place = place.parent().expect("below the home");
        }
    }

    /// A command of its own there.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.enter();
        let user = USER.to_string();
        command.args([
            "setpriv",
            "--reuid",
            &user,
            "--regid",
            &user,
            "--clear-groups",
        ]);
        command.args([
            "env",
            "-i",
            &format!("HOME={HOME}"),
            &format!("USER={NAME}"),
        ]);
        command.arg(path()).arg(program);
        command
    }

    /// A command of root's there: the program follows as an argument.
    #[must_use]
    pub fn enter(&self) -> Command {
        let directory = self.directory.display();
        let binary = failover_binary();
        let binaries = binary.parent().expect("a folder").display().to_string();
        let hidden: String = self
            .hidden
            .iter()
            .map(|program| format!("mount --bind /dev/null '{}'\n", program.display()))
            .collect();
        let shown: String = self
            .shown
            .iter()
            .map(|(here, there)| (here.display(), there.display()))
            .map(|(here, there)| format!("mkdir '{there}'\nmount --bind '{here}' '{there}'\n"))
            .collect();
        // The process that writes, whatever its number outside is (cgroups(7)).
        let counted = self.counted_in.iter();
        let counted: String = counted
            .map(|group| format!("echo 0 >'{}'\n", group.display()))
            .collect();
        let script = format!(
            "set -e\n\
             hostname {name}\n\
             mount -t tmpfs -o mode=0755 tmpfs /mnt\n\
             mkdir {HOME} /mnt/bin {SSHD}\n\
             mount --bind '{directory}/sshd' {SSHD}\n\
             mount --bind '{directory}/home' {HOME}\n\
             mount --bind '{binaries}' /mnt/bin\n\
             for file in passwd group shadow; do mount --bind '{directory}'/$file /etc/$file; done\n\
             mount -t tmpfs -o mode=0755 tmpfs /run\n\
             mkdir -m 0755 /run/sshd\n\
             mount -t tmpfs -o mode=1777 tmpfs /tmp\n\
             {hidden}{shown}{counted}\
             cd {HOME}\n\
             exec \"$@\"\n",
            name = self.host.name().to_lowercase(),
        );
        let mut command = self.host.command("unshare");
        command.args([
            "--mount",
            "--pid",
            "--uts",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ]);
        command.args(["/bin/sh", "-c", &script, "account"]);
        command
    }

    /// Runs sshd, and waits until it listens; `None` where there is none, which counts as skipped.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn sshd(&self) -> Option<Process> {
        let Some(sshd) = program("sshd") else {
            skip("there is no sshd (Debian's openssh-server, which `cargo xtask test` unpacks)");
            return None;
        };
        let key = self.directory.join("sshd/host_key");
        if !key.exists() {
            key_pair(&key);
        }
        let configuration = sshd_configuration(&format!("{SSHD}/host_key"));
        let file = self.directory.join("sshd/config");
        fs::write(&file, configuration).expect("writing sshd's configuration");
        let log = fs::File::create(self.directory.join("sshd/log")).expect("making sshd's log");
        let mut command = self.enter();
        command
            .arg(sshd)
            .args(["-D", "-e", "-f", &format!("{SSHD}/config")]);
        let spawned = self.host.spawn(command.stdout(Stdio::null()).stderr(log));
        let mut process = spawned.unwrap_or_else(|error| panic!("{error:#}"));
        wait::until("sshd listens", wait::LONG, || {
            if let Some(status) = process.ended() {
                let log = fs::read_to_string(self.directory.join("sshd/log"));
                panic!("sshd: {status}: {log:?}");
            }
            self.host.listens(SSH_PORT).then_some(())
        });
        Some(process)
    }

    /// The line for `known_hosts` of who connects to it.
    ///
    /// # Panics
    /// When it has no sshd.
    #[must_use]
    pub fn known_host(&self) -> String {
        let key = fs::read_to_string(self.directory.join("sshd/host_key.pub")).expect("a host key");
        format!("{} {key}", self.host.address())
    }

    /// Makes a key pair below its home, and returns the public one.
    ///
    /// # Panics
    /// When ssh-keygen fails.
    #[must_use]
    pub fn make_key(&self, name: &str) -> String {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making the key's folder");
        key_pair(&path);
        self.own(&self.home());
        fs::read_to_string(path.with_extension("pub")).expect("the public key")
    }
}

/// Of an sshd with this host key, for accounts with a key of their own.
#[must_use]
pub fn sshd_configuration(host_key: &str) -> String {
    format!(
        "HostKey {host_key}\n\
         ListenAddress 0.0.0.0:{SSH_PORT}\n\
         AuthorizedKeysFile .ssh/authorized_keys\n\
         StrictModes no\n\
         UsePAM no\n\
         PidFile none\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         Subsystem sftp internal-sftp\n\
         SetEnv {path}\n",
        path = path(),
    )
}

/// Makes a key pair.
///
/// # Panics
/// When ssh-keygen fails.
pub fn key_pair(path: &Path) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path)
        .status();
    assert!(made.expect("ssh-keygen can be run").success());
}

/// `PATH` with what cargo xtask has unpacked.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("PATH={path}:/usr/bin:/bin:/usr/sbin:/sbin")
}

/// A program of this machine, or one that cargo xtask has unpacked.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = path();
    let folders = std::env::split_paths(path.trim_start_matches("PATH="));
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
