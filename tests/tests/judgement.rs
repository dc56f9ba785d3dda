//! Is the primary gone, or PC-B cut off? The decisions of a daemon that is isolated, stopped or misled.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, TcpStream},
    thread,
    time::Duration,
};

use failover_tests::{
    PORT,
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Host, Lab, end_listener},
    wait,
};
use rustix::process::Signal;

const INTERVAL: Duration = Duration::from_millis(400);
/// A probe may begin this much after its time and still be on time.
const SLACK: Duration = Duration::from_millis(5);
/// Far more than a cut-off daemon would take to act, if it did.
const WHILE: Duration = Duration::from_millis(2500);
/// Once a network is back, PC-B asks for the primary's hardware address only once a second (retrans_time
/// of arp(7)). Probes may fail until then, but no three of them at this interval.
const CALM: Duration = Duration::from_secs(1);
/// Nobody has this address.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 99);

/// A daemon that asks this witness.
fn with_witness(lab: &Lab, witness: Ipv4Addr) -> Setup {
    Setup::new(lab)
        .argument("--witnesses")
        .argument(&witness.to_string())
}

/// From now on nothing gets from the one to the other, and everything to everybody else.
fn cut(from: &Host, to: &Host) {
    from.run("ip", &["route", "add", "blackhole", &route_to(to)]);
}

fn heal(from: &Host, to: &Host) {
    from.run("ip", &["route", "delete", "blackhole", &route_to(to)]);
}

fn route_to(host: &Host) -> String {
    format!("{}/32", host.address())
}

// --- who is cut off -----------------------------------------------------------------------------

#[test]
fn a_pulled_cable_of_pc_bs_starts_nothing() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_b()).down();
    daemon.probes("unknown");
    // Not even if the primary dies meanwhile, unseen.
    primary.kill();
    daemon.runs_nothing_for(WHILE);
    let _primary = lab.host_a().gateway().unwrap();
    lab.switch_port(lab.host_b()).up();
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_pulled_cable_of_pc_bs_stops_nothing() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    lab.switch_port(lab.host_b()).down();
    daemon.probes("unknown");
    // The primary is back, and PC-B can't know.
    let _primary = lab.host_a().gateway().unwrap();
    daemon.runs_nothing_for(WHILE);
    assert!(lab.host_b().listens(PORT));
    lab.switch_port(lab.host_b()).up();
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn both_cables_pulled_start_nothing() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).interval(CALM).spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_a()).down();
    lab.switch_port(lab.host_b()).down();
    daemon.probes("unknown");
    daemon.runs_nothing_for(WHILE);
    lab.switch_port(lab.host_b()).up();
    lab.switch_port(lab.host_a()).up();
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_dead_switch_is_isolation_and_not_the_primarys_death() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).interval(CALM).spawn();
    daemon.probes("connected");
    lab.switch_down();
    daemon.becomes("isolated");
    daemon.runs_nothing_for(WHILE);
    lab.switch_up();
    daemon.becomes("standby");
    daemon.probes("connected");
    daemon.runs_nothing_for(CALM);
    // Whether a witness answers first, or the primary, is chance.
    assert_eq!(daemon.states()[..2], ["suspect", "isolated"]);
    daemon.ends_having_run(&[]);
}

#[test]
fn strikes_of_the_time_of_isolation_count_for_nothing_after_it() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).spawn();
    daemon.probes("connected");
    lab.switch_down();
    primary.kill();
    daemon.becomes("isolated");
    let back = lab.switch_up();
    daemon.becomes("active");
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(back);
    assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_primary_that_only_pc_b_cannot_reach_is_taken_over_if_a_witness_answers() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, third.address()).spawn();
    daemon.probes("connected");
    cut(lab.host_a(), lab.host_b());
    assert!(third.connect(lab.host_a().gateway_address()).is_ok());
    daemon.becomes("active");
    heal(lab.host_a(), lab.host_b());
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn without_an_answering_witness_it_is_not() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, NOBODY).spawn();
    daemon.probes("connected");
    cut(lab.host_a(), lab.host_b());
    daemon.becomes("isolated");
    daemon.runs_nothing_for(WHILE);
    heal(lab.host_a(), lab.host_b());
    daemon.becomes("standby");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_quorum_needs_as_many_witnesses_as_it_says() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let late = lab.add_host("PC-D");
    lab.switch_port(&late).down();
    let witnesses = format!("{NOBODY},{},[{}]:9", third.address6(), late.address6());
    let mut daemon = Setup::new(&lab)
        .argument("--witnesses")
        .argument(&witnesses)
        .argument("--witness-quorum=2")
        .spawn();
    daemon.becomes("isolated");
    daemon.runs_nothing_for(INTERVAL);
    // It refuses, and so it is there.
    lab.switch_port(&late).up();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_witness_that_never_answers_is_reported_while_all_is_well() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab, NOBODY).spawn();
    let line = daemon.says("that nobody answers", |line| {
        line.message().contains("PC-B would not take over")
    });
    assert!(line.field("answers").contains("10.0.0.99"), "{line:?}");
    let (status, _) = daemon.status();
    assert_eq!(status["state"], "standby");
    let problem = status["problems"][0].as_str().unwrap();
    assert!(problem.contains("0 of 1 witnesses"), "{problem}");
    assert_eq!(daemon.states(), Vec::<String>::new());
    daemon.ends_having_run(&[]);
}

