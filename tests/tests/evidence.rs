//! Evidence from other programs' connections to the primary, and look-ups of its name: they decide when and which
//! address to probe, never the outcome.

use std::{
    fs,
    net::{Shutdown, TcpListener, TcpStream},
    time::Duration,
};

use failover_tests::{
    daemon::{Daemon, Setup},
    lab::{Lab, failover_binary},
    moment::Moment,
    wait,
};
use rustix::net::sockopt::set_socket_linger;

/// No probe comes by itself during a scenario.
const NEVER: Duration = Duration::from_secs(30);
/// From the news to the probe that looks into it, on a loaded machine.
const SOON: Duration = Duration::from_millis(1500);

/// A daemon that found the primary up, and somebody else on PC-B who is connected to it.
struct Peace {
    daemon: Daemon,
    client: TcpStream,
    /// The other end of it.
    at_primary: TcpStream,
    /// What still answers, and the daemon's own connections: closing those would be news.
    kept: (TcpListener, Vec<TcpStream>),
}

fn peace(lab: &Lab) -> Peace {
    let address = lab.host_a().gateway_address();
    // In this process, which can do to a connection what the lab's gateway never does.
    let primary = lab.host_a().listen(address, 16).expect("PC-A listens");
    let mut daemon = Setup::new(lab).interval(NEVER).spawn();
    daemon.probes("connected");
    let client = lab.host_b().connect(address).expect("PC-A answers");
    let local = client.local_addr().expect("a connection has an address");
    let mut others = Vec::new();
    loop {
        let (stream, peer) = primary.accept().expect("a connection is waiting");
        if peer == local {
            return Peace {
                daemon,
                client,
                at_primary: stream,
                kept: (primary, others),
            };
        }
        others.push(stream);
    }
}

/// The probe comes soon, and as the primary answers it that is all.
fn assert_looked_into(mut daemon: Daemon, news: Moment) {
    let probe = daemon.says("a probe for bad news", |line| {
        line.field("cause") == "bad-news"
    });
    let waited = probe.at.since(news);
    assert!(waited < SOON, "looked into after {waited:?}");
    assert_eq!(probe.field("outcome"), "connected", "{probe:?}");
    assert_eq!(daemon.states(), Vec::<String>::new());
    daemon.ends_having_run(&[]);
}

#[test]
fn a_reset_of_somebody_elses_connection_is_looked_into_and_is_no_strike() {
    let lab = Lab::new();
    let Peace {
        daemon,
        client: _client,
        at_primary,
        kept: _kept,
    } = peace(&lab);
    set_socket_linger(&at_primary, Some(Duration::ZERO)).unwrap();
    let news = Moment::now();
    drop(at_primary);
    assert_looked_into(daemon, news);
}

#[test]
fn a_close_of_somebody_elses_connection_is_looked_into_and_is_no_strike() {
    let lab = Lab::new();
    let Peace {
        daemon,
        client: _client,
        at_primary,
        kept: _kept,
    } = peace(&lab);
    let news = Moment::now();
    drop(at_primary);
    assert_looked_into(daemon, news);
}

#[test]
fn somebody_who_hangs_up_on_the_primary_is_no_news() {
    let lab = Lab::new();
    let peace = peace(&lab);
    let before = peace.daemon.probed().len();
    // Not merely closed: a command that another test is starting may keep a copy for a moment.
    peace.client.shutdown(Shutdown::Both).unwrap();
    drop(peace.at_primary);
    wait::nothing_happens("the primary was probed", SOON, || {
        let probed = peace.daemon.probed();
        (probed.len() > before).then_some(probed)
    });
    peace.daemon.ends_having_run(&[]);
}

#[test]
fn what_a_check_by_hand_sees_of_a_dead_primary_is_no_reason_for_anything() {
    for restricted in [false, true] {
        let lab = Lab::new();
        let primary = lab.host_a().gateway().unwrap();
        let mut setup = Setup::new(&lab).interval(NEVER);
        if restricted {
            // As its unit has it: it may not see which file root's own processes run.
            setup = setup.without_capabilities(&["sys_ptrace"]);
        }
        let mut daemon = setup.spawn();
        daemon.probes("connected");
        primary.kill();
        daemon.counts(1);
        let seen = || daemon.status().0["kernel_events"]["seen"].as_u64();
        let before = seen();
        let mut check = lab.host_b().command(failover_binary());
        check
            .args(["check", "--gateway=command", "--start=true", "--stop=true"])
            .arg(format!("--primary={}", lab.host_a().gateway_address()))
            .arg("--control")
            .arg(daemon.control());
        let output = check.output().expect("running failover check");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("refuses connections"), "{text}");
        wait::until("the kernel tells of it", wait::LONG, || {
            (seen() > before).then_some(())
        });
        let (status, _) = daemon.status();
        let notes = status["recent"].to_string();
        assert!(!notes.contains("connection refused"), "{status:#}");
        // Somebody else's connection is another matter.
        let refused = lab.host_b().connect(lab.host_a().gateway_address());
        assert!(refused.is_err());
        wait::until("another's is noted", wait::LONG, || {
            let notes = daemon.status().0["recent"].to_string();
            notes.contains("connection refused").then_some(())
        });
        daemon.terminate();
    }
}

#[test]
fn somebody_who_gets_through_to_a_suspect_primary_brings_it_back_at_once() {
    const INTERVAL: Duration = Duration::from_secs(10);
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(INTERVAL).spawn();
    daemon.probes("connected");
    primary.kill();
    let suspect = daemon.counts(1);
    let _primary = lab.host_a().gateway().unwrap();
    let news = Moment::now();
    let _client = lab
        .host_b()
        .connect(lab.host_a().gateway_address())
        .unwrap();
    // Who gets through takes the strike back, and a probe looks into it.
    let back = daemon.becomes("standby");
    let probe = daemon.probes("connected");
    assert_eq!(probe.field("cause"), "good-news", "{probe:?}");
    let waited = probe.at.since(news);
    assert!(waited < SOON, "back after {waited:?}");
    assert!(back.at.since(suspect.at) < INTERVAL, "{suspect:?} {back:?}");
    assert_eq!(daemon.states(), ["suspect", "standby"]);
    daemon.ends_having_run(&[]);
}

#[test]
fn a_primary_whose_name_moves_to_another_host_is_found_there() {
    const NAME: &str = "gateway.test";
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let primary = lab.host_a().gateway().unwrap();
    let moved = third.gateway().unwrap();
    let hosts = lab.directory().join("hosts");
    // In place: the daemon sees this very file.
    fs::write(&hosts, format!("{} {NAME}\n", lab.host_a().address())).unwrap();
    let mut daemon = Setup::new(&lab)
        .primary(NAME)
        .hosts_file(&hosts)
        .interval(Duration::from_secs(2))
        .spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.counts(1);
    fs::write(&hosts, format!("{} {NAME}\n", third.address())).unwrap();
    daemon.becomes("standby");
    assert_eq!(daemon.states(), ["suspect", "standby"]);
    // It is the other host's gateway that is watched now.
    moved.kill();
    daemon.becomes("suspect");
    daemon.ends_having_run(&[]);
}
