//! Parking a gateway on a machine with a real systemd, by the commands that the daemon runs for it: it is stopped in
//! its bind, never listens while it is parked, and serves at once or ends without having served.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    lab::{Lab, Machine, failover_binary, machine},
    wait,
    watch::ListenWatch,
};
use serde_json::Value;

/// Of OpenClaw, and so the default.
const UNIT: &str = "openclaw-gateway.service";
/// Longer than the unit's RestartSec, and than a gateway of the lab takes to listen.
const WHILE: Duration = Duration::from_millis(700);

/// Which service manager has the unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    User,
    System,
}

/// A machine with a gateway that is a unit.
struct Site {
    lab: Lab,
    machine: Machine,
    kind: Kind,
}

impl Site {
    fn new(kind: Kind) -> Option<Self> {
        Self::with(kind, &[], "")
    }

    /// The gateway has these arguments, and its unit these settings.
    fn with(kind: Kind, arguments: &[&str], settings: &str) -> Option<Self> {
        let lab = Lab::new();
        let machine = Machine::boot(&lab, &[])?;
        let arguments = arguments.join(" ");
        let unit = format!(
            "[Service]\nExecStart={} gateway {arguments} --listen 127.0.0.1:{PORT} --listen [::1]:{PORT}\n\
             Restart=always\nRestartSec=100ms\n{settings}\n",
            lab.binary().display()
        );
        match kind {
            Kind::User => {
                let folder = format!("{}/.config/systemd/user", machine::HOME);
                machine.run_as_user(&["mkdir", "-p", &folder]);
                machine.write(&format!("{folder}/{UNIT}"), &unit);
            }
            Kind::System => machine.write(&format!("/etc/systemd/system/{UNIT}"), &unit),
        }
        let site = Self { lab, machine, kind };
        site.systemctl(&["daemon-reload"]);
        Some(site)
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = self.machine.command(failover_binary());
        command.args(["parking", verb, "--port", &PORT.to_string()]);
        if verb == "park" {
            command.args(["--unit", UNIT, "--within", "30s"]);
            if self.kind == Kind::User {
                command.args(["--account", machine::ACCOUNT]);
            }
        }
        command.stdin(Stdio::null());
        command
    }

    /// What it prints, or its error message.
    fn attempt(&self, verb: &str) -> Result<String, String> {
        let output = self.command(verb).output().expect("nsenter can be run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match output.status.success() {
            true => Ok(text(&output.stdout) + &text(&output.stderr)),
            false => Err(text(&output.stderr)),
        }
    }

    fn run(&self, verb: &str) -> String {
        self.attempt(verb)
            .unwrap_or_else(|error| panic!("{verb}: {error}\n{}", self.journal()))
    }

    fn journal(&self) -> String {
        self.machine.run(&[
            "journalctl",
            "--no-pager",
            "--lines=40",
            "--output=short-precise",
        ])
    }

    fn look(&self) -> Value {
        let output = self.command("look").args(["--output", "json"]).output();
        let output = output.expect("nsenter can be run");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// A text of what a look found.
    fn found(&self, key: &str) -> String {
        let look = self.look();
        let text = look.get(key).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("{key}: {look}")).to_owned()
    }

    fn situation(&self) -> String {
        self.found("situation")
    }

    fn reason(&self) -> String {
        self.found("reason")
    }

    /// The parked process, as the machine numbers it.
    fn pid(&self) -> String {
        let look = self.look();
        let pid = look.get("pid").and_then(Value::as_u64);
        pid.unwrap_or_else(|| panic!("{look}")).to_string()
    }

    fn systemctl(&self, words: &[&str]) -> String {
        match self.kind {
            Kind::User => self
                .machine
                .run_as_user(&[&["systemctl", "--user"], words].concat()),
            Kind::System => self.machine.run(&[&["systemctl"], words].concat()),
        }
    }

    fn property(&self, name: &str) -> String {
        let argument = format!("--property={name}");
        self.systemctl(&["show", "--value", &argument, UNIT])
            .trim()
            .to_owned()
    }

    fn state(&self) -> String {
        match self.kind {
            Kind::User => self.machine.user_unit_state(UNIT),
            Kind::System => self.machine.unit_state(UNIT),
        }
    }

