//! The real OpenClaw as its owner's systemd user unit on PC-B, and the daemon as the unit that the
//! package brings.

use std::fs;

use failover_tests::{
    PORT,
    lab::{Lab, Machine, machine::USER},
    openclaw::LONGEST_START,
    openclaw_unit::{
        UNIT, await_seen, await_state, configure_gateway, log, machine as machine_with_openclaw,
        run_daemon, status,
    },
    wait,
};

const PROBES: &str = "interval = \"2s\"\ntimeout = \"1s\"\n";

/// Its commands try the port out by listening on it: that must not pass for the gateway.
fn assert_listens(lab: &Lab, machine: &Machine) {
    if !lab.host_b().listens(PORT) {
        panic!("nobody listens\n{:#?}\n{}", status(machine), log(machine));
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
    run_daemon(lab, machine, &format!("{PROBES}{options}"));
    await_seen(machine);
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
    configure_gateway(&machine, "{ gateway: { port: \"none\" } }");
    run_daemon(&lab, &machine, &format!("{PROBES}arm = \"always\""));
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
