//! PC-A's guard and PC-B's daemon: what heartbeats, and their absence, lead to.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use failover_tests::{
    PORT,
    commands::Command,
    daemon::{Daemon, Setup},
    guard,
    lab::{Host, Lab, Machine, failover_binary, machine::ACCOUNT},
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

const HOOK: &str = "[Service]\nExecStartPre=-+/usr/bin/failover guard ask\n";
const SHIPPED: &str = include_str!("../../failover-user/dist/failover-guard.service");
/// Three strikes would take two of these.
const INTERVAL: Duration = Duration::from_secs(20);

/// The daemon, paired with PC-A, and a witness that answers.
fn paired(lab: &Lab, options: &[&str]) -> (Daemon, Host) {
    let witness = lab.add_host("witness");
    let mut setup = Setup::new(lab)
        .interval(INTERVAL)
        .timeout(Duration::from_secs(5))
        .argument(&format!("--witnesses={}", witness.address()));
    for option in options {
        setup = setup.argument(option);
    }
    let mut daemon = setup.spawn();
    daemon.probes("connected");
    guard::pair(lab, &daemon.state_dir());
    daemon.signal(Signal::HUP);
    daemon.says("it listens for the guard", |line| {
        line.message() == "listening for PC-A's guard"
    });
    (daemon, witness)
}

fn heard(daemon: &Daemon, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    wait::until(what, wait::LONG, || {
        let (status, _) = daemon.status();
        let guard = status.get("guard").cloned()?;
        wanted(&guard).then_some(guard)
    })
}

#[test]
fn a_lost_host_is_taken_over_from_long_before_the_second_strike() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (mut daemon, _witness) = paired(&lab, &["--host-loss=fast"]);
    let _guard = guard::run(&lab, &guard::state_dir(&lab));
    heard(&daemon, "PC-A's gateway is heard to listen", |guard| {
        guard["hearing"] == "beats" && guard["gateway"] == "listening"
    });
    let gone = lab.switch_port(lab.host_a()).down();
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(gone);
    println!("{waited:?} from the cut to the start");
    assert!(waited < INTERVAL / 2, "{waited:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn with_strikes_a_silent_host_is_no_faster() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (mut daemon, _witness) = paired(&lab, &[]);
    let _guard = guard::run(&lab, &guard::state_dir(&lab));
    heard(&daemon, "it is heard", |guard| guard["hearing"] == "beats");
    lab.switch_port(lab.host_a()).down();
    heard(&daemon, "it is silent", |guard| {
        guard["hearing"] == "silence"
    });
    // The silence brought the first strike forward.
    daemon.counts(1);
    daemon.runs_nothing_for(Duration::from_secs(2));
    daemon.ends_having_run(&[]);
}

