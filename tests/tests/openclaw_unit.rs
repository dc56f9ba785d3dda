//! The real OpenClaw as its owner's systemd user unit on PC-B, and the daemon as the unit that the
//! package brings.

use std::{fs, process::Stdio, time::Duration};

use failover_tests::{
    PORT,
    lab::{
        Lab, Machine, failover_binary,
        machine::{ACCOUNT, HOME, USER},
    },
    openclaw::{self, LONGEST_START},
    wait,
};
use serde_json::Value;

/// Where the real gateway is in the machine.
const OPENCLAW: &str = "/opt/openclaw";
/// Of OpenClaw itself.
const UNIT: &str = "openclaw-gateway.service";
const CONFIGURATION: &str = r#"{
    gateway: { mode: "local", bind: "lan", port: 18789, auth: { mode: "token", token: "test" } },
}"#;

/// A machine with the unit that OpenClaw installs, which doesn't run.
fn machine_with_openclaw(lab: &Lab) -> Option<Machine> {
    let machine = Machine::boot(lab, &[(&openclaw::folder(), OPENCLAW)])?;
    machine.run_as_user(&["mkdir", "-m", "700", &format!("{HOME}/.openclaw")]);
    let configuration = format!("{HOME}/.openclaw/openclaw.json");
    machine.write(&configuration, CONFIGURATION);
    machine.run(&["chown", ACCOUNT, &configuration]);
    // Where everybody's PATH has it.
    machine.run(&[
        "ln",
        "-s",
        &format!("{OPENCLAW}/bin/openclaw"),
        "/usr/local/bin/openclaw",
    ]);
    machine.run_as_user(&[
        "openclaw",
        "gateway",
        "install",
        "--port",
        &PORT.to_string(),
    ]);
    // It starts it, too, and has it start at every boot.
    machine.run_as_user(&["systemctl", "--user", "disable", "--now", UNIT]);
    Some(machine)
}

/// The unit that the package brings: whatever it forbids, it forbids OpenClaw's commands as well.
const SHIPPED: &str = include_str!("../../failover-user/dist/failover.service");

/// The daemon as the package's unit has it, with these options after those that every daemon has.
fn run_daemon(lab: &Lab, machine: &Machine, options: &str) {
    let configuration = format!(
        "primary = \"{primary}\"\ninterval = \"2s\"\ntimeout = \"1s\"\nuser = \"{ACCOUNT}\"\n{options}\n",
        primary = lab.host_a().gateway_address(),
    );
    machine.run(&["groupadd", "--system", "failover"]);
    machine.run(&["mkdir", "-p", "/etc/failover"]);
    machine.write("/etc/failover/failover.toml", &configuration);
    let program = failover_binary();
    let program = program.to_str().expect("its path is text");
    machine.run(&["install", program, "/usr/bin/failover"]);
    machine.write("/etc/systemd/system/failover.service", SHIPPED);
    machine.run(&["systemctl", "daemon-reload"]);
    machine.run(&["systemctl", "start", "failover"]);
}

/// What the daemon says of itself, once it does.
fn status(machine: &Machine) -> Option<Value> {
    let output = machine
        .command(failover_binary())
        .args(["status", "--output", "json"])
        .stdin(Stdio::null())
        .output()
        .expect("nsenter can be run");
    serde_json::from_slice(&output.stdout).ok()
}

fn await_state(machine: &Machine, wanted: &str, patience: Duration) {
    let mut last = None;
    let reached = wait::attempt(patience, || {
        last = status(machine);
        (last.as_ref()?["state"] == wanted).then_some(())
    });
    if reached.is_none() {
        let log = machine.run(&["journalctl", "--no-pager", "--output=cat"]);
        panic!("not within {patience:?}: state {wanted}\n{last:#?}\n{log}");
    }
}

/// Its commands try the port out by listening on it: that must not pass for the gateway.
fn assert_listens(lab: &Lab, machine: &Machine) {
    if !lab.host_b().listens(PORT) {
        let log = machine.run(&["journalctl", "--no-pager", "--output=short-precise"]);
        panic!("nobody listens\n{:#?}\n{log}", status(machine));
    }
}

/// The process of the unit, as the machine numbers it.
fn main_process(machine: &Machine) -> u32 {
    let words = [
        "systemctl",
        "--user",
        "show",
        "--value",
        "--property=MainPID",
        UNIT,
    ];
    let text = machine.run_as_user(&words);
    text.trim().parse().expect("a process number")
}

fn owner(machine: &Machine, process: u32) -> u32 {
    let place = machine.path(&format!("/proc/{process}"));
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(place).expect("it runs"))
}

/// From one primary's death to the next one's first success, with the daemon restarted and stopped
/// while the gateway serves.
fn assert_fails_over(lab: &Lab, machine: &Machine, options: &str) {
    let primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    run_daemon(lab, machine, options);
    // Of a primary that nobody ever saw, nobody takes over.
    wait::until("the primary is seen", wait::LONG, || {
        let status = status(machine)?;
        let seen = status.get("last_probe")?.is_object() && status.get("state")? == "standby";
        seen.then_some(())
    });
    primary.kill();
    await_state(machine, "active", LONGEST_START);
    assert_listens(lab, machine);
    assert_eq!(machine.user_unit_state(UNIT), "active");
    let gateway = main_process(machine);
    assert_eq!(owner(machine, gateway), USER);

    machine.run(&["systemctl", "restart", "failover"]);
    await_state(machine, "active", wait::LONG);
    machine.run(&["systemctl", "stop", "failover"]);
    assert_listens(lab, machine);
    assert_eq!(main_process(machine), gateway);
    machine.run(&["systemctl", "start", "failover"]);
    await_state(machine, "active", wait::LONG);
    assert_eq!(main_process(machine), gateway);

    let _primary = lab.host_a().gateway().expect("PC-A's gateway starts");
    await_state(machine, "standby", LONGEST_START);
    assert!(!lab.host_b().listens(PORT));
    wait::until("the unit has ended", LONGEST_START, || {
        (machine.user_unit_state(UNIT) == "inactive").then_some(())
    });
    assert!(!machine.path(&format!("/proc/{gateway}")).exists());
}

#[test]
fn it_is_started_and_stopped_through_its_own_commands() {
    let lab = Lab::new();
    let Some(machine) = machine_with_openclaw(&lab) else {
        return;
    };
    assert_fails_over(&lab, &machine, "");
}

#[test]
fn it_is_started_and_stopped_through_its_service_manager() {
    let lab = Lab::new();
    let Some(machine) = machine_with_openclaw(&lab) else {
        return;
    };
    assert_fails_over(&lab, &machine, "gateway = \"systemd-user\"");
}

#[test]
fn a_start_with_an_invalid_configuration_is_reported_with_its_exit_code() {
    let lab = Lab::new();
    let Some(machine) = machine_with_openclaw(&lab) else {
        return;
    };
    machine.write(
        &format!("{HOME}/.openclaw/openclaw.json"),
        "{ gateway: { port: \"none\" } }",
    );
    run_daemon(&lab, &machine, "arm = \"always\"");
    let log = [
        "journalctl",
        "--no-pager",
        "--output=cat",
        "--unit=failover",
    ];
    wait::until("the exit code is shown", LONGEST_START, || {
        machine
            .run(&log)
            .contains("failed with exit code 78")
            .then_some(())
    });
    let status = status(&machine).expect("the daemon runs");
    assert_ne!(status["state"], "active");
    assert!(!lab.host_b().listens(PORT));
}