#[test]
fn a_witness_that_nobody_may_ping_is_reported_with_the_remedy() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let _primary = lab.host_a().gateway().unwrap();
    let setup = with_witness(&lab, third.address());
    let mut daemon = setup.without_capabilities(&["net_raw"]).spawn();
    let line = daemon.says("that it can't be pinged", |line| {
        line.field("answers").contains("CAP_NET_RAW")
    });
    assert!(line.field("answers").contains("with a port"), "{line:?}");
    daemon.ends_having_run(&[]);
}

// --- who was away -------------------------------------------------------------------------------

/// The slowest of all tests. It waits once, and beside the others.
#[test]
fn a_daemon_that_was_stopped_for_ten_seconds_or_a_minute_finds_a_healthy_primary_healthy() {
    let begin = |interval| {
        let lab = Lab::new();
        let primary = lab.host_a().gateway().unwrap();
        let mut daemon = Setup::new(&lab).interval(interval).spawn();
        daemon.probes("connected");
        (lab, primary, daemon)
    };
    let (_lab, _primary, mut short) = begin(INTERVAL);
    let (_lab, _primary, mut long) = begin(INTERVAL);
    // It has to be stopped before its third strike.
    let (lab, primary, mut back) = begin(CALM);
    short.signal(Signal::STOP);
    long.signal(Signal::STOP);
    primary.kill();
    back.counts(2);
    back.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(10));
    goes_on(&mut short, INTERVAL);
    assert_eq!(short.states(), Vec::<String>::new());
    thread::sleep(Duration::from_secs(50));
    goes_on(&mut long, INTERVAL);
    assert_eq!(long.states(), Vec::<String>::new());
    // This primary died, and came back just now.
    let _primary = lab.host_a().gateway().unwrap();
    goes_on(&mut back, CALM);
    assert_eq!(back.states(), ["suspect", "standby"]);
    for daemon in [short, long, back] {
        daemon.ends_having_run(&[]);
    }
}

/// The daemon, which was stopped, finds the primary healthy and does nothing.
fn goes_on(daemon: &mut Daemon, interval: Duration) {
    daemon.signal(Signal::CONT);
    daemon.probes("connected");
    daemon.runs_nothing_for(4 * interval);
}

#[test]
fn a_primary_that_died_and_came_back_while_the_daemon_was_stopped_is_healthy() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.counts(2);
    daemon.signal(Signal::STOP);
    thread::sleep(Duration::from_secs(3));
    let _primary = lab.host_a().gateway().unwrap();
    daemon.signal(Signal::CONT);
    daemon.becomes("standby");
    daemon.probes("connected");
    daemon.runs_nothing_for(4 * CALM);
    daemon.ends_having_run(&[]);
}

#[test]
fn connections_from_before_the_end_of_a_stop_excuse_no_failed_probe_after_it() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let stopped = daemon.signal(Signal::STOP);
    for _ in 0..200 {
        lab.host_b()
            .connect(lab.host_a().gateway_address())
            .unwrap();
    }
    primary.kill();
    // For longer than anybody is late.
    thread::sleep(Duration::from_secs(3));
    daemon.signal(Signal::CONT);
    let starting = daemon.becomes("starting").at;
    let failed = daemon.said(|line| {
        stopped < line.at
            && line.at <= starting
            && line.field("outcome") == "refused"
            && line.field("cause") != "good-news"
    });
    assert_eq!(failed.len(), 3, "{failed:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn strikes_from_before_a_stop_count_for_nothing_after_it() {
    const INTERVAL: Duration = Duration::from_secs(1);
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    // Strikes are remembered for three times both: for longer than the daemon is stopped.
    let setup = Setup::new(&lab).interval(INTERVAL).timeout(INTERVAL);
    let mut daemon = setup.spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.counts(2);
    daemon.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(3500));
    let back = daemon.signal(Signal::CONT);
    daemon.becomes("active");
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(back);
    assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_probe_that_could_not_be_waited_for_is_no_strike() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let lab = Lab::new();
    let address = lab.host_a().gateway_address();
    // With its queue full, the kernel answers nobody.
    let primary = lab.host_a().listen(address, 0).unwrap();
    let _first = lab.host_a().connect(address).unwrap();
    let mut daemon = Setup::new(&lab).interval(TIMEOUT).timeout(TIMEOUT).spawn();
    wait::until("a probe that isn't answered", wait::LONG, || {
        lab.host_b().connects(PORT).then_some(())
    });
    daemon.signal(Signal::STOP);
    // The kernel tries again each second: the answer isn't there yet when the daemon is again.
    thread::sleep(Duration::from_millis(3500));
    let _accepted = primary.accept().unwrap();
    daemon.signal(Signal::CONT);
    daemon.probes("connected");
    assert_eq!(daemon.states(), Vec::<String>::new());
    daemon.ends_having_run(&[]);
}

