//! How a daemon under test is to run.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use super::{Daemon, deaf::deafen};
use crate::{
    commands::{Command, Commands, Release},
    lab::{ControlGroup, Host, Lab, Machine, failover_binary},
    lines::Lines,
};

/// How the daemon is to run. The times are short ones that suit a loaded machine.
#[derive(Clone, Debug)]
pub struct Setup {
    host: Host,
    pub(super) commands: Commands,
    directory: PathBuf,
    control: PathBuf,
    primary: String,
    interval: Duration,
    recovery_interval: Duration,
    timeout: Duration,
    start_timeout: Duration,
    stop_timeout: Duration,
    /// Whether a primary that was never healthy is taken over.
    arm: &'static str,
    /// The configured kind of gateway.
    gateway: &'static str,
    /// Other start and stop commands than the scripted ones; none are the kind of gateway's own.
    lines: Option<Vec<(&'static str, String)>>,
    /// What runs the daemon, if it isn't run directly.
    wrapper: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    /// The options are in a file instead of on the command line.
    in_file: bool,
    /// It gets no kernel events, and doesn't notice.
    deaf: bool,
    more: Vec<String>,
}

impl Setup {
    /// On PC-B of this lab, watching PC-A.
    ///
    /// # Panics
    /// When the lab's directory can't be written to.
    #[must_use]
    pub fn new(lab: &Lab) -> Self {
        let directory = lab.directory().join("pc-b");
        Self {
            host: lab.host_b().clone(),
            commands: Commands::new(&directory, lab.binary()).expect("preparing the commands"),
            control: directory.join("control.sock"),
            directory,
            primary: lab.host_a().gateway_address().to_string(),
            interval: Duration::from_millis(400),
            recovery_interval: Duration::from_millis(100),
            timeout: Duration::from_millis(250),
            start_timeout: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(2),
            arm: "always",
            gateway: "command",
            lines: None,
            wrapper: Vec::new(),
            environment: Vec::new(),
            in_file: false,
            deaf: false,
            more: Vec::new(),
        }
    }

    /// On another host of the lab.
    #[must_use]
    pub fn on_host(mut self, host: &Host) -> Self {
        self.host = host.clone();
        self
    }

    /// Watching something else.
    #[must_use]
    pub fn primary(mut self, primary: &str) -> Self {
        primary.clone_into(&mut self.primary);
        self
    }

    /// From one probe to the next.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How long a probe may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a start may take.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// How long a stop may take.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// A primary that was never seen healthy isn't taken over, as by default.
    #[must_use]
    pub fn armed_by_a_success(mut self) -> Self {
        self.arm = "seen";
        self
    }

    /// What the runs of the start command do, see [`crate::commands`].
    ///
    /// # Panics
    /// When it can't be written down.
    #[must_use]
    pub fn starts(self, behaviours: &[&str]) -> Self {
        self.plan(Command::Start, behaviours)
    }

    /// What the runs of the stop command do.
    ///
    /// # Panics
    /// When it can't be written down.
    #[must_use]
    pub fn stops(self, behaviours: &[&str]) -> Self {
        self.plan(Command::Stop, behaviours)
    }

    /// With commands of its own in place of the scripted ones, which then know nothing of it.
    #[must_use]
    pub fn command_lines(mut self, start: &str, stop: &str) -> Self {
        let lines = [("start", start), ("stop", stop)];
        self.lines = Some(lines.map(|(name, line)| (name, line.to_owned())).to_vec());
        self
    }

    /// The gateway is of this kind.
    #[must_use]
    pub fn gateway(mut self, kind: &'static str) -> Self {
        self.gateway = kind;
        self
    }

    /// The gateway is of this kind, and is started and stopped by what that brings along.
    #[must_use]
    pub fn gateway_by_itself(mut self, kind: &'static str) -> Self {
        self.lines = Some(Vec::new());
        self.gateway(kind)
    }

