//! The checks of the primary beyond a TCP connect, which its kernel alone would answer.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, JoinHandle},
    time::Duration,
};

use failover_tests::{
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Lab, end_listener},
    lines::Line,
    wait,
};
use rustix::process::Signal;

const INTERVAL: Duration = Duration::from_millis(400);
/// A probe may begin this much after its time and still be on time.
const SLACK: Duration = Duration::from_millis(5);
/// From the news to the probe that looks into it, on a loaded machine.
const SOON: Duration = Duration::from_millis(1500);
/// No probe comes by itself during a scenario.
const NEVER: Duration = Duration::from_secs(30);

fn checking(lab: &Lab, check: &str) -> Setup {
    Setup::new(lab).argument("--check").argument(check)
}

/// A gateway of this process on PC-A, which can say what the lab's never does.
struct Gateway {
    listener: Option<TcpListener>,
    accepts: Option<JoinHandle<()>>,
}

impl Gateway {
    /// Status line, kind and body by path. A connection that is idle for this time is
    /// closed.
    fn new(
        lab: &Lab,
        idle: Duration,
        answer: impl Fn(&str) -> (&'static str, &'static str, &'static str)
        + Send
        + Sync
        + Copy
        + 'static,
    ) -> Self {
        let address = lab.host_a().gateway_address();
        let listener = lab.host_a().listen(address, 16).expect("PC-A listens");
        let accepting = listener.try_clone().expect("a second descriptor");
        let accepts = thread::spawn(move || {
            while let Ok((stream, _)) = accepting.accept() {
                thread::spawn(move || converse(&stream, idle, answer));
            }
        });
        Self {
            listener: Some(listener),
            accepts: Some(accepts),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.take() {
            end_listener(listener);
        }
        if let Some(accepts) = self.accepts.take() {
            let _ = accepts.join();
        }
    }
}

/// Until the other side leaves, or says nothing for too long.
fn converse(
    stream: &TcpStream,
    idle: Duration,
    answer: impl Fn(&str) -> (&'static str, &'static str, &'static str),
) {
    if stream.set_read_timeout(Some(idle)).is_err() {
        return;
    }
    let mut lines = BufReader::new(stream).lines();
    while let Some(Ok(request)) = lines.next() {
        // The headers, to the empty line.
        while lines
            .next()
            .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
        {}
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, kind, body) = answer(path);
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut writer = stream;
        if writer.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}

fn openclaw(path: &str) -> (&'static str, &'static str, &'static str) {
    const JSON: &str = "application/json; charset=utf-8";
    match path {
        "/healthz" => ("200 OK", JSON, r#"{"ok":true,"status":"live"}"#),
        "/readyz" => ("200 OK", JSON, r#"{"ready":true}"#),
        "/startupz" => ("200 OK", JSON, r#"{"ok":true,"status":"started"}"#),
        _ => (
            "200 OK",
            "text/html",
            "<!doctype html><title>OpenClaw</title>",
        ),
    }
}

/// As OpenClaw says while an agent keeps it from ending.
fn draining(path: &str) -> (&'static str, &'static str, &'static str) {
    const JSON: &str = "application/json; charset=utf-8";
    match path {
        "/readyz" => (
            "503 Service Unavailable",
            JSON,
            r#"{"ready":false,"failing":["gateway-draining"]}"#,
        ),
        "/startupz" => (
            "503 Service Unavailable",
            JSON,
            r#"{"ok":false,"status":"draining"}"#,
        ),
        path => openclaw(path),
    }
}

fn failed(daemon: &mut Daemon, outcome: &str, detail: &str) {
    let line = daemon.probes(outcome);
    assert!(line.field("detail").contains(detail), "{line:?}");
}

// --- a process that hangs -----------------------------------------------------------------------

#[test]
fn a_primary_that_hangs_is_taken_over_in_three_strikes_and_gets_it_back_when_it_wakes() {
    for check in [
        &["openclaw"][..],
        &[
            "http",
            "--check-path",
            "/healthz",
            "--check-contains",
            "live",
        ],
    ] {
        let lab = Lab::new();
        let primary = lab.host_a().gateway().unwrap();
        let mut setup = checking(&lab, check[0]);
        for argument in &check[1..] {
            setup = setup.argument(argument);
        }
        let mut daemon = setup.spawn();
        daemon.probes("connected");
        let hung = primary.signal(Signal::STOP);
        failed(&mut daemon, "no answer", "connected, then timed out");
        let start = daemon.begins(1, Command::Start);
        let waited = start.time.since(hung);
        assert!(waited >= 2 * INTERVAL - SLACK, "started after {waited:?}");
        let latest = 3 * INTERVAL + Duration::from_secs(2);
        assert!(waited < latest, "started after {waited:?}");
        daemon.becomes("active");
        let (status, _) = daemon.status();
        let strike = status["strikes"][0]["outcome"].as_str().unwrap();
        assert!(strike.starts_with("no answer (connected"), "{strike}");
        primary.signal(Signal::CONT);
        daemon.becomes("standby");
        daemon.ends_having_run(&["start", "stop"]);
    }
}

#[test]
fn a_hung_primarys_kernel_that_answers_others_is_no_excuse() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = checking(&lab, "openclaw").spawn();
    daemon.probes("connected");
    let mut client = lab
        .host_b()
        .connect(lab.host_a().gateway_address())
        .unwrap();
    primary.signal(Signal::STOP);
    // All the time somebody's data is acknowledged, and somebody's connection is made.
    let talks = wait::attempt(wait::LONG, || {
        client.write_all(b"x").unwrap();
        drop(lab.host_b().connect(lab.host_a().gateway_address()));
        // Nobody accepts them: a connection that finds the queue full (511) would wait for minutes.
        thread::sleep(Duration::from_millis(50));
        daemon.states().contains(&"active".to_owned()).then_some(())
    });
    assert!(talks.is_some(), "{:?}", daemon.states());
    assert_eq!(daemon.states(), ["suspect", "starting", "active"]);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_connect_alone_does_not_see_that_a_primary_hangs() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = checking(&lab, "tcp").spawn();
    daemon.probes("connected");
    primary.signal(Signal::STOP);
    daemon.runs_nothing_for(6 * INTERVAL);
    assert_eq!(daemon.states(), Vec::<String>::new());
    primary.signal(Signal::CONT);
    daemon.ends_having_run(&[]);
}

// --- what it says -------------------------------------------------------------------------------

#[test]
fn something_else_on_the_primarys_port_is_not_the_primary() {
    let lab = Lab::new();
    let other = Gateway::new(&lab, NEVER, |_| {
        ("200 OK", "text/html", "<h1>It works!</h1>")
    });
    let mut daemon = checking(&lab, "openclaw").spawn();
    failed(&mut daemon, "wrong answer", "HTTP status 200");
    daemon.becomes("active");
    drop(other);
    let _primary = Gateway::new(&lab, NEVER, openclaw);
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_primary_that_drains_is_shown_and_left_alone_unless_there_is_a_limit() {
    for limit in [None, Some(2 * INTERVAL)] {
        let lab = Lab::new();
        let _primary = Gateway::new(&lab, NEVER, draining);
        let mut setup = checking(&lab, "openclaw");
        if let Some(limit) = limit {
            let limit = format!("{}ms", limit.as_millis());
            setup = setup.argument("--drain-limit").argument(&limit);
        }
        let mut daemon = setup.spawn();
        daemon.probes("connected");
        let (status, _) = daemon.status();
        let readiness = &status["readiness"];
        assert_eq!(readiness["startup"], "draining", "{status}");
        assert_eq!(readiness["ready"], false, "{status}");
        assert_eq!(readiness["failing"][0], "gateway-draining", "{status}");
        assert!(readiness["draining_since"].is_string(), "{status}");
        if limit.is_some() {
            failed(&mut daemon, "wrong answer", "draining for longer");
            daemon.becomes("active");
            daemon.ends_having_run(&["start"]);
        } else {
            daemon.runs_nothing_for(6 * INTERVAL);
            daemon.ends_having_run(&[]);
        }
    }
}

#[test]
fn any_http_server_is_watched_by_what_it_has_to_say() {
    let lab = Lab::new();
    let primary = Gateway::new(&lab, NEVER, openclaw);
    // The next one has to be there before three strikes.
    let mut setup = checking(&lab, "http").interval(Duration::from_secs(1));
    for argument in [
        "--check-path",
        "/readyz",
        "--check-pointer",
        "/ready",
        "--check-value",
        "true",
    ] {
        setup = setup.argument(argument);
    }
    let mut daemon = setup.spawn();
    daemon.probes("connected");
    drop(primary);
    daemon.probes("refused");
    let _primary = Gateway::new(&lab, NEVER, draining);
    failed(&mut daemon, "wrong answer", "HTTP status 503");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_primary_that_said_that_it_drains_before_it_went_does_not_flap() {
    static DRAINS: AtomicBool = AtomicBool::new(false);
    fn answer(path: &str) -> (&'static str, &'static str, &'static str) {
        match DRAINS.load(Ordering::Relaxed) {
            true => draining(path),
            false => openclaw(path),
        }
    }
    let lab = Lab::new();
    let mut primary = Gateway::new(&lab, NEVER, answer);
    let mut daemon = checking(&lab, "openclaw").spawn();
    daemon.probes("connected");
    for _ in 0..3 {
        DRAINS.store(true, Ordering::Relaxed);
        wait::until("it is seen draining", wait::LONG, || {
            let (status, _) = daemon.status();
            (status["readiness"]["startup"] == "draining").then_some(())
        });
        drop(primary);
        daemon.probes("refused");
        DRAINS.store(false, Ordering::Relaxed);
        primary = Gateway::new(&lab, NEVER, answer);
        daemon.becomes("standby");
    }
    assert_eq!(daemon.status().0["release_needs"], 1);
    // One that says nothing before it goes has crashed.
    for _ in 0..2 {
        drop(primary);
        daemon.probes("refused");
        primary = Gateway::new(&lab, NEVER, answer);
        daemon.becomes("standby");
    }
    assert_eq!(daemon.status().0["release_needs"], 3);
    daemon.terminate();
}

// --- between the probes -------------------------------------------------------------------------

#[test]
fn a_primary_that_dies_between_two_probes_is_noticed_at_once() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = checking(&lab, "openclaw")
        .interval(NEVER)
        .argument("--kernel-events")
        .argument("off")
        .spawn();
    daemon.probes("connected");
    // Longer than a connection lives that says nothing about the primary when it is closed.
    daemon.runs_nothing_for(Duration::from_millis(3500));
    let death = primary.kill();
    let probe = daemon.probes("refused");
    assert_eq!(probe.field("cause"), "bad-news", "{probe:?}");
    let waited = probe.at.since(death);
    assert!(waited < SOON, "noticed after {waited:?}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_server_that_closes_idle_connections_is_probed_no_more_often_for_it() {
    let lab = Lab::new();
    // Longer than a connection lives whose end is no news in itself.
    let _primary = Gateway::new(&lab, Duration::from_secs(4), openclaw);
    let mut daemon = checking(&lab, "openclaw")
        .interval(Duration::from_secs(5))
        .spawn();
    for _ in 0..3 {
        let probe = daemon.probes("connected");
        assert_eq!(probe.field("cause"), "scheduled", "{probe:?}");
    }
    daemon.ends_having_run(&[]);
}

// --- the local gateway ---------------------------------------------------------------------------

/// What PC-A's health server would say, and no gateway here does.
fn health_elsewhere(lab: &Lab) -> Setup {
    checking(lab, "http")
        .argument("--check-path=/probe")
        .argument("--check-contains=all is well on PC-A")
}

#[test]
fn a_local_gateway_that_answers_otherwise_than_the_primary_should_serves_undisturbed() {
    let lab = Lab::new();
    let mut daemon = health_elsewhere(&lab).spawn();
    daemon.becomes("active");
    for _ in 0..6 {
        daemon.says("a good check", |line| {
            line.message() == "the local gateway was checked"
        });
    }
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_local_gateway_that_fails_its_own_check_is_started_again() {
    let lab = Lab::new();
    let mut daemon = health_elsewhere(&lab)
        .argument("--local-check=http")
        .argument("--local-check-path=/healthz")
        .argument("--local-check-contains=all is well on PC-B")
        .spawn();
    daemon.becomes("active");
    let restarting = daemon.becomes("restarting");
    assert!(
        restarting
            .field("reason")
            .contains("did not answer in time"),
        "{restarting:?}"
    );
    daemon.becomes("active");
    daemon.terminate();
}

#[test]
fn a_local_gateway_that_hangs_is_stopped_after_three_strikes_of_its_own_and_started_again() {
    let lab = Lab::new();
    // A stop has to wait until it continues.
    let mut daemon = checking(&lab, "openclaw").stop_timeout(wait::LONG).spawn();
    daemon.becomes("active");
    // It is asked, and answers.
    daemon.says("a good check", |line| {
        line.message() == "the local gateway was checked"
    });
    let hung = daemon.commands().gateway().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(hung).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::STOP).unwrap();
    let is_failed = |line: &Line| {
        line.message()
            .starts_with("the local gateway listens and doesn't answer")
    };
    daemon.says("a failed check", is_failed);
    let mut before = daemon.said_before(is_failed);
    before.retain(|line| line.message() == "state changed");
    assert_eq!(before.last().unwrap().field("to"), "active");
    let restarting = daemon.becomes("restarting");
    assert!(
        restarting.field("reason").contains("no answer"),
        "{restarting:?}"
    );
    // A stop waits for one that can't hear it; so does nobody here.
    rustix::process::kill_process(pid, Signal::CONT).unwrap();
    daemon.becomes("active");
    assert_ne!(daemon.commands().gateway(), Some(hung));
    let failed = daemon.said(is_failed);
    assert!(failed.len() >= 3, "{failed:?}");
    daemon.ends_having_run(&["start", "stop", "start"]);
}