    fn drop_in(&self) -> String {
        let folder = match self.kind {
            Kind::User => format!("/run/user/{}/systemd/user", machine::USER),
            Kind::System => "/run/systemd/system".to_owned(),
        };
        format!("{folder}/{UNIT}.d")
    }

    fn group(&self) -> String {
        match self.kind {
            Kind::User => format!(
                "/sys/fs/cgroup/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/{UNIT}",
                uid = machine::USER
            ),
            Kind::System => format!("/sys/fs/cgroup/system.slice/{UNIT}"),
        }
    }

    fn exists(&self, path: &str) -> bool {
        self.machine.path(path).exists()
    }

    /// Neither processes nor what held them.
    fn assert_nothing_is_left(&self) {
        assert_eq!(self.situation(), "absent");
        assert!(!self.exists(&self.drop_in()), "the drop-in");
        assert!(
            !self.exists(&format!("/sys/fs/bpf/failover/parking/{PORT}")),
            "the pins"
        );
        assert!(
            !self.exists(&format!("/run/failover/parking-{PORT}.json")),
            "the record"
        );
        assert!(!self.exists(&self.group()), "the control group");
        assert_eq!(self.state(), "inactive");
        assert_eq!(self.property("Restart"), "always");
        assert!(!self.lab.host_b().listens(PORT));
    }

    fn assert_parked(&self) {
        assert_eq!(self.situation(), "parked", "{}", self.look());
        assert!(!self.lab.host_b().listens(PORT));
        assert!(self.lab.host_b().connect(loopback()).is_err());
        let events = self
            .machine
            .run(&["cat", &format!("{}/cgroup.events", self.group())]);
        assert!(events.contains("frozen 1"), "{events}");
        assert_eq!(self.property("Restart"), "no");
        assert_eq!(self.state(), "active");
    }

    fn await_listening(&self) {
        wait::until("it serves", wait::LONG, || {
            self.lab.host_b().connect(loopback()).ok()
        });
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], PORT))
}

fn assert_is_parked_and_goes_on_or_ends(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.run("discard");
    let watch = ListenWatch::of(site.lab.host_b());
    let parked = site.run("park");
    assert!(parked.starts_with("parked since"), "{parked}");
    assert!(
        parked.contains("0 packets sent before the bind"),
        "{parked}"
    );
    site.assert_parked();
    let again = site.attempt("park").expect_err("one at a time");
    assert!(again.contains("already"), "{again}");
    site.assert_parked();
    assert_eq!(watch.first(), None);

    let pid = site.property("MainPID");
    let began = Instant::now();
    let going = site
        .command("continue")
        .stdout(Stdio::piped())
        .spawn()
        .expect("it can be run");
    wait::until("it listens", wait::LONG, || {
        site.lab.host_b().listens(PORT).then_some(())
    });
    let took = began.elapsed();
    site.await_listening();
    let output = going
        .wait_with_output()
        .map(|output| (output.status.success(), output.stdout));
    let (is_good, text) = output.expect("it ends");
    assert!(is_good);
    println!(
        "{kind:?}: {took:.1?} from the command to LISTEN; it says: {}",
        String::from_utf8_lossy(&text).trim()
    );
    // The second bind (::1) wasn't stopped.
    site.lab
        .host_b()
        .connect(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], PORT)))
        .expect("both are listened on");
    assert_eq!(site.property("MainPID"), pid);
    assert_eq!(site.property("Restart"), "always");
    assert_eq!(site.property("KillSignal"), "15");
    assert_eq!(site.situation(), "absent");
    assert!(!site.exists(&site.drop_in()));
    site.systemctl(&["stop", UNIT]);

    let watch = ListenWatch::of(site.lab.host_b());
    site.run("park");
    site.assert_parked();
    site.run("discard");
    site.assert_nothing_is_left();
    site.run("discard");
    assert_eq!(watch.first(), None);
}

#[test]
fn a_user_unit_is_parked_and_goes_on_to_serve_or_ends_without_having_served() {
    assert_is_parked_and_goes_on_or_ends(Kind::User);
}

#[test]
fn a_system_unit_is_parked_and_goes_on_to_serve_or_ends_without_having_served() {
    assert_is_parked_and_goes_on_or_ends(Kind::System);
}

