//! Foreign listeners on the port: never stopped, and never taken for the gateway.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Stdio,
    thread,
    time::Duration,
};

use failover_tests::{
    PORT,
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Lab, Process, end_listener},
    lines::Line,
    wait,
};

/// Looks like a tunnel on PC-B: a program `ssh` that listens.
fn tunnel(lab: &Lab) -> Process {
    ssh(lab, &["gateway", "--listen", &format!("0.0.0.0:{PORT}")])
}

/// A tunnel on PC-B that leads to the primary, which must be there.
fn tunnel_to_the_primary(lab: &Lab) -> Process {
    let to = lab.host_a().gateway_address().to_string();
    let listen = format!("127.0.0.1:{PORT}");
    ssh(lab, &["forward", "--listen", &listen, "--to", &to])
}

/// A program `ssh` on PC-B that does this.
fn ssh(lab: &Lab, arguments: &[&str]) -> Process {
    let folder = lab.directory().join("tunnel");
    let program = folder.join("ssh");
    if !program.exists() {
        fs::create_dir(&folder).expect("making a folder");
        // With its permissions.
        Lab::copy_program(lab.binary(), &program);
    }
    let mut command = lab.host_b().command(&program);
    command.args(arguments).stdout(Stdio::null());
    let ssh = lab.host_b().spawn(&mut command).expect("a tunnel");
    lab.host_b().await_listening(true);
    ssh
}

fn leads_to_the_primary(line: &Line) -> bool {
    line.message().contains("lead to the primary")
        || line.message().contains("leads to the primary")
}

fn warns_of(daemon: &mut Daemon, tunnel: &Process, level: &str) -> Line {
    let line = daemon.says("who has the port", |line| {
        line.message()
            .starts_with("the port is held by something that isn't the gateway")
            && line.field("level") == level
    });
    let pid = format!("pid {}, ", tunnel.pid());
    assert!(line.field("held_by").contains(&pid), "{}", line.text);
    assert!(line.field("remedy").contains("--owner"), "{}", line.text);
    line
}

#[test]
fn a_start_waits_until_a_foreign_listener_has_freed_the_port() {
    let lab = Lab::new();
    let tunnel = tunnel(&lab);
    let mut daemon = Setup::new(&lab).spawn();
    warns_of(&mut daemon, &tunnel, "WARN");
    daemon.becomes("blocked");
    warns_of(&mut daemon, &tunnel, "ERROR");
    daemon.runs_nothing_for(Duration::from_secs(1));
    let (status, code) = daemon.status();
    assert_eq!(code, 1);
    assert_eq!(status["gateway"]["foreign"], true, "{status}");
    assert!(status["problems"].to_string().contains("/ssh"), "{status}");
    assert!(status["reason"].to_string().contains("/ssh"), "{status}");
    let refused = daemon.order(&["takeover", "--force"]);
    let refused = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.contains("/ssh (pid "), "{refused}");
    tunnel.kill();
    daemon.becomes("starting");
    daemon.becomes("active");
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["foreign"], false, "{status}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_foreign_listener_is_not_stopped_while_the_primary_serves() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let tunnel = tunnel(&lab);
    let mut daemon = Setup::new(&lab).spawn();
    warns_of(&mut daemon, &tunnel, "WARN");
    daemon.probes("connected");
    daemon.probes("connected");
    daemon.runs_nothing_for(Duration::from_secs(1));
    assert!(!daemon.states().contains(&"active".to_owned()));
    assert!(lab.host_b().listens(PORT));
    // It leads nowhere.
    assert!(daemon.said(leads_to_the_primary).is_empty());
    daemon.ends_having_run(&[]);
}

/// An address of PC-B that nobody else has, as the one of a private network.
const OTHER_ADDRESS: &str = "100.64.7.2";

fn with_another_address(lab: &Lab) {
    let address = format!("{OTHER_ADDRESS}/32");
    let host = lab.host_b();
    host.run("ip", &["address", "add", &address, "dev", "lo"]);
}

