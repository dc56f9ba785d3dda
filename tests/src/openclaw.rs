//! The real gateway on a host of the lab: as an account without rights, with a home, a `/tmp` and a
//! mount namespace of its own. There is no service manager there, so it is started as people do in
//! containers: `openclaw gateway run`.

use std::{
    env, fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    PORT,
    lab::{Host, Lab, Process},
    moment::Moment,
    wait,
};

/// The variable in which `cargo xtask test --openclaw` passes the path of the real gateway.
const OPENCLAW_VARIABLE: &str = "FAILOVER_OPENCLAW";
/// Its listener is there after 5 to 14 s, or far later on a machine that is busy.
pub const LONGEST_START: Duration = Duration::from_secs(180);
/// Under this name it has its home and its program in its mount namespace.
const PLACE: &str = "/mnt";

/// The folder with the real gateway: `bin/openclaw` is the program.
///
/// # Panics
/// When its path isn't configured.
#[must_use]
pub fn folder() -> PathBuf {
    let folder = env::var_os(OPENCLAW_VARIABLE).map(PathBuf::from);
    folder.unwrap_or_else(|| {
        panic!(
            "{OPENCLAW_VARIABLE} doesn't tell where OpenClaw is; run through cargo xtask test \
             --openclaw"
        )
    })
}

/// A gateway that can be run on a host.
#[derive(Clone, Debug)]
pub struct OpenClaw {
    host: Host,
    directory: PathBuf,
}

impl OpenClaw {
    /// On this host, with this account's number.
    ///
    /// # Panics
    /// When the lab's directory can't be written to.
    #[must_use]
    pub fn new(lab: &Lab, host: &Host, account: u32) -> Self {
        let directory = lab.directory().join(format!("openclaw-{account}"));
        let this = Self {
            host: host.clone(),
            directory,
        };
        let home = this.home();
        fs::create_dir_all(&home).expect("making the account's home");
        chown(&home, Some(account), Some(account)).expect("giving the account its home");
        let accounts = format!(
            "root:x:0:0::/root:/bin/sh\nopenclaw:x:{account}:{account}::{PLACE}/home:/bin/sh\n"
        );
        fs::write(this.directory.join("passwd"), accounts).expect("writing the accounts");
        this.script("run", &this.run_script(account));
        this.script("start", &this.start_script());
        this.script("stop", &this.stop_script());
        this
    }

    /// In the foreground, and with the exit code of the gateway.
    fn run_script(&self, account: u32) -> String {
        let (openclaw, directory) = (folder(), self.directory.display());
        format!(
            "mount -t tmpfs -o mode=0755 tmpfs {PLACE}\n\
             mkdir {PLACE}/openclaw {PLACE}/home\n\
             mount --bind '{}' {PLACE}/openclaw\n\
             mount --bind '{directory}/home' {PLACE}/home\n\
             mount --bind '{directory}/passwd' /etc/passwd\n\
             mount -t tmpfs -o mode=1777 tmpfs /tmp\n\
             cd {PLACE}/home\n\
             exec setpriv --reuid {account} --regid {account} --clear-groups env -i \
             HOME={PLACE}/home PATH={PLACE}/openclaw/bin:/usr/bin:/bin \
             OPENCLAW_GATEWAY_TOKEN=test OPENCLAW_DISABLE_BONJOUR=1 \
             openclaw gateway run --allow-unconfigured --bind lan --auth token --port {PORT}\n",
            openclaw.display()
        )
    }

    /// Leaves a gateway behind.
    fn start_script(&self) -> String {
        let directory = self.directory.display();
        format!(
            "setsid unshare --mount '{directory}/run' </dev/null >>'{directory}/log' 2>&1 &\n\
             echo $! >'{directory}/pid'\n"
        )
    }

    /// Returns once its processes are gone.
    fn stop_script(&self) -> String {
        let directory = self.directory.display();
        format!(
            "group=$(cat '{directory}/pid')\n\
             kill -s TERM -- \"-$group\" || exit 0\n\
             while kill -s 0 -- \"-$group\" 2>/dev/null; do sleep 0.1; done\n"
        )
    }

    fn script(&self, name: &str, text: &str) {
        let script = format!("#!/bin/sh\nset -e\n{text}");
        Lab::write_program(&self.directory.join(name), &script);
    }

    /// A command line that runs it in the foreground.
    #[must_use]
    pub fn run_line(&self) -> String {
        format!("unshare --mount '{}'", self.directory.join("run").display())
    }

    /// A command line that starts it, and returns at once.
    #[must_use]
    pub fn start_line(&self) -> String {
        format!("'{}'", self.directory.join("start").display())
    }

    /// A command line that stops what [`Self::start_line`] started.
    #[must_use]
    pub fn stop_line(&self) -> String {
        format!("'{}'", self.directory.join("stop").display())
    }

    /// Its account's home.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.directory.join("home")
    }

    /// Writes its configuration.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn configure(&self, text: &str) {
        let folder = self.home().join(".openclaw");
        fs::create_dir_all(&folder).expect("making the gateway's folder");
        fs::write(folder.join("openclaw.json"), text).expect("writing the configuration");
        let owner =
            fs::metadata(self.home()).map(|home| std::os::unix::fs::MetadataExt::uid(&home));
        chown(&folder, owner.ok(), None).expect("giving the account its folder");
    }

    /// Runs it, and waits until it is healthy.
    ///
    /// # Panics
    /// When it doesn't become healthy soon.
    #[must_use]
    pub fn start(&self) -> Running {
        let log = fs::File::options()
            .append(true)
            .create(true)
            .open(self.directory.join("log"))
            .expect("opening the gateway's log");
        let mut command = self.host.command("unshare");
        command
            .arg("--mount")
            .arg(self.directory.join("run"))
            .stdout(log.try_clone().map_or(Stdio::null(), Stdio::from))
            .stderr(log)
            .process_group(0);
        let process = self
            .host
            .spawn(&mut command)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let mut running = Running(process);
        wait::until("the real gateway listens", LONGEST_START, || {
            if let Some(status) = running.0.ended() {
                panic!("{status}: {}", self.log());
            }
            self.host.listens(PORT).then_some(())
        });
        running
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.directory.join("log"))
    }
}

/// A real gateway that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Running(Process);

impl Running {
    /// Sends a signal to it and its children, and returns when.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Moment {
        let group = i32::try_from(self.0.pid()).ok().and_then(Pid::from_raw);
        let now = Moment::now();
        kill_process_group(group.expect("a process number"), signal).expect("it runs");
        now
    }

    /// Kills it and its children, and returns when.
    pub fn kill(self) -> Moment {
        self.signal(Signal::KILL)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.0.pid()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| format!("{}: {error}", path.display()))
}