    /// The gateway is OpenClaw as far as its commands go: this release's, found in `PATH`.
    ///
    /// # Panics
    /// When its program can't be written.
    #[must_use]
    pub fn openclaw(mut self, release: Release) -> Self {
        let program = self.commands.openclaw(release).expect("a program openclaw");
        let folder = program.parent().expect("it is in a folder").display();
        let path = std::env::var("PATH").unwrap_or_default();
        self.wrapper = ["env".to_owned(), format!("PATH={folder}:{path}")]
            .map(OsString::from)
            .to_vec();
        self.gateway_by_itself("openclaw")
            .argument("--owner=executable:failover-lab")
            .argument("--check=tcp")
    }

    /// On a machine of the lab's, which is PC-B then.
    #[must_use]
    pub fn on(mut self, machine: &Machine) -> Self {
        self.wrapper = machine.entrance();
        self
    }

    /// Accounts and groups are looked up in these files (passwd(5), group(5)), in a mount namespace of
    /// its own.
    #[must_use]
    pub fn accounts(mut self, passwd: &Path, group: &Path) -> Self {
        let shell = r#"mount --bind "$0" /etc/passwd && mount --bind "$1" /etc/group && shift && exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-c", shell]
            .map(OsString::from)
            .to_vec();
        self.wrapper
            .extend([passwd, group].map(|file| file.as_os_str().to_owned()));
        self
    }

    /// In this control group, which is the top of all that it sees of them.
    #[must_use]
    pub fn below(mut self, group: &ControlGroup) -> Self {
        let shell = r#"echo $$ >"$0/cgroup.procs" && exec unshare --cgroup "$@""#;
        self.wrapper = ["sh", "-c", shell].map(OsString::from).to_vec();
        self.wrapper.push(group.path().as_os_str().to_owned());
        self
    }

    /// There is a fence command, and what its runs do.
    ///
    /// # Panics
    /// When it can't be written down.
    #[must_use]
    pub fn fences(self, behaviours: &[&str]) -> Self {
        let line = self.commands.line(Command::Fence);
        let with_fence = self.argument("--fence").argument(&line);
        with_fence.plan(Command::Fence, behaviours)
    }

    fn plan(self, command: Command, behaviours: &[&str]) -> Self {
        self.commands
            .plan(command, behaviours)
            .expect("planning what the commands do");
        self
    }

    /// Names are looked up in this file instead of `/etc/hosts`: in a mount namespace of its own.
    #[must_use]
    pub fn hosts_file(mut self, path: impl Into<PathBuf>) -> Self {
        let shell = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-c", shell]
            .map(OsString::from)
            .to_vec();
        self.wrapper.push(path.into().into_os_string());
        self
    }

    /// Name servers are in this file instead of `/etc/resolv.conf`: in a mount namespace of its own.
    #[must_use]
    pub fn resolver_file(mut self, path: impl Into<PathBuf>) -> Self {
        let shell = r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-c", shell]
            .map(OsString::from)
            .to_vec();
        self.wrapper.push(path.into().into_os_string());
        self
    }

    /// Its state directory is a file system of its own, mounted with these options (tmpfs(5)), in a mount
    /// namespace of its own.
    #[must_use]
    pub fn state_dir_mounted(mut self, options: &str) -> Self {
        let shell =
            r#"mkdir -p "$0" && mount -t tmpfs -o "mode=750,$1" none "$0" && shift && exec "$@""#;
        self.wrapper = ["unshare", "--mount", "sh", "-c", shell]
            .map(OsString::from)
            .to_vec();
        let state_dir = self.state_dir().into_os_string();
        self.wrapper.extend([state_dir, options.into()]);
        self
    }

    /// Root without these capabilities, as capabilities(7) names them, in lower case.
    #[must_use]
    pub fn without_capabilities(mut self, names: &[&str]) -> Self {
        let dropped: Vec<String> = names.iter().map(|name| format!("-{name}")).collect();
        self.wrapper = ["setpriv", "--bounding-set", &dropped.join(",")]
            .map(OsString::from)
            .to_vec();
        self
    }

