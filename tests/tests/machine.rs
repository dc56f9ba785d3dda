//! The lab's machine with a real systemd, which other tests use.

use failover_tests::{
    lab::{Lab, Machine, machine},
    wait,
};

/// A unit that runs the lab's own gateway.
fn gateway_unit(lab: &Lab, port: u16) -> String {
    let lab_binary = lab.binary().display();
    format!("[Service]\nExecStart={lab_binary} gateway --listen 0.0.0.0:{port}\nRestart=always\n")
}

#[test]
fn a_system_unit_serves_the_other_host_and_is_restarted_when_it_is_killed() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    machine.write(
        "/etc/systemd/system/gateway.service",
        &gateway_unit(&lab, 18789),
    );
    machine.run(&["systemctl", "start", "gateway"]);
    assert_eq!(machine.unit_state("gateway"), "active");
    let reach = || {
        let address = lab.host_b().gateway_address();
        lab.host_a().connect(address).ok()
    };
    wait::until("PC-A reaches it", wait::LONG, reach);
    machine.run(&["systemctl", "kill", "--signal=KILL", "gateway"]);
    // The one that is killed may answer for a moment.
    wait::until("it is started again", wait::LONG, || {
        let restarts = machine.run(&["systemctl", "show", "--value", "-p", "NRestarts", "gateway"]);
        (restarts.trim() == "1").then_some(())
    });
    wait::until("PC-A reaches it again", wait::LONG, reach);
    machine.run(&["systemctl", "stop", "gateway"]);
    assert_eq!(machine.unit_state("gateway"), "inactive");
    assert!(!lab.host_b().listens(18789));
}

#[test]
fn a_user_unit_runs_as_the_account_that_lingers() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let folder = format!("{}/.config/systemd/user", machine::HOME);
    machine.run_as_user(&["mkdir", "-p", &folder]);
    machine.write(
        &format!("{folder}/gateway.service"),
        &gateway_unit(&lab, 18789),
    );
    machine.run_as_user(&["systemctl", "--user", "start", "gateway"]);
    assert_eq!(machine.user_unit_state("gateway"), "active");
    lab.host_b().await_listening(true);
    let owner = machine.run(&["pgrep", "--uid", machine::ACCOUNT, "failover-lab"]);
    assert!(!owner.trim().is_empty());
}

#[test]
fn what_it_writes_is_gone_with_it() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    machine.write("/etc/failover-lab-was-here", "");
    assert!(!std::path::Path::new("/etc/failover-lab-was-here").exists());
    let group = machine.group().to_owned();
    drop(machine);
    assert!(!group.exists());
}
