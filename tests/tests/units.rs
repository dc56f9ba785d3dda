//! A gateway that is a unit, on a machine with a real systemd: started and stopped through D-Bus.

use std::{path::Path, time::Duration};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Lab, Machine, machine},
    lines::Line,
    wait,
};

/// Of a service manager that another machine, which just boots, keeps waiting.
const TIMEOUT: Duration = Duration::from_secs(30);

/// As OpenClaw's: it is started again when it dies.
fn unit(lab: &Lab) -> String {
    let lab_binary = lab.binary().display();
    format!("[Service]\nExecStart={lab_binary} gateway --listen 0.0.0.0:{PORT}\nRestart=always\n")
}

fn user_unit(lab: &Lab, machine: &Machine) {
    let folder = format!("{}/.config/systemd/user", machine::HOME);
    machine.run_as_user(&["mkdir", "-p", &folder]);
    machine.write(&format!("{folder}/openclaw-gateway.service"), &unit(lab));
    machine.run_as_user(&["systemctl", "--user", "daemon-reload"]);
}

/// Ends the daemon there: from outside, only what brought it there can be reached.
fn end(machine: &Machine, daemon: Daemon, signal: &str) {
    let script =
        format!("pkill -{signal} -x failover; while pgrep -x failover; do sleep 0.05; done");
    machine.run(&["sh", "-c", &script]);
    drop(daemon);
}

fn ended(daemon: &mut Daemon, command: &str) -> Line {
    daemon.says(&format!("the end of the {command}"), |line| {
        line.message() == "command ended" && line.field("command") == command
    })
}

#[test]
fn a_user_unit_is_started_and_stopped_as_its_account_and_known_after_a_restart() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    user_unit(&lab, &machine);
    let setup = || {
        Setup::new(&lab)
            .gateway_by_itself("systemd-user")
            .argument("--check=tcp")
            .argument("--user")
            .argument(machine::ACCOUNT)
            .start_timeout(TIMEOUT)
            .stop_timeout(TIMEOUT)
            .on(&machine)
    };
    let mut daemon = setup().spawn();
    // The port may listen before the command has ended.
    let started = ended(&mut daemon, "start");
    wait::until("the gateway is active", wait::LONG, || {
        daemon.states().contains(&"active".to_owned()).then_some(())
    });
    assert_eq!(started.field("result"), "succeeded", "{}", started.text);
    let says = daemon.said(|line| line.message() == "command output");
    let text = says[0].field("line");
    assert!(text.contains("job done, active (running)"), "{text}");
    assert_eq!(machine.user_unit_state("openclaw-gateway"), "active");
    let owner = machine.run(&["pgrep", "--uid", machine::ACCOUNT, "failover-lab"]);
    assert!(!owner.trim().is_empty());

    end(&machine, daemon, "KILL");
    let mut daemon = setup().spawn();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    let stopped = ended(&mut daemon, "stop");
    assert_eq!(stopped.field("result"), "succeeded", "{}", stopped.text);
    wait::until("the gateway is released", wait::LONG, || {
        (daemon.states().last()? == "standby").then_some(())
    });
    assert_eq!(machine.user_unit_state("openclaw-gateway"), "inactive");
    assert!(!lab.host_b().listens(PORT));
    end(&machine, daemon, "TERM");
}

#[test]
fn a_system_unit_is_started_and_stopped_and_one_that_is_missing_is_reported() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let setup = || {
        Setup::new(&lab)
            .gateway_by_itself("systemd")
            .argument("--unit=bot")
            .start_timeout(TIMEOUT)
            .stop_timeout(TIMEOUT)
            .on(&machine)
    };
    let mut daemon = setup().spawn();
    let failed = ended(&mut daemon, "start");
    assert!(
        failed.field("output").contains("there is no such unit"),
        "{}",
        failed.text
    );
    end(&machine, daemon, "TERM");

    machine.write("/etc/systemd/system/bot.service", &unit(&lab));
    machine.run(&["systemctl", "daemon-reload"]);
    let mut daemon = setup().spawn();
    daemon.becomes("active");
    assert_eq!(machine.unit_state("bot"), "active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    // The process has gone; its service manager hears of that by itself.
    wait::until("the unit has ended", wait::LONG, || {
        (machine.unit_state("bot") == "inactive").then_some(())
    });
    end(&machine, daemon, "TERM");
}

/// Its service manager says at once that it started it, and then that it failed.
#[test]
fn a_unit_that_dies_is_started_again_at_once_and_one_that_is_slow_is_waited_for() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let install = |start: &str| {
        let unit = format!("[Service]\nExecStart={start}\n");
        machine.write("/etc/systemd/system/bot.service", &unit);
        machine.run(&["systemctl", "daemon-reload"]);
    };
    let setup = || {
        Setup::new(&lab)
            .gateway_by_itself("systemd")
            .argument("--unit=bot")
            .start_timeout(Duration::from_secs(3600))
            .stop_timeout(TIMEOUT)
            .on(&machine)
    };
    install("/bin/sh -c 'sleep 0.5; exit 1'");
    let mut daemon = setup().spawn();
    for _ in 0..3 {
        ended(&mut daemon, "start");
        ended(&mut daemon, "stop");
    }
    let gone = daemon.said(|line| line.message().contains("has exited"));
    assert!(
        gone[0].field("found").contains("bot.service is failed"),
        "{gone:?}"
    );
    end(&machine, daemon, "TERM");
    let lab_binary = lab.binary().display();
    install(&format!(
        "/bin/sh -c 'sleep 5; exec {lab_binary} gateway --listen 0.0.0.0:{PORT}'"
    ));
    machine.run(&["systemctl", "reset-failed"]);
    let mut daemon = setup().spawn();
    daemon.becomes("active");
    let starts =
        daemon.said(|line| line.message() == "command ended" && line.field("command") == "start");
    assert_eq!(starts.len(), 1, "{starts:?}");
    end(&machine, daemon, "TERM");
}

/// As `docker-proxy` does that a service of somebody else's starts in that very moment.
#[test]
fn a_forwarder_that_a_start_brings_up_as_a_service_is_not_the_gateway() {
    let lab = Lab::new();
    let Some(machine) = Machine::boot(&lab, &[]) else {
        return;
    };
    let forwarder = lab.directory().join("docker-proxy");
    Lab::copy_program(lab.binary(), &forwarder);
    let unit = |program: &Path| {
        let program = program.display();
        format!("[Service]\nExecStart={program} gateway --listen 0.0.0.0:{PORT}\n")
    };
    machine.write("/etc/systemd/system/proxy.service", &unit(&forwarder));
    // Of nobody that the daemon would know.
    let bot = format!("{}User={}\n", unit(lab.binary()), machine::ACCOUNT);
    machine.write("/etc/systemd/system/bot.service", &bot);
    machine.run(&["systemctl", "daemon-reload"]);
    let setup = |unit: &str| {
        Setup::new(&lab)
            .command_lines(&format!("systemctl start {unit}"), "systemctl stop bot")
            .on(&machine)
    };
    let mut daemon = setup("proxy").spawn();
    daemon.becomes("blocked");
    // Before anybody could start it again.
    end(&machine, daemon, "TERM");
    machine.run(&["systemctl", "stop", "proxy"]);
    let mut daemon = setup("bot").spawn();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    wait::until("the unit has ended", wait::LONG, || {
        (machine.unit_state("bot") == "inactive").then_some(())
    });
    end(&machine, daemon, "TERM");
}
