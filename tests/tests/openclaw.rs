//! The real OpenClaw on both hosts, each as an account of its own, without a service manager.

use std::{fs, thread, time::Duration};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::Lab,
    moment::Moment,
    openclaw::{self, LONGEST_START, OpenClaw},
    skip,
};
use rustix::process::Signal;

/// Accounts on PC-A and PC-B.
const ACCOUNTS: [u32; 2] = [47012, 47013];
/// Of OpenClaw's unit.
const RESTART: Duration = Duration::from_secs(5);
/// The daemon's own, `failover run --help`.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The gateways of PC-A and PC-B.
fn gateways(lab: &Lab) -> [OpenClaw; 2] {
    let [a, b] = ACCOUNTS;
    [
        OpenClaw::new(lab, lab.host_a(), a),
        OpenClaw::new(lab, lab.host_b(), b),
    ]
}

/// The times are those of a daemon whose operator is in a hurry.
fn setup(lab: &Lab, start: &str, stop: &str) -> Setup {
    // The start command becomes another account and clears its environment: only its name says whose it is.
    let [_, local] = ACCOUNTS;
    let (passwd, group) = (
        lab.directory().join("passwd"),
        lab.directory().join("group"),
    );
    let accounts =
        format!("root:x:0:0::/root:/bin/sh\nclaw:x:{local}:{local}::/mnt/home:/bin/sh\n");
    fs::write(&passwd, accounts).expect("writing the accounts");
    fs::write(&group, format!("root:x:0:\nclaw:x:{local}:\n")).expect("writing the groups");
    Setup::new(lab)
        .accounts(&passwd, &group)
        .argument("--owner=account:claw")
        .gateway("openclaw")
        .command_lines(start, stop)
        .interval(Duration::from_secs(2))
        .timeout(Duration::from_secs(2))
        .start_timeout(LONGEST_START)
        .stop_timeout(Duration::from_secs(60))
}

fn armed(lab: &Lab, local: &OpenClaw) -> Daemon {
    setup(lab, &local.start_line(), &local.stop_line()).spawn()
}

fn sees_a_healthy_primary(daemon: &mut Daemon) {
    daemon.says("a probe that succeeds", |line| line.message() == "probe");
}

#[test]
fn a_primary_that_is_killed_is_taken_over_and_let_go_when_it_is_back() {
    let lab = Lab::new();
    let [primary, local] = gateways(&lab);
    let running = primary.start();
    let mut daemon = armed(&lab, &local);
    sees_a_healthy_primary(&mut daemon);
    running.kill();
    daemon.becomes("starting");
    daemon.becomes_within(LONGEST_START, "active");
    assert!(lab.host_b().listens(PORT), "{}", local.log());
    let _running = primary.start();
    daemon.becomes_within(LONGEST_START, "stopping");
    daemon.becomes_within(LONGEST_START, "standby");
    assert!(!lab.host_b().listens(PORT));
    daemon.terminate();
    // While it starts the real one keeps the machine so busy that a probe may find it too slow.
    let mut states = daemon.states();
    states.retain(|state| !matches!(state.as_str(), "suspect" | "standby"));
    assert_eq!(states, ["starting", "active", "stopping"]);
}

#[test]
fn a_primary_that_hangs_is_taken_over_in_three_strikes_though_it_still_accepts() {
    let lab = Lab::new();
    let [primary, local] = gateways(&lab);
    let running = primary.start();
    let setup = setup(&lab, &local.start_line(), &local.stop_line());
    let mut daemon = setup.argument("--check=openclaw").spawn();
    sees_a_healthy_primary(&mut daemon);
    running.signal(Signal::STOP);
    daemon.becomes("starting");
    assert!(lab.host_b().connect(lab.host_a().gateway_address()).is_ok());
    daemon.becomes_within(LONGEST_START, "active");
    running.signal(Signal::CONT);
    daemon.becomes_within(LONGEST_START, "standby");
    assert!(!lab.host_b().listens(PORT));
    daemon.terminate();
    let strikes = daemon.said(|line| line.number("strikes") == Some(3));
    assert_eq!(
        strikes.first().map(|line| line.field("to")),
        Some("starting")
    );
}

#[test]
fn a_primary_that_its_supervisor_restarts_is_not_taken_over_at_the_defaults() {
    let lab = Lab::new();
    let [primary, local] = gateways(&lab);
    let running = primary.start();
    let setup = setup(&lab, &local.start_line(), &local.stop_line());
    let mut daemon = setup
        .interval(DEFAULT_INTERVAL)
        .timeout(DEFAULT_TIMEOUT)
        .spawn();
    sees_a_healthy_primary(&mut daemon);
    let killed = running.kill();
    thread::sleep(RESTART);
    let _running = primary.start();
    // Three strikes are two intervals apart. 13 s when there is nothing else to do.
    if Moment::now().since(killed) > 2 * DEFAULT_INTERVAL {
        return skip("OpenClaw takes too long to start here, and would be taken over rightly");
    }
    daemon.becomes_within(2 * DEFAULT_INTERVAL, "standby");
    assert_eq!(daemon.states(), ["suspect", "standby"]);
    assert!(!lab.host_b().listens(PORT));
    daemon.terminate();
}

#[test]
fn a_foreign_listener_on_the_port_is_neither_stopped_nor_taken_for_the_gateway() {
    let lab = Lab::new();
    let [_, local] = gateways(&lab);
    let mut foreign = lab.host_b().gateway().expect("the lab's own gateway");
    let mut daemon = armed(&lab, &local);
    daemon.becomes("blocked");
    assert_eq!(foreign.ended(), None);
    foreign.kill();
    daemon.becomes_within(LONGEST_START, "active");
    daemon.terminate();
    assert_eq!(
        daemon.states(),
        ["suspect", "blocked", "starting", "active"]
    );
}

#[test]
fn a_start_with_an_invalid_configuration_fails_with_its_own_exit_code() {
    let lab = Lab::new();
    let [_, local] = gateways(&lab);
    local.configure("{ gateway: { port: \"no number\" } }");
    let mut daemon = setup(&lab, &local.run_line(), &local.stop_line()).spawn();
    let failed = daemon.says_within(LONGEST_START, "a start that failed", |line| {
        line.message() == "command ended" && line.field("command") == "start"
    });
    assert!(failed.field("result").contains("78"), "{}", failed.text);
    assert!(!lab.host_b().listens(PORT));
    assert!(!daemon.states().contains(&"active".to_owned()));
    daemon.terminate();
}

#[test]
fn the_backup_that_the_operating_guide_names_is_there() {
    let lab = Lab::new();
    let help = std::process::Command::new(openclaw::folder().join("bin/openclaw"))
        .args(["backup", "create", "--help"])
        .env("HOME", lab.directory())
        .output()
        .expect("running OpenClaw");
    let text = String::from_utf8_lossy(&help.stdout);
    assert!(help.status.success(), "{help:?}");
    assert!(text.contains("openclaw backup create"), "{text}");
}