// --- who is misled ------------------------------------------------------------------------------

#[test]
fn a_primary_that_takes_nine_tenths_of_the_timeout_is_healthy() {
    const TIMEOUT: Duration = Duration::from_millis(1100);
    let lab = Lab::new();
    let address = lab.host_a().gateway_address();
    // With its queue full, the kernel drops what comes, and PC-B's tries again after a second
    // (TCP_TIMEOUT_INIT, include/net/tcp.h, 6.18).
    let primary = lab.host_a().listen(address, 0).unwrap();
    let _first = lab.host_a().connect(address).unwrap();
    let mut daemon = Setup::new(&lab).interval(TIMEOUT).timeout(TIMEOUT).spawn();
    let mut accepted = Vec::new();
    for _ in 0..4 {
        wait::until("a probe that isn't answered", wait::LONG, || {
            lab.host_b().connects(PORT).then_some(())
        });
        // Room for one more: the probe, at its second try. The first has arrived by then.
        thread::sleep(INTERVAL);
        accepted.push(primary.accept().unwrap());
        daemon.probes("connected");
    }
    let took: Vec<_> = daemon.probed();
    assert_eq!(took.len(), 4, "{took:?}");
    for probe in took {
        assert!(probe.field("took").starts_with("1."), "{probe:?}");
    }
    assert_eq!(daemon.states(), Vec::<String>::new());
    daemon.ends_having_run(&[]);
}

/// Runs `work` while the client sends something all the time, and the other end reads it.
fn chatting<T>(client: &TcpStream, at_primary: &TcpStream, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut end, mut buffer) = (at_primary, [0; 64]);
            while matches!(end.read(&mut buffer), Ok(1..)) {}
        });
        scope.spawn(|| {
            let mut end = client;
            while end.write_all(b".").is_ok() {
                thread::sleep(Duration::from_millis(10));
            }
        });
        let done = work();
        client
            .shutdown(Shutdown::Both)
            .expect("ending a connection");
        done
    })
}

#[test]
fn while_the_primary_acknowledges_what_others_send_only_the_fourth_failed_probe_counts() {
    let lab = Lab::new();
    let address = lab.host_a().gateway_address();
    // A client that is served, before a queue that is full.
    let primary = lab.host_a().listen(address, 0).unwrap();
    let client = lab.host_b().connect(address).unwrap();
    let (at_primary, _) = primary.accept().unwrap();
    let _full = lab.host_a().connect(address).unwrap();
    let mut daemon = Setup::new(&lab).argument("--veto-limit=3").spawn();
    chatting(&client, &at_primary, || daemon.becomes("starting"));
    // Other probes than scheduled ones are made because there is good news, and change nothing.
    let mut failed = daemon.probed_before("starting");
    failed.retain(|probe| probe.field("cause") == "scheduled");
    assert_eq!(failed.len(), 3 + 3, "{failed:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_refusal_is_a_refusal_whomever_the_primary_still_serves() {
    let lab = Lab::new();
    let address = lab.host_a().gateway_address();
    let primary = lab.host_a().listen(address, 0).unwrap();
    let client = lab.host_b().connect(address).unwrap();
    let (at_primary, _) = primary.accept().unwrap();
    end_listener(primary);
    let mut daemon = Setup::new(&lab).spawn();
    chatting(&client, &at_primary, || daemon.becomes("starting"));
    let mut probed = daemon.probed_before("starting");
    assert!(
        probed.iter().all(|one| one.field("outcome") == "refused"),
        "{probed:?}"
    );
    // The connection may also trigger early probes for good news, whose failures are not strikes.
    probed.retain(|probe| probe.field("cause") != "good-news");
    assert_eq!(probed.len(), 3, "{probed:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}