#[test]
fn a_parked_gateway_that_is_killed_is_not_revived() {
    let Some(site) = Site::new(Kind::User) else {
        return;
    };
    let watch = ListenWatch::of(site.lab.host_b());
    site.run("park");
    site.machine.run(&["kill", "-KILL", &site.pid()]);
    wait::until("it is gone", wait::LONG, || {
        (site.situation() == "broken").then_some(())
    });
    assert_eq!(site.reason(), "its process has ended");
    wait::until("its unit has ended", wait::LONG, || {
        (site.state() == "inactive").then_some(())
    });
    wait::nothing_happens("it was revived", WHILE, || {
        (site.state() != "inactive").then_some(())
    });
    let error = site.attempt("continue").unwrap_err();
    assert!(error.contains("has ended"), "{error}");
    site.run("discard");
    site.assert_nothing_is_left();
    assert_eq!(watch.first(), None);
}

#[test]
fn a_stranger_who_continues_it_does_not_make_it_listen() {
    let Some(site) = Site::new(Kind::User) else {
        return;
    };
    let watch = ListenWatch::of(site.lab.host_b());
    site.run("park");
    let pid = site.pid();
    site.machine.run_as_user(&["kill", "-CONT", &pid]);
    wait::until("that is noticed", wait::LONG, || {
        (site.situation() == "broken").then_some(())
    });
    assert!(site.reason().contains("SIGCONT"), "{}", site.reason());
    thread::sleep(WHILE);
    assert_eq!(watch.first(), None);
    // It would have been let go on anyway.
    site.run("continue");
    site.await_listening();
}

/// Each of them ends it by SIGTERM and SIGCONT, were it not for the drop-in.
#[test]
fn a_plain_stop_and_a_restart_by_its_account_do_not_wake_it() {
    let Some(site) = Site::new(Kind::User) else {
        return;
    };
    let watch = ListenWatch::of(site.lab.host_b());
    site.run("park");
    site.systemctl(&["stop", UNIT]);
    assert_eq!(site.state(), "inactive");
    assert_eq!(site.reason(), "its process has ended");
    site.run("discard");
    site.assert_nothing_is_left();

    site.run("park");
    let pid = site.pid();
    site.systemctl(&["restart", UNIT]);
    assert_ne!(site.property("MainPID"), pid);
    // The new one is stopped in its bind as well.
    wait::until("it is stopped", wait::LONG, || {
        let stat = format!("/proc/{}/stat", site.property("MainPID"));
        site.machine
            .run(&["cat", &stat])
            .contains(") T ")
            .then_some(())
    });
    assert_eq!(site.reason(), "its process has ended");
    site.run("discard");
    site.assert_nothing_is_left();
    assert_eq!(watch.first(), None);
}

#[test]
fn it_does_not_go_on_while_another_program_has_the_port() {
    let Some(site) = Site::new(Kind::System) else {
        return;
    };
    site.run("park");
    let stranger = site
        .lab
        .host_b()
        .listen(loopback(), 1)
        .expect("SO_REUSEADDR lets it listen");
    let error = site.attempt("continue").unwrap_err();
    assert!(
        error.contains("another program (uid 0) listens on 127.0.0.1:18789"),
        "{error}"
    );
    assert_eq!(site.situation(), "parked");
    drop(stranger);
    site.run("continue");
    site.await_listening();
}

#[test]
fn what_can_not_be_parked_is_refused_and_nothing_is_left() {
    for (settings, expected) in [
        ("WatchdogSec=60", "WatchdogSec"),
        ("Type=forking", "Type=forking"),
        ("ExecStartPre=/bin/false", "before it has bound"),
    ] {
        let Some(site) = Site::with(Kind::System, &[], settings) else {
            return;
        };
        let error = site.attempt("park").expect_err(settings);
        assert!(error.contains(expected), "{settings}: {error}");
        site.assert_nothing_is_left();
        if settings.starts_with("Watchdog") {
            // Nor is one that runs.
            site.machine.write(
                &format!("/run/systemd/system/{UNIT}.d/x.conf"),
                "[Service]\nWatchdogSec=0\n",
            );
            site.systemctl(&["daemon-reload"]);
            site.systemctl(&["start", UNIT]);
            site.await_listening();
            let error = site.attempt("park").unwrap_err();
            assert!(error.contains("active already"), "{error}");
            assert_eq!(site.state(), "active");
        }
    }
}

