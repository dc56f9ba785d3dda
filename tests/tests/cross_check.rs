//! Kernel events and the answers of sock_diag check each other, and the answers win.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Host, Lab, end_listener},
    lines::Line,
    wait,
};
use rustix::{net::sockopt::set_socket_linger, process::Signal};
use serde_json::Value;

/// A refused connection makes two events, and the ring buffer holds about 10,000.
const SOME: u32 = 1000;
const TOO_MANY: u32 = 20_000;
/// Without a reason, the port isn't polled before: the probes are far apart, and quiet times' own
/// look comes ten seconds after the last one.
const QUIET: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::from_secs(5);
/// A difference is a disagreement when it has lasted for half a second.
const SETTLED: Duration = Duration::from_secs(1);

fn disagrees(line: &Line) -> bool {
    line.message().contains("disagree on who listens")
}

fn changed(line: &Line) -> bool {
    line.message() == "local port changed"
}

fn disagreements(daemon: &Daemon) -> u64 {
    let (status, _) = daemon.status();
    let reported = status.pointer("/kernel_events/disagreements");
    reported
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{status:#}"))
}

/// Connections from this host to its own port, where nobody listens.
fn refused(host: &Host, times: u32) {
    let address = SocketAddr::from((host.address(), PORT));
    host.enter("refused", || {
        for _ in 0..times {
            if let Ok(stream) = TcpStream::connect(address) {
                let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            }
        }
    });
}

#[test]
fn events_that_stay_away_are_noticed_and_counted_and_what_sock_diag_says_is_so() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).deaf().spawn();
    daemon.becomes("active");
    let line = daemon.says("both views", disagrees);
    assert_eq!(line.field("events"), "", "{line:?}");
    let addresses = line.field("sock_diag");
    assert!(addresses.contains(&format!("0.0.0.0:{PORT}")), "{line:?}");
    assert_eq!(line.number("disagreements"), Some(1), "{line:?}");
    let (status, _) = daemon.status();
    assert_eq!(status["state"], "active", "{status:#}");
    assert_eq!(status["kernel_events"]["source"], "kernel", "{status:#}");
    assert!(disagreements(&daemon) >= 1);

    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn after_lost_events_the_port_is_looked_at_at_once() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let host = lab.host_b();
    let mut daemon = Setup::new(&lab).interval(QUIET).spawn();
    daemon.probes("connected");
    daemon.signal(Signal::STOP);
    refused(host, TOO_MANY);
    // Its LISTEN is among those that found no room.
    let _listener = host.listen(host.gateway_address(), 1).unwrap();
    daemon.signal(Signal::CONT);
    let seen = daemon.says_within(AT_ONCE, "the listener", changed);
    let address = host.gateway_address().to_string();
    assert_eq!(seen.field("listens"), address, "{seen:?}");
    daemon.terminate();
}

#[test]
fn an_event_from_before_others_were_lost_is_no_disagreement() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let host = lab.host_b();
    let mut daemon = Setup::new(&lab).interval(QUIET).spawn();
    daemon.probes("connected");
    daemon.signal(Signal::STOP);
    refused(host, SOME);
    let listener = host.listen(host.gateway_address(), 1).unwrap();
    // Not there: these would be accepted.
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], PORT));
    host.enter("refused", || {
        for _ in 0..TOO_MANY {
            let _ = TcpStream::connect(elsewhere);
        }
    });
    daemon.signal(Signal::CONT);
    daemon.says("the loss", |line| {
        line.message().contains("events were lost")
    });
    daemon.says("the listener", changed);
    end_listener(listener);
    daemon.says("its end", |line| {
        changed(line) && line.field("listens") == "nobody"
    });
    let disagreed = || daemon.said(disagrees).pop();
    wait::nothing_happens("they disagreed", SETTLED, disagreed);
    assert_eq!(disagreements(&daemon), 0);
    daemon.terminate();
}

#[test]
fn an_ipv4_mapped_listener_is_the_same_to_both() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mapped = SocketAddr::from((host.address().to_ipv6_mapped(), PORT));
    let mut daemon = Setup::new(&lab).starts(&["fail"]).spawn();
    daemon.becomes("starting");
    let listener = host.listen(mapped, 1).unwrap();
    daemon.becomes("active");
    let seen = daemon.said(changed);
    let plain = host.gateway_address().to_string();
    assert!(
        seen.iter().any(|line| line.field("listens") == plain),
        "{seen:?}"
    );
    let disagreed = || daemon.said(disagrees).pop();
    wait::nothing_happens("they disagreed", SETTLED, disagreed);
    assert_eq!(disagreements(&daemon), 0);
    end_listener(listener);
    daemon.becomes("starting");
    daemon.terminate();
}
