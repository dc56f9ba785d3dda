//! PC-B with a gateway that is kept ready, the scripted one or the real one: it is its account's user unit, and the
//! daemon is the unit that the package brings.
//!
//! Here is how what may happen to it is brought about, and how to see that it was held through; [`crate::openclaw_unit`]
//! has the daemon's part.

pub mod scenarios;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    time::Duration,
};

use failover_linux::bpf::sent::SentCounter;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    PORT, http,
    lab::{
        Lab, Machine, Process, SwitchPort,
        machine::{HOME, USER},
    },
    moment::Moment,
    openclaw::LONGEST_START,
    openclaw_unit::{
        self, UNIT, await_seen, await_state, await_status, configure_daemon, log, run_daemon,
    },
    out_of_memory, wait,
    watch::ListenWatch,
};

/// Which gateway it has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Gateway {
    /// The lab's own.
    Scripted,
    /// OpenClaw, as it installs itself.
    Real,
}

/// A gateway that is parked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Parked {
    /// Its process, as the machine numbers it.
    pub process: u64,
    /// Since when this daemon knows it.
    pub since: Timestamp,
}

impl Parked {
    /// As the status has it, once somebody has looked at it.
    fn of(status: &Value) -> Option<Self> {
        Some(Self {
            process: at(status, "/standby/parked/pid").as_u64()?,
            since: at(status, "/standby/since").as_str()?.parse().ok()?,
        })
    }
}

/// See the module.
#[derive(Debug)]
pub struct StandbySite {
    machine: Machine,
    primary: Option<Process>,
    gateway: Gateway,
    lab: Lab,
}

