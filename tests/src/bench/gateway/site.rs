//! The machine, its gateway and its daemon; and one takeover, from the third strike on.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::{Mode, serving::Serving};
use crate::{
    bench::{cgroup, megabytes, progress},
    lab::{Lab, Machine, Process, failover_binary, machine::USER},
    moment::Moment,
    openclaw::LONGEST_START,
    openclaw_unit::{self, UNIT, await_seen, await_state, await_status},
    wait,
    watch::ListenWatch,
};

/// Without fence and witnesses. The times come from a file: those in the journal are the journal's.
const OPTIONS: &str = "gateway = \"systemd-user\"\ncheck = \"tcp\"\nlog-format = \"json\"\ndrill-every = \"0s\"\ntimeout = \"1s\"\n";
const LOG: &str = "/run/failover.log";
/// Strikes that come fast, where nothing has to be done before the third.
const FAST: &str = "1s";
/// The default: a warm gateway is parked between the first strike and the third, which comes after 60 s.
const DEFAULT: &str = "30s";
/// For the third strike.
const STRIKES: Duration = Duration::from_secs(120);
/// How long a standby's use is measured.
const STAND_BY: Duration = Duration::from_secs(20);
/// Where the kernel takes the wish to drop what it has cached (sysctl/vm.rst, 6.18): files and directories.
const DROP_CACHES: &str = "/proc/sys/vm/drop_caches";

/// See the module. Dropped in this order.
pub(super) struct Site {
    machine: Machine,
    lab: Lab,
}

/// What is used while nothing happens, of a minute's CPU in milliseconds and of memory in megabytes.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct StandBy {
    pub(super) daemon_cpu_ms_a_minute: f64,
    pub(super) daemon_memory_mb: f64,
    pub(super) gateway_cpu_ms_a_minute: f64,
    pub(super) gateway_memory_mb: f64,
}

/// One takeover, in times since the third strike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// The command was run that starts it or lets it go on.
    pub(super) start: Duration,
    pub(super) listens: Duration,
    pub(super) live: Duration,
    pub(super) ready: Duration,
}

impl Site {
    pub(super) fn new(failover: &Path) -> Result<Self> {
        ensure!(
            failover_binary() == failover,
            "the machine runs {}",
            failover_binary().display()
        );
        let lab = Lab::build()?;
        let machine = openclaw_unit::machine(&lab).context("no machine")?;
        machine.write(
            "/etc/systemd/system/failover.service.d/log.conf",
            &format!("[Service]\nStandardError=append:{LOG}\n"),
        );
        openclaw_unit::run_daemon(&lab, &machine, OPTIONS);
        Ok(Self { machine, lab })
    }

    fn host(&self) -> &crate::lab::Host {
        self.lab.host_b()
    }

    fn primary(&self) -> Result<Process> {
        self.lab.host_a().gateway()
    }

    /// Has the daemon in this mode, and measures what that uses.
    pub(super) fn prepare(&self, mode: Mode) -> Result<StandBy> {
        let (standby, interval) = match mode {
            Mode::Plain => {
                self.machine.run(&["systemctl", "stop", "failover"]);
                return Ok(StandBy::default());
            }
            Mode::Cold | Mode::ColdDroppedCache => ("cold", FAST),
            Mode::Warm => ("warm", DEFAULT),
            Mode::Hot => ("hot", FAST),
        };
        let options = format!("{OPTIONS}standby = \"{standby}\"\ninterval = \"{interval}\"\n");
        openclaw_unit::configure_daemon(&self.lab, &self.machine, &options);
        let _primary = self.primary()?;
        self.machine.run(&["systemctl", "restart", "failover"]);
        await_seen(&self.machine);
        if mode == Mode::Hot {
            self.await_parked();
        }
        // Starting up is over.
        thread::sleep(Duration::from_secs(3));
        let (began, before) = (Moment::now(), self.used()?);
        thread::sleep(STAND_BY);
        let (after, took) = (self.used()?, Moment::now().since(began));
        let a_minute = |after: Duration, before: Duration| {
            (after - before).as_secs_f64() * 1e3 * 60.0 / took.as_secs_f64()
        };
        Ok(StandBy {
            daemon_cpu_ms_a_minute: a_minute(after.daemon, before.daemon),
            daemon_memory_mb: megabytes(cgroup::resident_in(&self.daemon_group())?),
            gateway_cpu_ms_a_minute: a_minute(after.gateway, before.gateway),
            gateway_memory_mb: match self.gateway_group().exists() {
                true => megabytes(cgroup::resident_in(&self.gateway_group())?),
                false => 0.0,
            },
        })
    }