/// A foreign program that listens on the other address, and never answers.
fn foreign_on_another_address(lab: &Lab) -> Process {
    let listen = format!("{OTHER_ADDRESS}:{PORT}");
    ssh(lab, &["gateway", "--listen", &listen, "--plays", "hung"])
}

#[test]
fn a_foreign_listener_on_another_address_keeps_no_gateway_from_starting() {
    for kernel_events in ["auto", "off"] {
        let lab = Lab::new();
        with_another_address(&lab);
        let foreign = foreign_on_another_address(&lab);
        let primary = lab.host_a().gateway().unwrap();
        // The start stays in the foreground: it is the gateway.
        let start = format!(
            "{} gateway --listen 127.0.0.1:{PORT}",
            lab.binary().display()
        );
        let mut daemon = Setup::new(&lab)
            .command_lines(&start, "true")
            .argument("--check=openclaw")
            .argument(&format!("--kernel-events={kernel_events}"))
            .start_timeout(wait::LONG)
            .spawn();
        daemon.probes("connected");
        let (status, _) = daemon.status();
        assert_eq!(status["gateway"]["listening"], false, "{status}");
        assert_eq!(status["gateway"]["foreign"], false, "{status}");
        let warnings = status["warnings"].to_string();
        assert!(warnings.contains("on another address"), "{status}");
        assert!(warnings.contains(OTHER_ADDRESS), "{status}");
        assert!(!status["problems"].to_string().contains("/ssh"), "{status}");
        primary.kill();
        daemon.becomes("active");
        // The gateway is named and probed, not the foreign listener, which wouldn't answer.
        for _ in 0..4 {
            daemon.says("the gateway's answer", |line| {
                line.message() == "the local gateway was checked"
            });
        }
        let (status, _) = daemon.status();
        let held_by = status["gateway"]["held_by"].to_string();
        assert!(held_by.contains("127.0.0.1"), "{status}");
        assert!(!held_by.contains(OTHER_ADDRESS), "{status}");
        assert_eq!(status["gateway_strikes"], 0, "{status}");
        assert!(!daemon.states().contains(&"blocked".to_owned()));
        assert!(lab.host_b().listens(PORT));
        drop(foreign);
        daemon.terminate();
    }
}

#[test]
fn a_foreign_listener_on_another_address_is_in_the_way_of_a_gateway_that_binds_all() {
    let lab = Lab::new();
    with_another_address(&lab);
    let primary = lab.host_a().gateway().unwrap();
    // It binds 0.0.0.0, which the daemon can only know from having seen it.
    let mut daemon = Setup::new(&lab).spawn();
    let primary = daemon.takes_over_and_releases(&lab, primary);
    daemon.remembers("what the gateway bound", |kept| {
        kept["bound"]["addresses"].to_string().contains("0.0.0.0")
    });
    lab.host_b().await_listening(false);
    let foreign = foreign_on_another_address(&lab);
    let mut daemon = daemon.killed_and_restarted();
    warns_of(&mut daemon, &foreign, "WARN");
    primary.kill();
    daemon.becomes("blocked");
    foreign.kill();
    daemon.becomes("active");
    daemon.terminate();
}

/// As OpenClaw's own commands do before they start a gateway, or stop one.
#[test]
fn a_port_that_is_only_tried_out_is_held_by_nobody() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let address = SocketAddr::from(([0, 0, 0, 0], PORT));
    lab.host_b().enter("openclaw", || {
        for _ in 0..50 {
            let listener = TcpListener::bind(address).expect("the port is free");
            // Long enough to be found, if anybody looks at once.
            thread::sleep(Duration::from_millis(2));
            end_listener(listener);
        }
    });
    let changed = |line: &Line| line.message() == "local port changed";
    let tunnel = tunnel(&lab);
    let line = daemon.says("who listens", changed);
    let pid = format!("pid {}, ", tunnel.pid());
    assert!(line.field("held_by").contains(&pid), "{}", line.text);
    assert_eq!(daemon.said(changed).len(), 1);
    daemon.ends_having_run(&[]);
}