    /// Its kernel program is loaded and never runs, and it doesn't notice.
    #[must_use]
    pub fn deaf(mut self) -> Self {
        self.deaf = true;
        self
    }

    /// One more variable in its environment.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// With its options in a file, so that they can change while it runs, see [`Self::configure`].
    #[must_use]
    pub fn in_file(mut self) -> Self {
        self.in_file = true;
        self.configure(&[]);
        self
    }

    /// Rewrites its file with these options changed or added: names and values in TOML.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn configure(&self, changes: &[(&str, &str)]) {
        let mut options: BTreeMap<String, String> = self
            .options()
            .into_iter()
            .map(|(name, value)| (name.to_owned(), format!("{value:?}")))
            .chain([("strikes".to_owned(), "3".to_owned())])
            .collect();
        for (name, value) in changes {
            options.insert((*name).to_owned(), (*value).to_owned());
        }
        let lines = options
            .iter()
            .map(|(name, value)| format!("{name} = {value}\n"));
        fs::write(self.file(), lines.collect::<String>()).expect("writing the configuration");
    }

    fn file(&self) -> PathBuf {
        self.directory.join("failover.toml")
    }

    /// But for the strikes, the one number.
    fn options(&self) -> Vec<(&'static str, String)> {
        let time = |time: Duration| format!("{}ms", time.as_millis());
        let path = |path: &Path| path.to_str().expect("the lab's paths are text").to_owned();
        let lines = self.lines.clone().unwrap_or_else(|| {
            vec![
                ("start", self.commands.line(Command::Start)),
                ("stop", self.commands.line(Command::Stop)),
            ]
        });
        let mut options = vec![
            ("primary", self.primary.clone()),
            ("interval", time(self.interval)),
            ("recovery-interval", time(self.recovery_interval)),
            ("timeout", time(self.timeout)),
            ("start-timeout", time(self.start_timeout)),
            ("stop-timeout", time(self.stop_timeout)),
            ("arm", self.arm.to_owned()),
            ("gateway", self.gateway.to_owned()),
            ("state-dir", path(&self.state_dir())),
            ("control", path(self.control())),
        ];
        options.extend(lines);
        options
    }

    /// Where it keeps what survives it.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.directory.join("state")
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }

    /// With its control socket elsewhere.
    #[must_use]
    pub fn control_at(mut self, path: impl Into<PathBuf>) -> Self {
        self.control = path.into();
        self
    }

    /// Its control socket.
    #[must_use]
    pub fn control(&self) -> &Path {
        &self.control
    }

    /// Starts the daemon, and waits until it is armed.
    ///
    /// # Panics
    /// When it can't be run, or ends.
    #[must_use]
    pub fn spawn(self) -> Daemon {
        let words: Vec<OsString> = self
            .wrapper
            .iter()
            .cloned()
            .chain([failover_binary().into_os_string()])
            .collect();
        let (program, arguments) = words.split_first().expect("at least the daemon");
        let mut command = self.host.command(program);
        command
            .args(arguments)
            .args(["run", "--log-format", "json"]);
        if self.in_file {
            command.arg("--config").arg(self.file());
        } else {
            let flags = self.options().into_iter();
            let flags = flags.map(|(name, value)| format!("--{name}={value}"));
            // This machine's own configuration is ignored here.
            let own = self.more.iter().any(|argument| argument == "--config");
            command.args((!own).then_some("--config=/dev/null"));
            command.arg("--strikes=3").args(flags);
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .args(&self.more)
            .env("FAILOVER_LOG", "info,failover=debug")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if self.deaf {
            deafen(&mut command);
        }
        let mut process = self
            .host
            .spawn(&mut command)
            .unwrap_or_else(|error| panic!("{error:#}"));
        let errors = process.child().stderr.take().expect("a pipe");
        let mut daemon = Daemon {
            setup: self,
            process,
            lines: Lines::of(errors),
            read: 0,
        };
        daemon.says("watching", |line| line.message() == "watching");
        daemon
    }
}