    fn await_parked(&self) {
        await_status(&self.machine, "parked", LONGEST_START, |status| {
            let state = status.pointer("/standby/state");
            state.is_some_and(|state| state == "parked")
        });
    }

    fn used(&self) -> Result<Used> {
        let group = self.gateway_group();
        Ok(Used {
            daemon: cgroup::cpu_time_in(&self.daemon_group())?,
            gateway: match group.exists() {
                true => cgroup::cpu_time_in(&group)?,
                false => Duration::ZERO,
            },
        })
    }

    fn daemon_group(&self) -> PathBuf {
        self.machine.group().join("system.slice/failover.service")
    }

    fn gateway_group(&self) -> PathBuf {
        self.machine.group().join(format!(
            "user.slice/user-{USER}.slice/user@{USER}.service/app.slice/{UNIT}"
        ))
    }

    /// One takeover, and back.
    pub(super) fn take_over(&self, mode: Mode, parked_for: Duration) -> Result<Sample> {
        if mode == Mode::Plain {
            return self.plain();
        }
        let primary = self.primary()?;
        await_state(&self.machine, "standby", LONGEST_START);
        await_seen(&self.machine);
        match mode {
            Mode::Hot => {
                self.await_parked();
                thread::sleep(parked_for);
            }
            Mode::ColdDroppedCache => drop_caches()?,
            Mode::Plain | Mode::Cold | Mode::Warm => {}
        }
        let watch = ListenWatch::of(self.host());
        let lost = primary.kill();
        if mode == Mode::Warm {
            self.await_parked();
        }
        let serving = Serving::of(self.host(), &watch).with_context(|| self.log())?;
        let strike = self.logged("the third strike", |line| {
            line["message"] == "state changed" && line["to"] == "starting" && at(line) > Some(lost)
        })?;
        let start = self.logged("the start", |line| {
            line["message"] == "command started"
                && line["command"] == "start"
                && at(line) >= Some(strike)
        })?;
        ensure!(
            serving.listens > strike,
            "it has listened before the third strike"
        );
        let _primary = self.primary()?;
        await_state(&self.machine, "standby", LONGEST_START);
        self.await_ended();
        Ok(Sample::of(strike, start, serving))
    }

    /// What people do by hand, or in a script.
    fn plain(&self) -> Result<Sample> {
        let watch = ListenWatch::of(self.host());
        let strike = Moment::now();
        let systemctl = |verb: &str| {
            let mut command = self.machine.user_command("systemctl");
            command.args(["--user", verb, UNIT]).stdin(Stdio::null());
            let status = command.status().context("running nsenter")?;
            ensure!(status.success(), "systemctl --user {verb}: {status}");
            anyhow::Ok(())
        };
        systemctl("start")?;
        let serving = Serving::of(self.host(), &watch)?;
        systemctl("stop")?;
        self.await_ended();
        Ok(Sample::of(strike, strike, serving))
    }

    fn await_ended(&self) {
        wait::until("the gateway's unit has ended", LONGEST_START, || {
            (self.machine.user_unit_state(UNIT) == "inactive").then_some(())
        });
    }

    fn log(&self) -> String {
        fs::read_to_string(self.machine.path(LOG)).unwrap_or_default()
    }

    /// The time of the first such line.
    fn logged(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Moment> {
        let found = wait::attempt(STRIKES, || {
            let log = self.log();
            let mut lines = log
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            lines.find(|line| wanted(line)).as_ref().and_then(at)
        });
        found.with_context(|| format!("{what} isn't in the log:\n{}", self.log()))
    }
}

fn at(line: &Value) -> Option<Moment> {
    Moment::of_day(line["timestamp"].as_str()?)
}

struct Used {
    daemon: Duration,
    gateway: Duration,
}

fn drop_caches() -> Result<()> {
    rustix::fs::sync();
    fs::write(DROP_CACHES, "3").with_context(|| {
        format!("{DROP_CACHES} can't be written; leave it out: --only plain,cold,warm,hot")
    })?;
    progress("the page cache is dropped");
    Ok(())
}

impl Sample {
    fn of(strike: Moment, start: Moment, serving: Serving) -> Self {
        Self {
            start: start.since(strike),
            listens: serving.listens.since(strike),
            live: serving.live.since(strike),
            ready: serving.ready.since(strike),
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            start,
            listens,
            live,
            ready,
        } = self;
        write!(
            formatter,
            "start after {start:.1?}, LISTEN {listens:.1?}, /healthz {live:.1?}, /readyz {ready:.1?}"
        )
    }
}
