//! Faults: floods, hostile names, lost events, and processes that end too soon.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt as _,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    commands::{Command, Commands},
    daemon::{Daemon, Setup},
    lab::{Host, Lab, Namespace, Process, end_listener, failover_binary},
    lines::Lines,
    trace::{Trace, is_change},
    wait,
};
use rustix::{
    net::{
        AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt::set_socket_linger,
    },
    process::{Signal, getpid, kill_process},
};
use serde_json::Value;

/// Where only one scenario happens.
const QUIET_PORT: u16 = PORT + 1;
/// Of each of three floods; 100,000 in all.
const FLOOD: u32 = 34_000;
/// Ten seconds on a machine that has nothing else to do.
const FLOOD_PATIENCE: Duration = Duration::from_secs(120);
/// How long a daemon is stopped.
const STOPPED: Duration = Duration::from_secs(30);
/// More events than the ring buffer holds, several times over: a refused connection makes two.
const OVERFLOW: u32 = 20_000;
/// Of its own, without its code.
const MOST_MEMORY: u64 = 8 << 20;
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

/// Fills the ring buffer of a program that doesn't read it now.
fn overflow(host: &Host) {
    let nobody = SocketAddr::from((host.address(), PORT));
    let made = flood(host, nobody, FLOOD_PATIENCE, OVERFLOW);
    assert_eq!(made, OVERFLOW, "this machine is too slow for the test");
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
        .args(["--gateway", "command", "--arm", "always"])
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
    let most = thread::scope(|scope| {
        let floods = [
            scope.spawn(|| flood(b, a.gateway_address(), FLOOD_PATIENCE, FLOOD)),
            // Nobody listens on PC-B.
            scope.spawn(|| flood(b, b.gateway_address(), FLOOD_PATIENCE, FLOOD)),
            scope.spawn(|| flood(a, b.gateway_address(), FLOOD_PATIENCE, FLOOD)),
        ];
        let mut most = 0;
        while !floods.iter().all(thread::ScopedJoinHandle::is_finished) {
            most = most.max(daemon.memory("RssAnon"));
            thread::sleep(wait::POLL);
        }
        let made: Vec<u32> = floods
            .into_iter()
            .map(|flood| flood.join().unwrap())
            .collect();
        assert_eq!(made, [FLOOD; 3], "this machine is too slow for the test");
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
    let before = daemon.said(|_| true).len();
    wait::nothing_happens("a stopped daemon spoke", STOPPED, || {
        // Events go on to come.
        let _ = lab.host_b().connect(lab.host_b().gateway_address());
        daemon.said(|_| true).get(before).cloned()
    });
    daemon.signal(Signal::CONT);
    let reported = daemon.says("how many events were lost", |line| {
        line.message().contains("events were lost")
    });
    assert!(reported.number("lost") > Some(0), "{reported:?}");
    daemon.probes("connected");
    daemon.probes("connected");
    assert_stood_by(&daemon);
    assert!(daemon.memory("RssAnon") < MOST_MEMORY);
    primary.kill();
    daemon.becomes("active");
    daemon.terminate();
    assert_eq!(daemon.commands().names(), ["start"]);
}

/// Listens until that is shown: one that comes while the buffer is still full is lost as well.
fn await_listener(host: &Host, shown: impl Fn() -> bool) {
    wait::until("a listener that is shown", wait::LONG, || {
        let _listener = host.listen(host.gateway_address(), 1).ok()?;
        wait::attempt(Duration::from_secs(1), || shown().then_some(()))
    });
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
    await_listener(host, || {
        let shown = trace.shown();
        shown.iter().any(|line| line.field("new") == "LISTEN")
    });
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
    // Somebody holds the other end and doesn't read: this is what a pipe takes (pipe(7)).
    let (_unread, mut stuck) = std::io::pipe().unwrap();
    stuck.write_all(&[b'x'; 65_536]).unwrap();
    for log in [full().into(), Stdio::from(broken), stuck.into()] {
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
    await_listener(host, || output.text().contains("-> LISTEN"));
    trace.signal(Signal::TERM);
    let status = wait::until("the trace ends", wait::LONG, || trace.ended());
    assert_eq!(status.code(), Some(0));
}

/// Names that would draw on a terminal, forge a line, or are no text at all.
const HOSTILE: [&[u8]; 5] = [
    b"\x1b[2J\x1b]0;x\x07\x08",
    b"a\nb\r\nERROR c",
    b"\xff\xfe\x9b31m\x00",
    b"\xc2\x9b31m\x7f\xe2\x80\xa8",
    b"\"},{{\\u{0}%s",
];

/// Connections from this host under hostile names.
fn connect_as_the_hostile(host: &Host, address: SocketAddr) {
    for name in HOSTILE {
        host.enter("hostile", || {
            fs::write("/proc/thread-self/comm", name).expect("naming a thread");
            let _ = TcpStream::connect(address);
        });
    }
}

/// Every line is one: it begins with a time and holds nothing that a terminal would obey.
fn assert_harmless(log: &[u8], json: bool) {
    let text = str::from_utf8(log).expect("a log in UTF-8");
    for line in text.lines() {
        assert!(!line.contains(char::is_control), "{line:?}");
        let time = line.split_whitespace().next().unwrap_or_default();
        let whole = match json {
            true => serde_json::from_str::<Value>(line).is_ok(),
            false => time.starts_with("20") && time.ends_with('Z'),
        };
        assert!(whole, "{line}");
    }
}

#[test]
fn hostile_names_stay_inside_one_line_of_the_log() {
    for format in ["json", "text"] {
        let lab = Lab::new();
        let primary = lab.host_a().gateway().unwrap();
        let directory = lab.directory().join("pc-b");
        let commands = Commands::new(&directory, lab.binary()).unwrap();
        commands.plan(Command::Start, &["fail", "ok"]).unwrap();
        // The command line and what it says are as hostile as the names.
        let start = format!(
            "sh -c 'printf \"\\033]0;x\\007\\302\\233\\377\\n\"; \nexec \"$@\"' \
             '\x1b[31m\u{9b}\x7f\nERROR forged' {}",
            commands.line(Command::Start)
        );
        let path = lab.directory().join("log");
        let mut daemon = logging_to(
            File::create(&path).unwrap(),
            &lab,
            &["--log-format", format],
            &start,
        );
        wait::until("the daemon watches", wait::LONG, || {
            let log = fs::read(&path).expect("a log");
            String::from_utf8_lossy(&log)
                .contains("watching")
                .then_some(())
        });
        primary.kill();
        connect_as_the_hostile(lab.host_b(), lab.host_a().gateway_address());
        lab.host_b().await_listening(true);
        daemon.signal(Signal::TERM);
        wait::until("the daemon ends", wait::LONG, || daemon.ended());
        let log = fs::read(&path).unwrap();
        assert!(String::from_utf8_lossy(&log).contains("ERROR c"), "no name");
        assert_harmless(&log, format == "json");
    }
}

#[test]
fn a_hostile_command_line_of_who_holds_the_port_stays_inside_one_line() {
    for format in ["json", "text"] {
        let lab = Lab::new();
        let mut foreign = lab.host_b().lab_command("gateway");
        foreign
            .arg0("\x1b]0;x\x07\u{9b}31m\nERROR forged")
            .args(["--listen", &format!("0.0.0.0:{PORT}")])
            .stdout(Stdio::null());
        let _foreign = lab.host_b().spawn(&mut foreign).unwrap();
        lab.host_b().await_listening(true);
        let path = lab.directory().join("log");
        let log = File::create(&path).unwrap();
        let mut daemon = logging_to(log, &lab, &["--log-format", format], "true");
        let status = wait::until("a status", wait::LONG, || {
            let mut status = lab.host_b().command(failover_binary());
            let control = lab.directory().join("pc-b").join("control.sock");
            let output = status.arg("status").arg("--control").arg(control).output();
            let text = String::from_utf8(output.unwrap().stdout).unwrap();
            text.contains("ERROR forged").then_some(text)
        });
        for line in status.lines() {
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(!line.starts_with("ERROR"), "{line:?}");
        }
        daemon.signal(Signal::TERM);
        wait::until("the daemon ends", wait::LONG, || daemon.ended());
        let log = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&log);
        assert!(text.contains("ERROR forged"), "no command line: {text}");
        assert_harmless(&log, format == "json");
    }
}

/// Processes on this host that are killed as they connect, some of them before an answer came.
fn come_and_go(host: &Host, address: SocketAddr, pairs: usize) {
    let at_once = [SocketFlags::NONBLOCK, SocketFlags::empty()];
    for flags in at_once.repeat(pairs) {
        let mut command = host.command("true");
        // SAFETY: runs between fork and exec, makes bare system calls and takes no lock.
        unsafe {
            command.pre_exec(move || {
                let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
                let _ = connect(&socket, &address);
                kill_process(getpid(), Signal::KILL)?;
                Ok(())
            });
        }
        drop(host.spawn(&mut command).expect("a process"));
    }
}

#[test]
fn processes_that_are_gone_as_they_connect_are_no_trouble() {
    let lab = Lab::new();
    let host = lab.host_b();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    let mut trace = Trace::on(host, &[]);
    daemon.probes("connected");
    come_and_go(host, lab.host_a().gateway_address(), 50);
    // Nobody listens here: refused.
    come_and_go(host, host.gateway_address(), 50);
    trace.shows("a connection of somebody who is gone", |line| {
        is_change(line, "ESTABLISHED", "FIN_WAIT1") && line.number("pid") > Some(0)
    });
    trace.shows("a connection that was refused", |line| {
        is_change(line, "SYN_SENT", "CLOSE") && line.field("error") == "ECONNREFUSED"
    });
    trace.signal(Signal::TERM);
    assert!(trace.end(wait::LONG).success());
    daemon.probes("connected");
    assert_stood_by(&daemon);
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_namespace_that_disappears_takes_nothing_else_with_it() {
    let lab = Lab::new();
    let host = lab.host_b();
    // The other scenarios' floods are on the gateway's port.
    let port = QUIET_PORT.to_string();
    let arguments = ["--output", "json", "--all-namespaces", "--port", &port];
    let mut trace = Trace::spawn(host, &arguments);
    wait::until("the trace begins", wait::LONG, || {
        // The one before may live on in a command that another test is just starting.
        let listener = host.listen((Ipv4Addr::LOCALHOST, QUIET_PORT), 1).ok()?;
        let shown = trace.shown().pop();
        end_listener(listener);
        shown
    });
    for _ in 0..3 {
        let inode = lose_a_namespace(&lab);
        trace.shows("what happened there", |line| {
            line.number("netns") == Some(inode) && line.field("new") == "ESTABLISHED"
        });
    }
    let inode = host.namespace().identity().inode();
    let _listener = host.listen((Ipv4Addr::LOCALHOST, QUIET_PORT), 1).unwrap();
    trace.shows("a listener on PC-B", |line| {
        line.field("new") == "LISTEN" && line.number("netns") == Some(inode)
    });
    trace.signal(Signal::TERM);
    assert!(trace.end(wait::LONG).success());
    let last = trace.errors().text();
    assert!(last.ends_with(" 0 lost"), "{last}");
}

/// A namespace that goes with a listener and a connection in it. Tells which it was.
fn lose_a_namespace(lab: &Lab) -> u64 {
    let doomed = Namespace::new().expect("a namespace");
    let inode = doomed.identity().inode();
    // The cable's other end is gone when the namespace is.
    let ip = |namespace: &Namespace, arguments: &str| {
        let mut command = namespace.command("ip");
        let status = command.args(arguments.split(' ')).status();
        assert!(status.expect("ip runs").success(), "ip {arguments}");
    };
    let other = format!(
        "link add cable type veth peer name eth0 netns {}",
        doomed.path()
    );
    ip(lab.host_b().namespace(), &other);
    ip(&doomed, "link set lo up");
    let sockets = doomed.enter("doomed", || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, QUIET_PORT)).expect("a listener");
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, QUIET_PORT)).expect("a connection");
        (listener, client)
    });
    drop(doomed);
    drop(sockets);
    wait::until("the namespace is gone", wait::LONG, || {
        let devices = lab
            .host_b()
            .enter("look", || fs::read_to_string("/proc/thread-self/net/dev"));
        (!devices.expect("devices").contains("cable")).then_some(())
    });
    inode
}