/// It would be everybody's unit of that name below /run/systemd/user.
#[test]
fn the_drop_in_is_in_force_for_this_accounts_unit_while_it_is_there_and_not_after() {
    for kind in [Kind::User, Kind::System] {
        let Some(site) = Site::new(kind) else { return };
        let ask = |verb: &str| {
            let mut command = match kind {
                Kind::User => site.machine.user_command(failover_binary()),
                Kind::System => site.machine.command(failover_binary()),
            };
            command.args(["parking-unit", verb, UNIT]);
            if kind == Kind::User {
                command.arg("--user");
            }
            let output = command.output().expect("nsenter can be run");
            assert!(output.status.success(), "{output:?}");
            let facts: Value = serde_json::from_slice(&output.stdout).expect("facts");
            facts
        };
        let facts = ask("hold");
        assert_eq!(
            (&facts["restart"], &facts["kill_signal"]),
            (&"no".into(), &9.into()),
            "{facts}"
        );
        assert_eq!(site.property("Restart"), "no");
        let at = site.property("DropInPaths");
        assert!(at.starts_with(&site.drop_in()), "{at}");
        assert!(!site.exists("/run/systemd/user"), "every account's");
        let facts = ask("free");
        assert_eq!(facts["restart"], "always", "{facts}");
        assert!(!site.exists(&site.drop_in()));
    }
}

/// A `park` that runs.
struct Running(Child);

impl Running {
    fn begin(site: &Site) -> Self {
        let mut command = site.command("park");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("it can be run"))
    }

    /// Kills it, and not only what brought it there.
    fn kill(mut self) {
        let children = format!("/proc/{pid}/task/{pid}/children", pid = self.0.id());
        for child in std::fs::read_to_string(children)
            .unwrap_or_default()
            .split_whitespace()
        {
            let _ = Command::new("kill").args(["-KILL", child]).status();
        }
        let _ = self.0.wait();
    }
}

/// Kills a `park` as soon as `reached`, and then does what ends it.
fn killed_when(site: &Site, what: &str, reached: impl Fn() -> bool) {
    let park = Running::begin(site);
    wait::until(what, wait::LONG, || reached().then_some(()));
    park.kill();
}

#[test]
fn a_park_that_is_killed_leaves_something_that_discard_ends_whatever_it_was_at() {
    for kind in [Kind::User, Kind::System] {
        // Time to be killed before the bind.
        let Some(site) = Site::with(kind, &["--start-delay", "300ms"], "") else {
            return;
        };
        let watch = ListenWatch::of(site.lab.host_b());
        let record = format!("/run/failover/parking-{PORT}.json");
        let pins = format!("/sys/fs/bpf/failover/parking/{PORT}");
        let stopped = || {
            let pid = site.property("MainPID");
            site.exists(&format!("/proc/{pid}/stat"))
                && site
                    .machine
                    .run(&["cat", &format!("/proc/{pid}/stat")])
                    .contains(") T ")
        };
        killed_when(&site, "the record is written", || site.exists(&record));
        assert_eq!(site.reason(), "parking was interrupted");
        site.run("discard");
        site.assert_nothing_is_left();
        killed_when(&site, "the kernel program is there", || site.exists(&pins));
        site.run("discard");
        site.assert_nothing_is_left();
        killed_when(&site, "the drop-in is written", || {
            site.exists(&site.drop_in())
        });
        site.run("discard");
        site.assert_nothing_is_left();
        killed_when(&site, "the unit runs", || site.exists(&site.group()));
        assert_eq!(site.reason(), "parking was interrupted");
        site.run("discard");
        site.assert_nothing_is_left();
        // Nobody waits for it any longer, and it is stopped all the same.
        killed_when(&site, "the unit runs", || site.exists(&site.group()));
        wait::until("it is stopped", wait::LONG, || stopped().then_some(()));
        site.run("discard");
        site.assert_nothing_is_left();
        assert_eq!(watch.first(), None);
    }
}