#[test]
fn a_guard_that_is_killed_beside_a_healthy_gateway_is_a_warning() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (daemon, _witness) = paired(&lab, &["--host-loss=fast"]);
    let guard = guard::run(&lab, &guard::state_dir(&lab));
    heard(&daemon, "it is heard", |guard| guard["hearing"] == "beats");
    guard.kill();
    heard(&daemon, "it is silent", |guard| {
        guard["hearing"] == "silence"
    });
    let (status, code) = daemon.status();
    assert_eq!((status["state"].as_str(), code), (Some("standby"), 0));
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains("PC-A's guard is silent"), "{warnings}");
    daemon.runs_nothing_for(Duration::from_secs(2));
    // Another one is heard again.
    let guard = guard::run(&lab, &guard::state_dir(&lab));
    heard(&daemon, "it is heard again", |guard| {
        guard["hearing"] == "beats"
    });
    // One that ends in good order is no silence.
    guard.signal(Signal::TERM);
    heard(&daemon, "it has said that it ends", |guard| {
        guard["announcement"] == "upgrades" && guard["hearing"] == "silence"
    });
    let (status, _) = daemon.status();
    assert!(
        !status["warnings"].to_string().contains("guard"),
        "{status:#}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn a_gateway_that_ended_for_good_is_taken_over_from_at_once() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let (mut daemon, _witness) = paired(&lab, &[]);
    let _guard = guard::run(&lab, &guard::state_dir(&lab));
    heard(&daemon, "PC-A's gateway is heard to listen", |guard| {
        guard["gateway"] == "listening"
    });
    let death = primary.kill();
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(death);
    println!("{waited:?} from its end to the start");
    assert!(waited < INTERVAL / 2, "{waited:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn heartbeats_of_another_key_are_refused_and_counted() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (daemon, _witness) = paired(&lab, &["--host-loss=fast"]);
    let keys = guard::state_dir(&lab);
    // Under the same name, another key.
    let file = |directory: &Path| directory.join("guard-keys.json");
    let text = fs::read_to_string(file(&keys)).unwrap();
    let mut other: Value = serde_json::from_str(&text).unwrap();
    let pair = &mut other["pairs"][0];
    pair["send"] = pair["receive"].clone();
    let elsewhere = lab.directory().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(file(&elsewhere), other.to_string()).unwrap();
    fs::set_permissions(file(&elsewhere), Permissions::from_mode(0o600)).unwrap();
    let _guard = guard::run(&lab, &elsewhere);
    let seen = heard(&daemon, "it is refused", |guard| {
        guard["refused"].as_u64().is_some_and(|refused| refused > 3)
    });
    assert_eq!(seen["hearing"], "never");
    daemon.ends_having_run(&[]);
}

#[test]
fn codes_that_an_operator_says_differ_leave_no_keys() {
    let lab = Lab::new();
    let state_dir_b = lab.directory().join("pc-b/state");
    fs::create_dir_all(&state_dir_b).unwrap();
    let waiting = guard::pairing(lab.host_b(), &state_dir_b, &[]);
    wait::until("PC-B waits", wait::LONG, || {
        lab.host_b().listens(guard::GUARD_PORT).then_some(())
    });
    let with = format!("{}:{}", lab.host_b().address(), guard::GUARD_PORT);
    let connecting = guard::pairing(lab.host_a(), &guard::state_dir(&lab), &["--with", &with]);
    let sides = [(connecting, "n\n"), (waiting, "y\n")];
    let sides = sides.map(|(side, answer)| guard::answer(side, answer));
    let [refused, waited] = sides.map(guard::ended);
    for side in [&refused, &waited] {
        assert!(!side.status.success(), "{side:?}");
        let error = String::from_utf8_lossy(&side.stderr);
        assert!(error.contains("no keys were kept"), "{error}");
    }
    for directory in [state_dir_b, guard::state_dir(&lab)] {
        assert!(!directory.join("guard-keys.json").exists());
    }
}

/// The unit of the package, on a machine with a real systemd.
#[test]
fn the_units_guard_is_heard_and_says_that_an_operator_has_stopped_the_gateway() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    // PC-A is the lab's PC-B here: the machine's.
    let gateway = format!(
        "[Service]\nUser={ACCOUNT}\nExecStart={} gateway --listen 0.0.0.0:{PORT}\nRestart=always\nRestartSec=2s\n",
        lab.binary().display()
    );
    machine.write("/etc/systemd/system/bot.service", &gateway);
    machine.write("/etc/systemd/system/failover-guard.service", SHIPPED);
    machine.write(
        "/etc/default/failover-guard",
        "GUARD_OPTIONS=\"--gateway=systemd --unit=bot\"\n",
    );
    let program = failover_binary();
    machine.run(&["install", program.to_str().unwrap(), "/usr/bin/failover"]);
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "start", "bot"]);
    let mut daemon = Setup::new(&lab)
        .interval(INTERVAL)
        .on_host(lab.host_a())
        .primary(&format!("{}:{PORT}", lab.host_b().address()))
        .spawn();
    daemon.probes("connected");
    guard::pair_with(lab.host_a(), &daemon.state_dir(), |with| {
        let mut command = machine.command("/usr/bin/failover");
        command.args(["guard", "pair", "--with", with]);
        guard::begun(command)
    });
    daemon.signal(Signal::HUP);
    machine.run(&["systemctl", "enable", "--now", "failover-guard"]);
    heard(&daemon, "its gateway listens", |guard| {
        guard["gateway"] == "listening"
    });
    machine.run(&["systemctl", "kill", "--signal=KILL", "bot"]);
    heard(&daemon, "it is being restarted", |guard| {
        guard["gateway"] == "restarting"
    });
    heard(&daemon, "it listens again", |guard| {
        guard["gateway"] == "listening"
    });
    machine.run(&["systemctl", "stop", "bot"]);
    heard(&daemon, "an operator has stopped it", |guard| {
        guard["gateway"] == "stopped"
    });
    daemon.becomes("active");
    // Its hook, as the guide has it for a system unit.
    machine.write("/etc/systemd/system/bot.service.d/failover.conf", HOOK);
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "start", "bot"]);
    assert!(!lab.host_a().listens(PORT), "both gateways serve");
    let said = machine.run(&["journalctl", "--unit=bot", "--output=cat"]);
    assert!(said.contains("PC-B has released its gateway"), "{said}");
    // The guard doesn't know the unit's account: only root may ask.
    let ask = |otherwise: &str| {
        let mut command = machine.user_command("/usr/bin/failover");
        let asked = command.args(["guard", "ask", otherwise]).output().unwrap();
        (
            asked.status.code(),
            String::from_utf8(asked.stdout).unwrap(),
        )
    };
    let (code, said) = ask("--or=refuse");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("may not ask the guard"), "{said}");
    // One that it knows may.
    machine.write(
        "/etc/default/failover-guard",
        &format!("GUARD_OPTIONS=\"--gateway=systemd-user --user={ACCOUNT} --unit=bot\"\n"),
    );
    machine.run(&["systemctl", "restart", "failover-guard"]);
    let (code, said) = ask("--or=refuse");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("PC-B's gateway does not serve"), "{said}");
    // The package was removed, and the hook was not.
    machine.run(&["systemctl", "stop", "bot", "failover-guard"]);
    machine.run(&["rm", "/usr/bin/failover"]);
    machine.run(&["systemctl", "start", "bot"]);
    assert_eq!(machine.unit_state("bot"), "active");
    daemon.ends_having_run(&["start", "stop"]);
}