#[test]
fn a_tunnel_to_the_primary_is_named_until_it_is_gone() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let tunnel = tunnel_to_the_primary(&lab);
    let mut daemon = Setup::new(&lab).spawn();
    let line = daemon.says("where it leads", leads_to_the_primary);
    let to = lab.host_a().gateway_address();
    let expected = format!("ssh (pid {}), connected to {to}", tunnel.pid());
    assert!(line.field("held_by").ends_with(&expected), "{}", line.text);
    assert!(
        line.field("remedy").contains("another port"),
        "{}",
        line.text
    );
    let (status, code) = daemon.status();
    let problems = status["problems"].to_string();
    assert!(
        problems.contains("seems to lead to the primary"),
        "{status}"
    );
    assert_eq!(code, 1);
    daemon.runs_nothing_for(Duration::from_millis(500));
    assert_eq!(daemon.said(leads_to_the_primary).len(), 1);
    tunnel.kill();
    wait::until("the status is safe again", wait::LONG, || {
        let (status, code) = daemon.status();
        (code == 0 && status["gateway"]["listening"] == false).then_some(())
    });
    daemon.ends_having_run(&[]);
}

#[test]
fn a_tunnel_is_known_by_the_primarys_own_word_too() {
    let lab = Lab::new();
    let token = lab.directory().join("token");
    fs::write(&token, "secret").unwrap();
    let _primary = lab.host_a().gateway().unwrap();
    let _tunnel = tunnel_to_the_primary(&lab);
    let mut daemon = Setup::new(&lab)
        .argument("--check=openclaw")
        .argument(&format!("--check-token-file={}", token.display()))
        // A listener here doesn't get the primary's token unless that is configured.
        .argument(&format!("--local-check-token-file={}", token.display()))
        .spawn();
    daemon.says("that it is the primary", |line| {
        line.message() == "the local port leads to the primary: both are the same process"
    });
    let (status, _) = daemon.status();
    let problems = status["problems"].to_string();
    assert!(problems.contains("both are one process"), "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_gateway_that_is_connected_to_the_primarys_host_stays_the_gateway() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let _gateway = tunnel_to_the_primary(&lab);
    let mut daemon = Setup::new(&lab).argument("--owner=executable:ssh").spawn();
    let line = daemon.says("where it leads", leads_to_the_primary);
    assert_eq!(line.json["is_gateway"], true, "{}", line.text);
    daemon.becomes("stopping");
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["foreign"], false, "{status}");
    assert!(!status["problems"].to_string().contains("lead"), "{status}");
    primary.kill();
    daemon.terminate();
}

#[test]
fn a_foreign_listener_that_comes_while_the_gateway_starts_is_waited_for() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .starts(&["held", "ok"])
        .start_timeout(wait::LONG)
        .spawn();
    daemon.begins(1, Command::Start);
    let tunnel = tunnel(&lab);
    daemon.commands().unblock();
    daemon.becomes("blocked");
    warns_of(&mut daemon, &tunnel, "ERROR");
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
    // For longer than it isn't reported.
    let mut daemon = Setup::new(&lab).starts(&["ok-but-linger 15s"]).spawn();
    daemon.becomes("active");
    let gateway = u64::from(daemon.commands().gateway().unwrap());
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("stopping");
    lab.host_b().await_listening(false);
    let status = wait::until("the status names the process", wait::LONG, || {
        let (status, _) = daemon.status();
        let ending = &status["gateway"]["ending"];
        let is_there = ending[0]["pid"] == gateway && status["gateway"]["listening"] == false;
        is_there.then_some(status)
    });
    assert_eq!(status["state"], "stopping", "{status}");
    let warned = daemon.says("that it is still there", |line| {
        line.message() == "the gateway's port is closed, but its process is still there"
    });
    assert_eq!(warned.field("level"), "WARN");
    assert_eq!(warned.number("pid"), Some(gateway));
    let ended = daemon.says("its end", |line| {
        line.message() == "the gateway's process has ended"
    });
    assert_eq!(ended.number("pid"), Some(gateway));
    daemon.becomes("standby");
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["ending"].as_array().unwrap().len(), 0);
    daemon.ends_having_run(&["start", "stop"]);
}
