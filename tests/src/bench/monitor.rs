//! The three that are compared, each set up the way its own users would: the shell loop, keepalived
//! and failover. All run the same start and stop commands on PC-B.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command as Process, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::cgroup::Cgroup;
use crate::{
    PORT,
    commands::{Command, Commands},
    lab::{self, Lab},
};

/// Who watches PC-A.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Monitor {
    Loop,
    Keepalived,
    Failover,
}

impl Monitor {
    pub(super) const ALL: [Self; 3] = [Self::Loop, Self::Keepalived, Self::Failover];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Keepalived => "keepalived",
            Self::Failover => "failover",
        }
    }
}

/// How often it looks, and how patient it is. The same for all three; what else they have stays at
/// its default.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    pub(super) name: &'static str,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) strikes: u32,
}

/// What people start with.
pub(super) const MISSION: Timing = Timing {
    name: "30s/5s/3",
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(5),
    strikes: 3,
};

/// As fast as whole seconds go.
pub(super) const FAST: Timing = Timing {
    name: "1s/1s/3",
    interval: Duration::from_secs(1),
    timeout: Duration::from_secs(1),
    strikes: 3,
};

/// A monitor that runs on a lab's PC-B. Dropping it kills it.
pub(super) struct Running {
    pub(super) commands: Commands,
    _process: lab::Process,
}

/// Starts a monitor on PC-B, in the group of processes whose use is counted.
pub(super) fn start(
    monitor: Monitor,
    timing: Timing,
    lab: &Lab,
    failover: &Path,
    cgroup: &Cgroup,
) -> Result<Running> {
    let place = Place::new(lab)?;
    let words = match monitor {
        Monitor::Loop => place.shell_loop()?,
        Monitor::Keepalived => place.keepalived(timing)?,
        Monitor::Failover => place.failover(timing, failover),
    };
    // Enters the group before anything is run: what is forked later is in it, too.
    let enter = [
        "sh".into(),
        "-c".into(),
        format!(r#"echo $$ >"{}" && exec "$@""#, cgroup.procs().display()),
        "sh".into(),
    ];
    let mut command = host_command(lab, &[&enter, words.as_slice()].concat())?;
    place.environment(&mut command, timing);
    let process = lab.host_b().spawn(&mut command)?;
    Ok(Running {
        commands: place.commands,
        _process: process,
    })
}

fn host_command(lab: &Lab, words: &[String]) -> Result<Process> {
    let (program, arguments) = words.split_first().context("an empty command")?;
    let mut command = lab.host_b().command(program);
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}

/// A monitor's files and settings.
struct Place {
    directory: PathBuf,
    commands: Commands,
    primary: String,
    start: String,
    stop: String,
}

impl Place {
    fn new(lab: &Lab) -> Result<Self> {
        let directory = lab.directory().join("pc-b");
        let commands = Commands::new(&directory, lab.binary())?;
        // The loop and keepalived split commands at spaces and know no quotes.
        let script = |command, name: &str| {
            let file = directory.join(name);
            let text = format!("#!/bin/sh\nexec {}\n", commands.line(command));
            fs::write(&file, text).context("writing a command's script")?;
            anyhow::Ok(format!("sh {}", file.display()))
        };
        Ok(Self {
            start: script(Command::Start, "start.sh")?,
            stop: script(Command::Stop, "stop.sh")?,
            primary: lab.host_a().address().to_string(),
            directory,
            commands,
        })
    }

    fn environment(&self, command: &mut Process, timing: Timing) {
        command
            .env("PEER", &self.primary)
            .env("PORT", PORT.to_string())
            .env("INTERVAL", timing.interval.as_secs().to_string())
            .env("TIMEOUT", timing.timeout.as_secs().to_string())
            .env("STRIKES", timing.strikes.to_string())
            .env("START", &self.start)
            .env("STOP", &self.stop);
    }

    fn shell_loop(&self) -> Result<Vec<String>> {
        let script = self.directory.join("loop.sh");
        fs::write(&script, include_str!("loop.sh")).context("writing the shell loop")?;
        Ok(vec!["bash".to_owned(), script.display().to_string()])
    }

    /// keepalived.conf(5), 2.2: the check succeeds while the primary is gone, so that the virtual
    /// router's master is the host that should serve. Adverts of 0.1 s, the shortest that are usual, since
    /// a master is one only after three of them.
    fn keepalived(&self, timing: Timing) -> Result<Vec<String>> {
        let check = self.directory.join("primary-gone.sh");
        let script =
            "#!/bin/bash\n! timeout \"$3\" bash -c \"echo > /dev/tcp/$1/$2\" 2>/dev/null\n";
        fs::write(&check, script).context("writing keepalived's check")?;
        let configuration = self.directory.join("keepalived.conf");
        let text = format!(
            "global_defs {{\n\
             script_user root\n\
             vrrp_version 3\n\
             }}\n\
             vrrp_script primary_gone {{\n\
             script \"/bin/bash {check} {primary} {PORT} {timeout}\"\n\
             interval {interval}\n\
             timeout {patience}\n\
             rise {strikes}\n\
             fall 1\n\
             init_fail\n\
             }}\n\
             vrrp_instance gateway {{\n\
             state BACKUP\n\
             interface eth0\n\
             virtual_router_id 51\n\
             priority 100\n\
             advert_int 0.1\n\
             virtual_ipaddress {{\n10.0.0.100/24\n}}\n\
             track_script {{\nprimary_gone\n}}\n\
             notify_master \"{start}\"\n\
             notify_fault \"{stop}\"\n\
             }}\n",
            check = check.display(),
            primary = self.primary,
            timeout = timing.timeout.as_secs(),
            interval = timing.interval.as_secs(),
            // Above the check's own, which alone tells a slow answer from a failed check.
            patience = timing.timeout.as_secs() + 1,
            strikes = timing.strikes,
            start = self.start,
            stop = self.stop,
        );
        fs::write(&configuration, text).context("writing keepalived's configuration")?;
        let file = |name: &str| self.directory.join(name).display().to_string();
        Ok(vec![
            "keepalived".to_owned(),
            "--dont-fork".to_owned(),
            "--vrrp".to_owned(),
            "--use-file".to_owned(),
            configuration.display().to_string(),
            "--pid".to_owned(),
            file("keepalived.pid"),
            "--vrrp_pid".to_owned(),
            file("vrrp.pid"),
        ])
    }

    fn failover(&self, timing: Timing, failover: &Path) -> Vec<String> {
        let option = |name: &str, value: String| [format!("--{name}"), value];
        let seconds = |time: Duration| format!("{}s", time.as_secs());
        let file = |name: &str| self.directory.join(name).display().to_string();
        let mut words = vec![failover.display().to_string(), "run".to_owned()];
        words.extend(
            [
                option("config", "/dev/null".to_owned()),
                option("primary", format!("{}:{PORT}", self.primary)),
                option("interval", seconds(timing.interval)),
                option("timeout", seconds(timing.timeout)),
                option("strikes", timing.strikes.to_string()),
                option("gateway", "command".to_owned()),
                option("start", self.start.clone()),
                option("stop", self.stop.clone()),
                option("state-dir", file("state")),
                option("control", file("control.sock")),
                option("kernel-events", "required".to_owned()),
            ]
            .concat(),
        );
        words
    }
}
