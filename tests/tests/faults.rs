//! What nobody wishes for: floods, hostile names, lost events, and things that are gone too soon.

use std::{
    fs::{self, File, OpenOptions},
    net::{SocketAddr, TcpStream},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    commands::{Command, Commands},
    daemon::{Daemon, Setup},
    lab::{Host, Lab, Process, failover_binary},
    lines::Lines,
    trace::Trace,
    wait,
};
use rustix::{net::sockopt::set_socket_linger, process::Signal};

/// More events than the ring buffer holds, several times over: a refused connection makes two.
const OVERFLOW: u32 = 20_000;
/// A debug build takes 15 MB, most of it its own code.
const MOST_MEMORY: u64 = 20 << 20;
/// A SYN that the flooded primary drops is sent again after a second: no reason to fail a probe.
const PATIENT: Duration = Duration::from_millis(2500);

/// Connections from this host, each reset at once so that no port stays taken. Tells how many.
fn flood(host: &Host, address: SocketAddr, period: Duration, most: u32) -> u32 {
    host.enter("flood", || {
        let end = Instant::now() + period;
        let mut made = 0;
        while made < most && Instant::now() < end {
            if let Ok(stream) = TcpStream::connect(address) {
                let _ = set_socket_linger(&stream, Some(Duration::ZERO));
            }
            made += 1;
        }
        made
    })
}

/// Fills the ring buffer of whoever doesn't read it now.
fn overflow(host: &Host) {
    let nobody = SocketAddr::from((host.address(), PORT));
    let made = flood(host, nobody, wait::LONG, OVERFLOW);
    assert_eq!(made, OVERFLOW, "this machine is too slow for the test");
}

fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    1024 * kilobytes
        .and_then(|number| number.parse::<u64>().ok())
        .expect("a number")
}

/// It never did anything but to watch.
fn assert_stood_by(daemon: &Daemon) {
    let states = daemon.states();
    let quiet = |state: &String| matches!(state.as_str(), "standby" | "suspect");
    assert!(states.iter().all(quiet), "{states:?}");
    assert_eq!(daemon.commands().names(), [""; 0]);
}

/// A daemon on PC-B whose log goes where the caller wants it, with its start command's words.
fn logging_to(log: impl Into<Stdio>, lab: &Lab, arguments: &[&str], start: &str) -> Process {
    let directory = lab.directory().join("pc-b");
    let mut command = lab.host_b().command(failover_binary());
    command
        .args(["run", "--interval", "400ms", "--recovery-interval", "100ms"])
        .args(["--timeout", "250ms", "--start", start, "--stop", "true"])
        .args(["--primary", &lab.host_a().address().to_string()])
        .arg("--state-dir")
        .arg(directory.join("state"))
        .arg("--control")
        .arg(directory.join("control.sock"))
        .args(arguments)
        .stderr(log);
    lab.host_b().spawn(&mut command).expect("a daemon")
}

/// Where every write fails.
fn full() -> File {
    OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("a disk that is full")
}

#[test]
fn a_flood_of_connections_costs_neither_memory_nor_the_takeover() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(PATIENT).timeout(PATIENT).spawn();
    daemon.probes("connected");
    let (a, b) = (lab.host_a(), lab.host_b());
    let period = Duration::from_secs(5);
    let most = thread::scope(|scope| {
        let floods = [
            scope.spawn(|| flood(b, a.gateway_address(), period, u32::MAX)),
            // Nobody listens on PC-B.
            scope.spawn(|| flood(b, b.gateway_address(), period, u32::MAX)),
            scope.spawn(|| flood(a, b.gateway_address(), period, u32::MAX)),
        ];
        let mut most = 0;
        while !floods.iter().all(thread::ScopedJoinHandle::is_finished) {
            most = most.max(memory(daemon.pid()));
            thread::sleep(wait::POLL);
        }
        let made: Vec<u32> = floods
            .into_iter()
            .map(|flood| flood.join().unwrap())
            .collect();
        assert!(made.iter().sum::<u32>() > 2_000, "not a flood: {made:?}");
        most
    });
    assert!(most < MOST_MEMORY, "{most} bytes");
    daemon.probes("connected");
    assert_stood_by(&daemon);
    primary.kill();
    daemon.becomes("active");
    daemon.terminate();
    assert_eq!(daemon.commands().names(), ["start"]);
}

#[test]
fn a_daemon_that_slept_through_a_flood_says_what_it_lost_and_goes_on() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    daemon.signal(Signal::STOP);
    overflow(lab.host_b());
    wait::nothing_happens(
        "a stopped daemon spoke",
        Duration::from_secs(5),
        || None::<()>,
    );
    daemon.signal(Signal::CONT);
    let told = daemon.says("how many events were lost", |line| {
        line.message().contains("events were lost")
    });
    assert!(told.number("lost") > Some(0), "{told:?}");
    daemon.probes("connected");
    daemon.probes("connected");
    assert_stood_by(&daemon);
    assert!(memory(daemon.pid()) < MOST_MEMORY);
    primary.kill();
    daemon.becomes("active");
    daemon.terminate();
    assert_eq!(daemon.commands().names(), ["start"]);
}

#[test]
fn a_trace_that_slept_through_a_flood_shows_what_it_lost_and_goes_on() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    trace.signal(Signal::STOP);
    overflow(host);
    trace.signal(Signal::CONT);
    let lost = trace.shows("lost events", |line| line.field("kind") == "lost");
    assert!(lost.number("count") > Some(0), "{lost:?}");
    let _listener = host.listen(host.gateway_address(), 1).unwrap();
    trace.shows("a listener", |line| line.field("new") == "LISTEN");
    trace.signal(Signal::TERM);
    assert!(trace.end(wait::LONG).success());
    let shown = trace.shown();
    let lost: u64 = shown.iter().filter_map(|line| line.number("count")).sum();
    let last = trace.errors().text();
    assert!(last.ends_with(&format!(" {lost} lost")), "{last}");
}

#[test]
fn a_log_that_takes_no_more_keeps_nobody_from_taking_over() {
    let (_, broken) = std::io::pipe().unwrap();
    for log in [Stdio::from(full()), Stdio::from(broken)] {
        let lab = Lab::new();
        let commands = Commands::new(&lab.directory().join("pc-b"), lab.binary()).unwrap();
        let mut daemon = logging_to(log, &lab, &[], &commands.line(Command::Start));
        lab.host_b().await_listening(true);
        daemon.signal(Signal::TERM);
        let status = wait::until("the daemon ends", wait::LONG, || daemon.ended());
        assert_eq!(status.code(), Some(0));
        assert_eq!(commands.names(), ["start"]);
    }
}

#[test]
fn a_trace_goes_on_where_nobody_hears_what_it_lost() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut command = host.command(failover_binary());
    command.arg("trace").stdout(Stdio::piped()).stderr(full());
    let mut trace = host.spawn(&mut command).unwrap();
    let output = Lines::of(trace.child().stdout.take().unwrap());
    wait::until("the header", wait::LONG, || output.from(0).pop());
    trace.signal(Signal::STOP);
    overflow(host);
    trace.signal(Signal::CONT);
    wait::until("what was kept", wait::LONG, || output.from(1).pop());
    let _listener = host.listen(host.gateway_address(), 1).unwrap();
    wait::until("a listener", wait::LONG, || {
        output.text().contains("-> LISTEN").then_some(())
    });
    trace.signal(Signal::TERM);
    let status = wait::until("the trace ends", wait::LONG, || trace.ended());
    assert_eq!(status.code(), Some(0));
}
