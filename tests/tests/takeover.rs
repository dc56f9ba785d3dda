//! When PC-B takes over, and when it does not.

use std::{
    fs,
    net::UdpSocket,
    time::{Duration, Instant},
};

use failover_tests::{commands::Command, daemon::Setup, lab::Lab, wait};

const INTERVAL: Duration = Duration::from_millis(400);
/// A probe may begin this much after its time and still be on time.
const SLACK: Duration = Duration::from_millis(5);

/// A daemon ends in two seconds; a loaded machine has some more.
const END: Duration = Duration::from_secs(5);

#[test]
fn a_killed_primary_is_taken_over_after_three_strikes_that_span_two_intervals() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let death = primary.kill();
    daemon.counts(1);
    daemon.becomes("starting");
    let start = daemon.begins(1, Command::Start);
    lab.host_b().await_listening(true);
    daemon.becomes("active");
    let waited = start.time.since(death);
    assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
    assert!(
        waited < 2 * INTERVAL + Duration::from_secs(2),
        "started after {waited:?}"
    );
    assert_eq!(daemon.states(), ["suspect", "starting", "active"]);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_host_that_is_gone_is_taken_over() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let gone = lab.switch_port(lab.host_a()).down();
    daemon.becomes("active");
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(gone);
    assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
    assert!(waited < Duration::from_secs(4), "started after {waited:?}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn two_strikes_are_not_enough() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(Duration::from_secs(1)).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.counts(2);
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.runs_nothing_for(Duration::from_secs(2));
    daemon.ends_having_run(&[]);
}

#[test]
fn pc_bs_own_cable_is_no_reason_to_take_over() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_b()).down();
    let unknown = daemon.probes("unknown");
    assert!(unknown.field("reason").contains("eth0"), "{unknown:?}");
    daemon.runs_nothing_for(6 * INTERVAL);
    lab.switch_port(lab.host_b()).up();
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_primary_that_was_never_there_is_taken_over() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn with_a_primary_that_was_never_healthy_nothing_is_started_and_the_status_says_why() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).armed_by_a_success().spawn();
    daemon.becomes("unarmed");
    daemon.runs_nothing_for(3 * INTERVAL);
    let (status, code) = daemon.status();
    assert_eq!(code, 1);
    let problems = status["problems"].to_string();
    assert!(problems.contains("never seen healthy"), "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_primary_that_was_seen_healthy_before_the_daemon_was_restarted_is_taken_over() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).armed_by_a_success().spawn();
    daemon.probes("connected");
    daemon.remembers("that it was healthy", |kept| kept["armed_for"].is_string());
    primary.kill();
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_name_that_nobody_can_resolve_ends_nothing_and_starts_nothing() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).primary("no-such-host.invalid").spawn();
    // A name server that is slow is another reason, and may come first.
    daemon.says("why it is unknown", |line| {
        line.field("outcome") == "unknown" && line.field("reason").contains("can't be resolved")
    });
    daemon.runs_nothing_for(5 * INTERVAL);
    daemon.ends_having_run(&[]);
}

/// getaddrinfo(3) can't be cancelled, and may wait for a minute.
#[test]
fn a_name_server_that_never_answers_does_not_hold_up_the_end() {
    let lab = Lab::new();
    let address = (lab.host_a().address(), 53);
    let silent = lab
        .host_a()
        .enter("silent", || UdpSocket::bind(address))
        .unwrap();
    silent.set_read_timeout(Some(wait::LONG)).unwrap();
    let file = lab.directory().join("resolv.conf");
    let text = format!(
        "nameserver {}\noptions timeout:30 attempts:5\n",
        lab.host_a().address()
    );
    fs::write(&file, text).unwrap();
    let mut daemon = Setup::new(&lab)
        .primary("pc-a.example")
        .resolver_file(file)
        .spawn();
    // It is being asked.
    silent.recv(&mut [0; 512]).expect("a question");
    let signalled = Instant::now();
    daemon.terminate();
    let took = signalled.elapsed();
    assert!(took < END, "{took:?}");
}

#[test]
fn a_dry_run_decides_and_runs_nothing() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).argument("--dry-run").spawn();
    daemon.becomes("starting");
    daemon.runs_nothing_for(INTERVAL);
    daemon.ends_having_run(&[]);
}

#[test]
fn without_kernel_events_everything_happens_all_the_same() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).argument("--kernel-events=off").spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn the_tripwire_makes_the_first_strike_at_once_however_long_the_interval() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(Duration::from_secs(30)).spawn();
    daemon.probes("connected");
    let death = primary.kill();
    let noticed = daemon.counts(1).at.since(death);
    assert!(
        noticed < Duration::from_secs(2),
        "noticed after {noticed:?}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn a_host_that_falls_silent_is_noticed_within_five_seconds() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(Duration::from_secs(30)).spawn();
    daemon.probes("connected");
    let silence = lab.switch_port(lab.host_a()).down();
    // Keepalives take 4 s, the probe that follows 250 ms.
    let noticed = daemon.counts(1).at.since(silence);
    let latest = Duration::from_millis(5500);
    assert!(noticed < latest, "noticed after {noticed:?}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_listener_in_another_namespace_is_nobodys_gateway() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let third = lab.add_host("PC-C");
    let _stranger = third.gateway().unwrap();
    daemon.probes("connected");
    daemon.probes("connected");
    wait::nothing_happens("the listener was taken for PC-B's", INTERVAL, || {
        let said = daemon.said(|line| line.message() == "local port changed");
        (!said.is_empty()).then_some(said)
    });
    daemon.ends_having_run(&[]);
}

/// As OpenClaw does while an agent works: it listens and answers on, and says that it drains.
#[test]
fn a_local_gateway_that_drains_is_shown_and_stopped_once() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .argument("--check=openclaw")
        .starts(&["ok-but-drain 3s"])
        .stops(&["ok-but-drain 0s"])
        .stop_timeout(Duration::from_secs(30))
        .spawn();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("stopping");
    daemon.says("that it drains", |line| {
        line.message().starts_with("the local gateway drains")
    });
    let (status, _) = daemon.status();
    assert_eq!(status["state"], "stopping", "{status}");
    assert!(status["gateway"]["draining_since"].is_string(), "{status}");
    assert_eq!(status["problems"], serde_json::json!([]), "{status}");
    daemon.becomes("standby");
    let (status, _) = daemon.status();
    assert!(status["gateway"]["draining_since"].is_null(), "{status}");
    daemon.ends_having_run(&["start", "stop"]);
}
