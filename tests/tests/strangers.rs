//! Who has the port and isn't the gateway: never stopped, and never mistaken for it.

use std::{fs, process::Stdio, time::Duration};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Lab, Process},
    lines::Line,
    wait,
};

/// A tunnel on PC-B, as far as anybody can tell: a program `ssh` that listens.
fn tunnel(lab: &Lab) -> Process {
    let folder = lab.directory().join("tunnel");
    let program = folder.join("ssh");
    if !program.exists() {
        fs::create_dir(&folder).expect("making a folder");
        // With its permissions.
        fs::copy(lab.binary(), &program).expect("copying the lab's program");
    }
    let mut command = lab.host_b().command(&program);
    command
        .args(["gateway", "--listen", &format!("0.0.0.0:{PORT}")])
        .stdout(Stdio::null());
    let tunnel = lab.host_b().spawn(&mut command).expect("a tunnel");
    lab.host_b().await_listening(true);
    tunnel
}

fn tells_of(daemon: &mut Daemon, tunnel: &Process, level: &str) -> Line {
    let told = daemon.says("who has the port", |line| {
        line.message()
            .starts_with("the port is held by something that isn't the gateway")
            && line.field("level") == level
    });
    let pid = format!("pid {}, ", tunnel.pid());
    assert!(told.field("held_by").contains(&pid), "{}", told.text);
    assert!(told.field("remedy").contains("--owner"), "{}", told.text);
    told
}

#[test]
fn a_start_waits_until_a_stranger_has_freed_the_port() {
    let lab = Lab::new();
    let tunnel = tunnel(&lab);
    let mut daemon = Setup::new(&lab).spawn();
    tells_of(&mut daemon, &tunnel, "WARN");
    daemon.becomes("blocked");
    tells_of(&mut daemon, &tunnel, "ERROR");
    daemon.runs_nothing_for(Duration::from_secs(1));
    let (status, code) = daemon.status();
    assert_eq!(code, 1);
    assert_eq!(status["gateway"]["foreign"], true, "{status}");
    assert!(status["problems"].to_string().contains("/ssh"), "{status}");
    tunnel.kill();
    daemon.becomes("starting");
    daemon.becomes("active");
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["foreign"], false, "{status}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_stranger_is_not_stopped_while_the_primary_serves() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let tunnel = tunnel(&lab);
    let mut daemon = Setup::new(&lab).spawn();
    tells_of(&mut daemon, &tunnel, "WARN");
    daemon.probes("connected");
    daemon.probes("connected");
    daemon.runs_nothing_for(Duration::from_secs(1));
    assert!(!daemon.states().contains(&"active".to_owned()));
    assert!(lab.host_b().listens(PORT));
    daemon.ends_having_run(&[]);
}

#[test]
fn a_stranger_that_comes_while_the_gateway_starts_is_waited_for() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).starts(&["slow 700ms", "ok"]).spawn();
    daemon.begins(1, failover_tests::commands::Command::Start);
    let tunnel = tunnel(&lab);
    daemon.becomes("blocked");
    tells_of(&mut daemon, &tunnel, "ERROR");
    tunnel.kill();
    daemon.becomes("active");
    let gateway = daemon.commands().gateway().unwrap();
    let (status, _) = daemon.status();
    let held_by = status["gateway"]["held_by"].to_string();
    assert!(held_by.contains(&format!("pid {gateway}, ")), "{status}");
    daemon.terminate();
}

#[test]
fn who_is_named_as_owner_is_the_gateway() {
    for owner in ["executable:ssh", "account:root", "unit:x,executable:ssh"] {
        let lab = Lab::new();
        let _tunnel = tunnel(&lab);
        let mut daemon = Setup::new(&lab).argument("--owner").argument(owner).spawn();
        daemon.becomes("active");
        daemon.ends_having_run(&[]);
    }
}

#[test]
fn what_our_own_start_brought_up_is_the_gateway_whatever_it_is_and_after_a_restart_too() {
    let lab = Lab::new();
    let setup = Setup::new(&lab).argument("--owner=executable:/nothing");
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("stopping");
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_gateway_that_somebody_else_has_started_is_not_ours_for_that() {
    let lab = Lab::new();
    let gateway = lab.host_b().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--owner=executable:/nothing")
        .spawn();
    daemon.becomes("blocked");
    daemon.runs_nothing_for(Duration::from_millis(500));
    gateway.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_gateway_whose_port_is_closed_is_still_there_until_its_process_has_ended() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["ok-but-linger 2s"])
        .stop_timeout(Duration::from_secs(10));
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let gateway = u64::from(daemon.commands().gateway().unwrap());
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("stopping");
    lab.host_b().await_listening(false);
    wait::until("the status names the process", wait::LONG, || {
        let (status, _) = daemon.status();
        let ending = &status["gateway"]["ending"];
        (ending[0]["pid"] == gateway && status["gateway"]["listening"] == false).then_some(())
    });
    let ended = daemon.says("its end", |line| {
        line.message() == "the gateway's process has ended"
    });
    assert_eq!(ended.number("pid"), Some(gateway));
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["ending"].as_array().unwrap().len(), 0);
    daemon.terminate();
}
