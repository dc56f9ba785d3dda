//! A daemon that keeps the local gateway ready, on a machine with a real systemd: it is parked before it is needed,
//! serves at the third strike, and ends without having served when the primary is back.

use std::{
    fs,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    http,
    lab::{Lab, Machine, Process},
    wait,
    watch::ListenWatch,
};
use serde_json::Value;

const TIMEOUT: Duration = Duration::from_secs(30);
/// Between probes: strikes come so slowly that a gateway is parked between the first and the third.
const INTERVAL: Duration = Duration::from_secs(5);

/// A machine whose gateway is a system unit.
struct Site {
    lab: Lab,
    machine: Machine,
}

impl Site {
    fn new() -> Option<Self> {
        let lab = Lab::new();
        let machine = Machine::boot(&lab, &[])?;
        let site = Self { lab, machine };
        site.install("");
        Some(site)
    }

    /// The unit, with these further arguments of the gateway.
    fn install(&self, arguments: &str) {
        let unit = format!(
            "[Service]\nExecStart={} gateway --listen 0.0.0.0:{PORT} {arguments}\nRestart=always\nRestartSec=100ms\n",
            self.lab.binary().display()
        );
        self.machine.write("/etc/systemd/system/bot.service", &unit);
        self.machine.run(&["systemctl", "daemon-reload"]);
    }

    fn daemon(&self, mode: &str) -> Daemon {
        self.setup()
            .argument("--unit=bot")
            .argument(&format!("--standby={mode}"))
            .spawn()
    }

    fn setup(&self) -> Setup {
        Setup::new(&self.lab)
            .gateway_by_itself("systemd")
            .argument("--check=tcp")
            .interval(INTERVAL)
            .start_timeout(TIMEOUT)
            .stop_timeout(TIMEOUT)
            .on(&self.machine)
    }

    fn primary(&self) -> Process {
        self.lab.host_a().gateway().expect("it listens")
    }

    /// Ends the daemon from inside: from outside, only what brought it there can be reached.
    fn end(&self, daemon: Daemon, signal: &str) {
        let script =
            format!("pkill -{signal} -x failover; while pgrep -x failover; do sleep 0.05; done");
        self.machine.run(&["sh", "-c", &script]);
        drop(daemon);
    }

    fn unit_becomes(&self, state: &str) {
        wait::until("the unit's state", wait::LONG, || {
            (self.machine.unit_state("bot") == state).then_some(())
        });
    }
}

fn standby(daemon: &Daemon) -> Value {
    let (status, _) = daemon.status();
    status.get("standby").cloned().unwrap_or_default()
}

/// Waits until the standby is like that, and shows it if it never is.
fn becomes(daemon: &Daemon, state: &str) {
    until(daemon, state, |standby| standby["state"] == state);
}