#[test]
fn a_park_that_is_killed_leaves_something_that_goes_on_as_a_start() {
    let Some(site) = Site::with(Kind::User, &["--start-delay", "300ms"], "") else {
        return;
    };
    let record = format!("/run/failover/parking-{PORT}.json");
    for (what, path) in [
        ("the record is written", record.clone()),
        ("the unit runs", site.group()),
    ] {
        killed_when(&site, what, || site.exists(&path));
        site.run("continue");
        site.await_listening();
        assert_eq!(site.situation(), "absent");
        assert_eq!(site.property("Restart"), "always");
        site.systemctl(&["stop", UNIT]);
    }
    // Stopped in its bind, with nobody to wait for that.
    killed_when(&site, "the unit runs", || site.exists(&site.group()));
    wait::until("it is stopped", wait::LONG, || {
        let stat = format!("/proc/{}/stat", site.property("MainPID"));
        site.machine
            .run(&["cat", &stat])
            .contains(") T ")
            .then_some(())
    });
    site.run("continue");
    site.await_listening();
}

/// The unit that the package brings.
const SHIPPED: &str = include_str!("../../failover-user/dist/failover.service");

impl Site {
    /// The program where the package has it, and the group that its unit names.
    fn install(&self) {
        let program = failover_binary();
        let program = program.to_str().expect("its path is text");
        self.machine.run(&["install", program, "/usr/bin/failover"]);
        self.machine.run(&["groupadd", "--system", "failover"]);
    }

    /// Runs a command in the sandbox of the shipped unit.
    fn run_in_sandbox(&self, verb: &str) {
        let arguments = match (verb, self.kind) {
            ("park", Kind::User) => format!("--unit {UNIT} --account {}", machine::ACCOUNT),
            ("park", Kind::System) => format!("--unit {UNIT}"),
            _ => String::new(),
        };
        let left_out = [
            "ConditionPathExists=",
            "ExecReload=",
            "ExecStopPost=",
            "Restart=",
            "RestartSec=",
            "RuntimeDirectoryPreserve=",
            "WatchdogSec=",
        ];
        let lines = SHIPPED
            .lines()
            .filter(|line| !left_out.iter().any(|key| line.starts_with(key)));
        let unit: String = lines
            .map(|line| match line.split_once('=') {
                // Otherwise its directory is gone with it.
                Some(("Type", _)) => "Type=oneshot\nRuntimeDirectoryPreserve=yes\n".to_owned(),
                Some(("ExecStart", _)) => {
                    format!("ExecStart=/usr/bin/failover parking {verb} {arguments}\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        self.machine
            .write("/etc/systemd/system/sandbox.service", &unit);
        self.machine.run(&["systemctl", "daemon-reload"]);
        let mut start = self.machine.command("systemctl");
        let status = start
            .args(["start", "sandbox"])
            .status()
            .expect("nsenter can be run");
        assert!(status.success(), "{verb}: {}", self.journal());
    }
}

#[test]
fn the_sandbox_of_the_shipped_unit_is_open_for_it() {
    for kind in [Kind::User, Kind::System] {
        let Some(site) = Site::new(kind) else { return };
        site.install();
        site.run_in_sandbox("park");
        site.assert_parked();
        site.run_in_sandbox("continue");
        site.await_listening();
        assert_eq!(site.situation(), "absent");
        site.systemctl(&["stop", UNIT]);
        site.run_in_sandbox("park");
        site.assert_parked();
        site.run_in_sandbox("discard");
        site.assert_nothing_is_left();
    }
}

#[test]
fn an_orderly_end_of_the_daemon_discards_it_and_a_crash_does_not() {
    let Some(site) = Site::new(Kind::User) else {
        return;
    };
    let Site { lab, machine, .. } = &site;
    site.install();
    let _primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    let configuration = format!(
        "primary = \"{}\"\nuser = \"{}\"\ngateway = \"systemd-user\"\n",
        lab.host_a().gateway_address(),
        machine::ACCOUNT
    );
    machine.write("/etc/failover/failover.toml", &configuration);
    machine.write("/etc/systemd/system/failover.service", SHIPPED);
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "start", "failover"]);
    let watch = ListenWatch::of(site.lab.host_b());
    site.run("park");

    machine.run(&["systemctl", "kill", "--signal=KILL", "failover"]);
    wait::until("it is restarted", wait::LONG, || {
        let restarts = machine.run(&[
            "systemctl",
            "show",
            "--value",
            "--property=NRestarts",
            "failover",
        ]);
        (restarts.trim() == "1" && machine.unit_state("failover") == "active").then_some(())
    });
    site.assert_parked();
    machine.run(&["systemctl", "stop", "failover"]);
    site.assert_nothing_is_left();
    assert_eq!(watch.first(), None);
}