impl StandbySite {
    /// A machine whose daemon has these options and has seen the primary; `None` where none can be booted, which counts
    /// as skipped.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn new(gateway: Gateway, options: &str) -> Option<Self> {
        let site = Self::without_daemon(gateway)?;
        run_daemon(&site.lab, &site.machine, &site.options(options));
        await_seen(&site.machine);
        Some(site)
    }

    /// The same before there is a daemon.
    ///
    /// # Panics
    /// When it doesn't come up.
    #[must_use]
    pub fn without_daemon(gateway: Gateway) -> Option<Self> {
        let lab = Lab::new();
        let machine = match gateway {
            Gateway::Real => openclaw_unit::machine(&lab)?,
            Gateway::Scripted => Machine::boot(&lab, &[])?,
        };
        if gateway == Gateway::Scripted {
            install_scripted(&lab, &machine);
        }
        let mut site = Self {
            machine,
            primary: None,
            gateway,
            lab,
        };
        site.primary_returns();
        Some(site)
    }

    fn options(&self, more: &str) -> String {
        // Time to park between two strikes.
        let interval = match self.gateway {
            Gateway::Real => "20s",
            Gateway::Scripted => "3s",
        };
        format!(
            "gateway = \"systemd-user\"\ncheck = \"tcp\"\ninterval = \"{interval}\"\ntimeout = \"1s\"\n{more}"
        )
    }

    /// Writes the configuration that the next start of the daemon reads.
    pub fn configure(&self, options: &str) {
        configure_daemon(&self.lab, &self.machine, &self.options(options));
    }

    /// Its hosts.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Where it runs.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// PC-B's listeners, from now on.
    #[must_use]
    pub fn watch(&self) -> ListenWatch {
        ListenWatch::of(self.lab.host_b())
    }

    fn cable(&self) -> SwitchPort<'_> {
        self.lab.switch_port(self.lab.host_b())
    }

    /// PC-A's gateway is killed.
    ///
    /// # Panics
    /// When it doesn't run.
    pub fn primary_dies(&mut self) {
        self.primary.take().expect("the primary runs").kill();
    }

    /// The same, and when.
    pub fn primary_killed(&mut self) -> Option<Moment> {
        self.primary.take().map(Process::kill)
    }

    /// PC-A's cable is cut, and when.
    pub fn cut_primary(&self) -> Moment {
        self.lab.switch_port(self.lab.host_a()).down()
    }

    /// PC-A's cable is in again, and when.
    pub fn mend_primary(&self) -> Moment {
        self.lab.switch_port(self.lab.host_a()).up()
    }

    /// PC-A's gateway is started.
    ///
    /// # Panics
    /// When it doesn't listen.
    pub fn primary_returns(&mut self) {
        let primary = self.lab.host_a().gateway();
        self.primary = Some(primary.expect("PC-A's gateway starts"));
    }

    /// The primary dies, and the first strike has its gateway parked. No further one comes, however long that takes:
    /// without a path probes say nothing.
    ///
    /// # Panics
    /// When it isn't parked.
    pub fn suspicion_parks(&mut self) {
        self.primary_dies();
        await_state(&self.machine, "suspect", wait::LONG);
        self.cable().down();
        let status = self.becomes("parked");
        assert_eq!(at(&status, "/state"), "suspect", "{status:#}");
    }

    /// The primary is back in time, and nothing is left of what was parked.
    ///
    /// # Panics
    /// When anything is.
    pub fn suspicion_ends_well(&mut self) {
        self.primary_returns();
        self.cable().up();
        self.becomes("cold");
        await_state(&self.machine, "standby", wait::LONG);
        self.assert_nothing_is_left();
    }

    /// The path to the primary, which is still dead, is back.
    pub fn suspicion_goes_on(&self) {
        self.cable().up();
    }

    /// Waits until the standby is in this state, and returns the status.
    ///
    /// # Panics
    /// With the log, when it isn't in time.
    pub fn becomes(&self, state: &str) -> Value {
        let what = format!("standby {state}");
        await_status(&self.machine, &what, LONGEST_START, |status| {
            at(status, "/standby/state") == state
        })
    }

    /// Waits until a gateway is parked.
    ///
    /// # Panics
    /// With the log, when none is in time.
    #[must_use]
    pub fn parked(&self) -> Parked {
        self.parked_where("parked", |_| true)
    }

    /// Waits until another gateway is parked than this one.
    ///
    /// # Panics
    /// With the log, when none is in time.
    #[must_use]
    pub fn parked_again(&self, before: Parked) -> Parked {
        self.parked_where("parked again", |parked| parked.process != before.process)
    }

    fn parked_where(&self, what: &str, wanted: impl Fn(Parked) -> bool) -> Parked {
        let found = |status: &Value| Parked::of(status).filter(|parked| wanted(*parked));
        let status = await_status(&self.machine, what, LONGEST_START, |status| {
            found(status).is_some()
        });
        found(&status).expect("just seen")
    }

    /// Waits until the local gateway serves.
    ///
    /// # Panics
    /// With the log, when it doesn't in time.
    pub fn serves(&self) {
        await_state(&self.machine, "active", LONGEST_START);
        assert!(self.lab.host_b().listens(PORT), "{}", log(&self.machine));
        assert_eq!(self.machine.user_unit_state(UNIT), "active");
    }

    /// The local gateway answers, and so it sends something.
    ///
    /// # Panics
    /// When it doesn't in time.
    pub fn answers(&self) {
        wait::until("it answers", LONGEST_START, || {
            let address = ([127, 0, 0, 1], PORT).into();
            let answer = http::get(self.lab.host_b(), address, "/healthz").ok()?;
            answer.body.contains("\"ok\":true").then_some(())
        });
    }

    /// Neither a process nor what held it.
    ///
    /// # Panics
    /// When there is something.
    pub fn assert_nothing_is_left(&self) {
        let has_ended = wait::attempt(wait::LONG, || {
            (self.machine.user_unit_state(UNIT) == "inactive").then_some(())
        });
        assert!(
            has_ended.is_some(),
            "the unit has not ended\n{}",
            log(&self.machine)
        );
        for path in [
            format!("/run/user/{USER}/systemd/user/{UNIT}.d"),
            format!("/sys/fs/bpf/failover/parking/{PORT}"),
            format!("/run/failover/parking-{PORT}.json"),
        ] {
            assert!(!self.machine.path(&path).exists(), "{path}");
        }
        assert!(!self.group().exists(), "{}", self.group().display());
    }

    /// The gateway's control group, as seen from outside.
    #[must_use]
    pub fn group(&self) -> PathBuf {
        self.machine.group().join(format!(
            "user.slice/user-{USER}.slice/user@{USER}.service/app.slice/{UNIT}"
        ))
    }

    /// The number of that, while it exists.
    ///
    /// # Panics
    /// When it doesn't.
    #[must_use]
    pub fn group_number(&self) -> u64 {
        let folder = fs::metadata(self.group()).expect("the unit has a control group");
        folder.ino()
    }

    /// Its account has systemd do this to its unit.
    pub fn systemctl(&self, words: &[&str]) {
        let command = [&["systemctl", "--user"], words, &[UNIT]].concat();
        self.machine.run_as_user(&command);
    }

    /// Its account thaws its control group, as it may.
    pub fn thaw(&self) {
        let group = format!(
            "/sys/fs/cgroup/user.slice/user-{USER}.slice/user@{USER}.service/app.slice/{UNIT}"
        );
        let thaw = format!("echo 0 >{group}/cgroup.freeze");
        self.machine.run_as_user(&["sh", "-c", &thaw]);
    }

    /// The unit's process, as the machine numbers it.
    ///
    /// # Panics
    /// When its manager doesn't tell.
    #[must_use]
    pub fn main_process(&self) -> u64 {
        let show = [
            "systemctl",
            "--user",
            "show",
            "--value",
            "--property=MainPID",
            UNIT,
        ];
        let text = self.machine.run_as_user(&show);
        text.trim().parse().expect("a process number")
    }

    /// Another program listens on the gateway's port, which SO_REUSEADDR allows it while the gateway is parked.
    ///
    /// # Panics
    /// When it may not.
    #[must_use]
    pub fn stranger(&self) -> TcpListener {
        let address = SocketAddr::from(([0, 0, 0, 0], PORT));
        let stranger = self.lab.host_b().listen(address, 1);
        stranger.expect("SO_REUSEADDR lets it listen")
    }

    /// Changes a file that the gateway has read by the time that it is parked.
    pub fn change_configuration(&self) {
        let file = format!("{HOME}/.openclaw/openclaw.json");
        let old = fs::read_to_string(self.machine.path(&file)).unwrap_or_default();
        openclaw_unit::configure_gateway(&self.machine, &format!("{old}\n"));
    }

    /// A program uses up its memory, and the kernel's OOM killer ends the parked process for it. `None`: this kernel has
    /// no control groups for memory.
    ///
    /// # Panics
    /// When it isn't ended.
    #[must_use]
    pub fn runs_out_of_memory(&self, pid: u64) -> Option<()> {
        let processes = fs::read_to_string(self.group().join("cgroup.procs"));
        let processes = processes.expect("the unit has a control group");
        // As this test numbers it.
        let process = processes.lines().find(|process| {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let inside = numbers.and_then(|numbers| numbers.split_whitespace().last());
            inside == Some(&pid.to_string())
        });
        let process = process.and_then(|process| process.parse().ok());
        out_of_memory::end(&self.lab, &self.group(), process.expect("it runs"))
    }

    /// How long a change is looked for that must not come: longer than the daemon's looks at a parked gateway are apart.
    pub const WHILE: Duration = Duration::from_secs(6);
}

/// What the status has there (RFC 6901).
fn at<'status>(status: &'status Value, pointer: &str) -> &'status Value {
    status.pointer(pointer).unwrap_or(&Value::Null)
}

/// As its account's unit of OpenClaw's name, with what OpenClaw's has.
fn install_scripted(lab: &Lab, machine: &Machine) {
    let folder = format!("{HOME}/.config/systemd/user");
    machine.run_as_user(&["mkdir", "-p", &folder]);
    machine.run_as_user(&["mkdir", "-m", "700", &format!("{HOME}/.openclaw")]);
    let unit = format!(
        "[Service]\nExecStart={} gateway --listen 0.0.0.0:{PORT}\nRestart=always\nRestartSec=100ms\nKillMode=mixed\n",
        lab.binary().display()
    );
    machine.write(&format!("{folder}/{UNIT}"), &unit);
    machine.run_as_user(&["systemctl", "--user", "daemon-reload"]);
}

/// What this process has counted of a control group's packets.
///
/// # Panics
/// When the kernel doesn't count.
#[must_use]
pub fn packets(counter: &SentCounter, group: u64) -> u64 {
    let sent = counter.sent(group).expect("the counter can be read");
    sent.expect("few enough groups have sent something")
}