fn until(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) {
    let deadline = Instant::now() + wait::LONG;
    loop {
        let standby = standby(daemon);
        if wanted(&standby) {
            return;
        }
        let output = daemon.said(|line| line.message() != "probe");
        assert!(
            Instant::now() < deadline,
            "not {what}: {standby}\n{output:#?}"
        );
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_warm_gateway_is_parked_at_the_first_strike_and_serves_at_the_third() {
    let Some(site) = Site::new() else {
        return;
    };
    let primary = site.primary();
    let mut daemon = site.daemon("warm");
    daemon.probes("connected");
    primary.kill();
    becomes(&daemon, "parked");
    assert_eq!(daemon.status().0["state"], "suspect");
    assert!(!site.lab.host_b().listens(PORT));
    assert!(standby(&daemon)["parked"]["pid"].is_u64());
    daemon.becomes("active");
    let address = (site.lab.host_b().address(), PORT);
    let connection = site.lab.host_b().connect(SocketAddr::from(address));
    assert!(connection.is_ok(), "{connection:?}");
    // It is a gateway like any other from then on.
    let _primary = site.primary();
    daemon.becomes("standby");
    site.unit_becomes("inactive");
    site.end(daemon, "TERM");
}

#[test]
fn a_suspicion_that_ends_well_ends_the_parked_gateway_which_never_listened() {
    let Some(site) = Site::new() else {
        return;
    };
    let mut primary = site.primary();
    let mut daemon = site.daemon("warm");
    daemon.probes("connected");
    let watch = ListenWatch::of(site.lab.host_b());
    for _ in 0..3 {
        primary.kill();
        becomes(&daemon, "parked");
        primary = site.primary();
        becomes(&daemon, "cold");
        site.unit_becomes("inactive");
    }
    assert_eq!(watch.first(), None);
    assert_eq!(
        daemon
            .said(|line| line.message() == "state changed" && line.text.contains("starting"))
            .len(),
        0
    );
    site.end(daemon, "TERM");
}

#[test]
fn a_drill_passes_without_a_packet_and_makes_auto_warm() {
    let Some(site) = Site::new() else {
        return;
    };
    let primary = site.primary();
    let mut daemon = site.daemon("auto");
    daemon.probes("connected");
    until(&daemon, "drilled", |standby| {
        standby["why"] == "no drill has run yet"
    });
    assert_eq!(standby(&daemon)["mode"], "cold");
    let watch = ListenWatch::of(site.lab.host_b());
    let drill = daemon.order(&["drill"]);
    let report = String::from_utf8_lossy(&drill.stdout);
    assert!(report.contains("the drill passed"), "{report}");
    assert!(report.contains("0 before the bind"), "{report}");
    until(&daemon, "warm", |standby| standby["mode"] == "warm");
    becomes(&daemon, "cold");
    assert_eq!(watch.first(), None);
    // The configuration has changed: what was drilled isn't there any longer.
    site.install("--listen 127.0.0.1:7");
    wait::until("auto is cold", Duration::from_secs(60), || {
        (standby(&daemon)["mode"] == "cold").then_some(())
    });
    drop(primary);
    site.end(daemon, "TERM");
}

#[test]
fn a_drill_that_fails_is_a_problem_on_the_page_and_in_a_notice_until_one_passes() {
    const PAGE: u16 = 9179;
    let Some(site) = Site::new() else {
        return;
    };
    let _primary = site.primary();
    let notices = site.lab.directory().join("notices");
    let notify = format!(
        "--notify=sh -c 'echo $FAILOVER_EVENT: $FAILOVER_REASON >> {}'",
        notices.display()
    );
    let mut daemon = site
        .setup()
        .argument("--unit=bot")
        .argument(&notify)
        .argument(&format!("--metrics=127.0.0.1:{PAGE}"))
        .spawn();
    daemon.probes("connected");
    until(&daemon, "drilled", |standby| {
        standby["why"] == "no drill has run yet"
    });
    let shows = |what: &str| {
        let page = http::get(site.lab.host_b(), ([127, 0, 0, 1], PAGE).into(), "/");
        page.is_ok_and(|page| page.body.contains(what))
    };
    let noted = |what: &str| {
        let text = fs::read_to_string(&notices).unwrap_or_default();
        text.lines()
            .any(|line| line.starts_with(what))
            .then_some(())
    };
    let problems = || daemon.status().0["problems"].to_string();

    // It is gone before it has come to its bind.
    site.install("--no-such-option");
    let drill = daemon.order(&["drill"]);
    assert!(!drill.status.success(), "{drill:?}");
    assert!(problems().contains("the last drill"), "{}", problems());
    assert!(shows("the last drill"));
    wait::until("a notice", wait::LONG, || noted("drill-failed:"));

    site.install("");
    let drill = daemon.order(&["drill"]);
    assert!(drill.status.success(), "{drill:?}");
    assert!(!problems().contains("drill"), "{}", problems());
    assert!(!shows("the last drill"));
    wait::until("a notice", wait::LONG, || noted("drill-passed:"));
    site.end(daemon, "TERM");
}

#[test]
fn a_hot_gateway_outlives_its_daemon_and_one_that_was_killed_is_parked_again() {
    let Some(site) = Site::new() else {
        return;
    };
    let _primary = site.primary();
    let mut daemon = site.daemon("hot");
    daemon.probes("connected");
    becomes(&daemon, "parked");
    let pid = standby(&daemon)["parked"]["pid"].clone();
    site.end(daemon, "KILL");
    let daemon = site.daemon("hot");
    becomes(&daemon, "parked");
    assert_eq!(standby(&daemon)["parked"]["pid"], pid);
    site.machine.run(&["kill", "-KILL", &pid.to_string()]);
    until(&daemon, "parked again", |standby| {
        let parked = &standby["parked"]["pid"];
        parked.is_u64() && *parked != pid
    });
    // A pause is for work on it.
    daemon.follows(&["pause"]);
    becomes(&daemon, "cold");
    site.unit_becomes("inactive");
    assert!(!site.lab.host_b().listens(PORT));
    site.end(daemon, "TERM");
}

#[test]
fn a_reload_changes_the_mode_at_once_and_ends_the_parked_gateway_of_another_unit() {
    let Some(site) = Site::new() else {
        return;
    };
    let unit = site.machine.path("/etc/systemd/system/bot.service");
    let unit = fs::read_to_string(unit).expect("the unit");
    site.machine
        .write("/etc/systemd/system/other.service", &unit);
    site.machine.run(&["systemctl", "daemon-reload"]);
    let _primary = site.primary();
    let setup = site.setup().in_file();
    let hot = ("standby", "\"hot\"");
    setup.configure(&[("unit", "\"bot\""), hot]);
    let mut daemon = setup.clone().spawn();
    daemon.probes("connected");
    becomes(&daemon, "parked");
    let watch = ListenWatch::of(site.lab.host_b());
    let reload = |changes: &[(&str, &str)]| {
        setup.configure(changes);
        site.machine.run(&["pkill", "-HUP", "-x", "failover"]);
    };
    reload(&[("unit", "\"other\""), hot]);
    until(&daemon, "the other unit's", |_| {
        let states = ["bot", "other"].map(|unit| site.machine.unit_state(unit));
        states == ["inactive", "active"]
    });
    becomes(&daemon, "parked");
    reload(&[("unit", "\"other\""), ("standby", "\"cold\"")]);
    becomes(&daemon, "cold");
    assert_eq!(standby(&daemon)["mode"], "cold");
    assert_eq!(watch.first(), None);
    site.end(daemon, "TERM");
}

#[test]
fn a_full_drill_takes_over_and_hands_back() {
    let Some(site) = Site::new() else {
        return;
    };
    let _primary = site.primary();
    let mut daemon = site.daemon("warm");
    daemon.probes("connected");
    let drill = daemon.order(&["drill", "--full", "--yes"]);
    let report = String::from_utf8_lossy(&drill.stdout);
    assert!(drill.status.success(), "{drill:?}");
    assert!(report.starts_with("taken over in"), "{report}");
    assert!(report.contains("handed back in"), "{report}");
    assert_eq!(daemon.status().0["state"], "standby");
    site.unit_becomes("inactive");
    site.end(daemon, "TERM");
}
