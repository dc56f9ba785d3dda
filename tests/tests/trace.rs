//! What `failover trace` shows, of which programs, and how it ends.

use std::{
    io::{BufRead as _, BufReader},
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    lab::{Host, Lab, end_listener, failover_binary},
    lines::Line,
    moment::Moment,
    trace::{Trace, endpoint, is_change},
    wait,
};
use rustix::{net::sockopt::set_socket_linger, process::Signal};

/// One address family: where a listener binds, where a client goes, and how that is shown.
struct Family {
    listen: SocketAddr,
    connect: SocketAddr,
    server: SocketAddr,
}

/// IPv4, IPv6, and IPv4 on sockets of IPv6.
fn families(host: &Host) -> [Family; 3] {
    let same = |ip: IpAddr| Family {
        listen: (ip, PORT).into(),
        connect: (ip, PORT).into(),
        server: (ip, PORT).into(),
    };
    [
        same(host.address().into()),
        same(host.address6().into()),
        Family {
            listen: (Ipv6Addr::UNSPECIFIED, PORT).into(),
            connect: (host.address().to_ipv6_mapped(), PORT).into(),
            server: (host.address(), PORT).into(),
        },
    ]
}

/// A client and the server's end of its connection, to one of a family's listeners.
fn connected(host: &Host, family: &Family, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = host.connect(family.connect).expect("the listener is there");
    let (server, _) = listener.accept().expect("a connection is waiting");
    (client, server)
}

/// As events tell it: an IPv4-mapped address as IPv4.
fn local(stream: &TcpStream) -> SocketAddr {
    let local = stream.local_addr().expect("a connection has an address");
    SocketAddr::new(local.ip().to_canonical(), local.port())
}

fn is_at(event: &Line, local: SocketAddr, remote: SocketAddr) -> bool {
    endpoint(event, "local") == Some(local) && endpoint(event, "remote") == Some(remote)
}

/// Waits until this end of a connection has gone through these states, and returns the events.
fn goes_through(
    trace: &Trace,
    local: SocketAddr,
    remote: SocketAddr,
    expected: &[&str],
) -> Vec<Line> {
    let mut steps = Vec::new();
    let mut seen = Vec::new();
    wait::attempt(wait::LONG, || {
        seen = trace.shown();
        seen.retain(|event| is_at(event, local, remote));
        steps = seen
            .iter()
            .map(|event| format!("{} -> {}", event.field("old"), event.field("new")))
            .collect();
        (steps == expected).then_some(())
    });
    assert_eq!(steps, expected, "{seen:#?}");
    seen
}

fn assert_owner(event: &Line, host: &Host, pid: u32, comm: &str) {
    assert_eq!(event.number("pid"), Some(pid.into()), "{event:?}");
    assert_eq!(event.field("comm"), comm, "{event:?}");
    let netns = host.namespace().identity().inode();
    assert_eq!(event.number("netns"), Some(netns), "{event:?}");
}

/// A bind, a LISTEN and a CLOSE.
fn provoke(host: &Host) {
    let listener = host.listen(host.gateway_address(), 1);
    end_listener(listener.expect("nobody else listens on this host"));
}

/// A trace of a host that has shown something; it may miss what happened before.
fn begun(host: &Host, arguments: &[&str]) -> Trace {
    let trace = Trace::spawn(host, arguments);
    wait::until("the trace shows something", wait::LONG, || {
        provoke(host);
        let lines = trace.shown();
        // Text begins with a header.
        (lines.len() > 1).then_some(())
    });
    trace
}

#[test]
fn a_refused_bind_is_shown_with_the_reason_and_who_tried() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    let _holder = host.listen(host.gateway_address(), 1).unwrap();
    let is_bind = |event: &Line| {
        event.field("kind") == "bind" && endpoint(event, "local") == Some(host.gateway_address())
    };
    let held = trace.shows("the first bind", is_bind);
    assert_eq!(held.field("result"), "ok");
    assert_owner(&held, host, std::process::id(), "listener");

    let mut rival = host.lab_command("gateway");
    rival
        .args(["--listen", &host.gateway_address().to_string()])
        .stderr(Stdio::null());
    let rival = host.spawn(&mut rival).unwrap();
    let refused = trace.shows("the second bind", is_bind);
    assert_eq!(refused.field("result"), "EADDRINUSE");
    assert_owner(&refused, host, rival.pid(), "failover-lab");
}

#[test]
fn a_listener_is_shown_when_it_begins_and_when_it_ends() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    for family in families(host) {
        let listener = host.listen(family.listen, 1).unwrap();
        let begins = trace.shows("a listener", |event| is_change(event, "CLOSE", "LISTEN"));
        assert_eq!(endpoint(&begins, "local"), Some(family.listen));
        assert_owner(&begins, host, std::process::id(), "listener");
        end_listener(listener);
        let ends = trace.shows("its end", |event| is_change(event, "LISTEN", "CLOSE"));
        assert_eq!(endpoint(&ends, "local"), Some(family.listen));
        assert_owner(&ends, host, std::process::id(), "listener");
    }
}

#[test]
fn a_connection_is_shown_at_both_ends_from_its_begin_to_its_orderly_end() {
    let lab = Lab::new();
    let host = lab.host_b();
    let this = std::process::id();
    let mut trace = Trace::on(host, &[]);
    for family in families(host) {
        let listener = host.listen(family.listen, 1).unwrap();
        let (client, server) = connected(host, &family, &listener);
        let (near, far) = (local(&client), family.server);
        let begins = trace.shows("a connect", |event| is_change(event, "CLOSE", "SYN_SENT"));
        assert_eq!(endpoint(&begins, "remote"), Some(far));
        assert_owner(&begins, host, this, "client");

        client.shutdown(Shutdown::Write).unwrap();
        trace.shows("the server hears of it", |event| {
            is_change(event, "ESTABLISHED", "CLOSE_WAIT") && is_at(event, far, near)
        });
        host.enter("server", || server.shutdown(Shutdown::Both).unwrap());
        let at_client = goes_through(
            &trace,
            near,
            far,
            &[
                "SYN_SENT -> ESTABLISHED",
                "ESTABLISHED -> FIN_WAIT1",
                "FIN_WAIT1 -> FIN_WAIT2",
                "FIN_WAIT2 -> CLOSE",
            ],
        );
        for event in &at_client {
            assert_eq!(event.number("pid"), Some(this.into()), "{event:?}");
            assert_eq!(event.json.get("error"), None, "{event:?}");
        }
        let at_server = goes_through(
            &trace,
            far,
            near,
            &[
                "LISTEN -> SYN_RECV",
                "SYN_RECV -> ESTABLISHED",
                "ESTABLISHED -> CLOSE_WAIT",
                "CLOSE_WAIT -> LAST_ACK",
                "LAST_ACK -> CLOSE",
            ],
        );
        // Nobody's until the server acts on it.
        assert_owner(&at_server[0], host, 0, "");
        assert_owner(&at_server[3], host, this, "server");
        end_listener(listener);
    }
}

#[test]
fn a_refused_connect_is_shown_with_the_reason_and_whose_it_was() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    for family in families(host) {
        host.connect(family.connect).unwrap_err();
        let refused = trace.shows("a refusal", |event| is_change(event, "SYN_SENT", "CLOSE"));
        assert_eq!(refused.field("error"), "ECONNREFUSED", "{refused:?}");
        assert_eq!(endpoint(&refused, "remote"), Some(family.server));
        assert_owner(&refused, host, std::process::id(), "client");
    }
}

#[test]
fn a_reset_is_shown_with_the_reason_and_whose_connection_it_was() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    for family in families(host) {
        let listener = host.listen(family.listen, 1).unwrap();
        let (client, server) = connected(host, &family, &listener);
        set_socket_linger(&server, Some(Duration::ZERO)).unwrap();
        drop(server);
        let reset = trace.shows("a reset", |event| {
            is_change(event, "ESTABLISHED", "CLOSE") && is_at(event, local(&client), family.server)
        });
        assert_eq!(reset.field("error"), "ECONNRESET", "{reset:?}");
        assert_owner(&reset, host, std::process::id(), "client");
        end_listener(listener);
    }
}

#[test]
fn another_namespaces_sockets_are_shown_only_when_asked_for() {
    let lab = Lab::new();
    let (host, third) = (lab.host_b(), lab.add_host("PC-C"));
    let mut trace = Trace::on(host, &[]);
    let mut all = Trace::on(host, &["--all-namespaces"]);
    let foreign = third.namespace().identity().inode();
    provoke(&third);
    provoke(host);
    let strange = all.shows("the other namespace's listener", |event| {
        is_change(event, "CLOSE", "LISTEN") && event.number("netns") == Some(foreign)
    });
    assert_eq!(endpoint(&strange, "local"), Some(third.gateway_address()));
    trace.shows("the own end", |event| is_change(event, "LISTEN", "CLOSE"));
    let own = host.namespace().identity().inode();
    for event in trace.shown() {
        assert_eq!(event.number("netns"), Some(own), "{event:?}");
    }
}

#[test]
fn several_namespaces_are_distinguished_in_text_too() {
    let lab = Lab::new();
    let (host, third) = (lab.host_b(), lab.add_host("PC-C"));
    let mut trace = begun(host, &["--all-namespaces"]);
    for host in [host, &third] {
        provoke(host);
        let column = format!(" {} ", host.namespace().identity().inode());
        let wanted = host.gateway_address().to_string();
        trace.shows(&column, |line| {
            line.text.contains(&column) && line.text.contains(&wanted)
        });
    }
}

#[test]
fn another_ports_sockets_are_not_shown() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    let another = SocketAddr::from((host.address(), PORT + 1));
    let listener = host.listen(another, 1).unwrap();
    host.connect(another).unwrap();
    end_listener(listener);
    host.connect(another).unwrap_err();
    provoke(host);
    trace.shows("the right port", |event| {
        is_change(event, "LISTEN", "CLOSE")
    });
    for event in trace.shown() {
        assert_eq!(endpoint(&event, "local"), Some(host.gateway_address()));
    }
}

#[test]
fn a_count_ends_it_after_so_many_events() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::spawn(host, &["--count", "4"]);
    trace.shows("the header", |line| line.text.contains("LOCAL"));
    // Stopped, so that it finds more than it may show in one go.
    trace.signal(Signal::STOP);
    provoke(host);
    provoke(host);
    trace.signal(Signal::CONT);
    assert_eq!(trace.end(wait::LONG).code(), Some(0));
    assert_eq!(trace.shown().len(), 1 + 4, "{:#?}", trace.shown());
    assert_eq!(trace.errors().text(), "4 events seen, 0 lost");
}

#[test]
fn a_duration_ends_it_when_nothing_happens() {
    let lab = Lab::new();
    let begin = Instant::now();
    let mut trace = Trace::spawn(lab.host_b(), &["--duration", "300ms"]);
    assert_eq!(trace.end(wait::LONG).code(), Some(0));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(trace.errors().text(), "0 events seen, 0 lost");
}

#[test]
fn a_signal_ends_it_with_what_was_seen_and_lost() {
    let lab = Lab::new();
    let host = lab.host_b();
    for signal in [Signal::INT, Signal::TERM] {
        let mut trace = begun(host, &["--output", "json"]);
        trace.signal(signal);
        assert_eq!(trace.end(wait::LONG).code(), Some(0));
        let summary = format!("{} events seen, 0 lost", trace.shown().len());
        assert_eq!(trace.errors().text(), summary);
    }
}

#[test]
fn a_reader_that_leaves_ends_it_without_a_word() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut command = host.command(failover_binary());
    command
        .arg("trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = host.spawn(&mut command).unwrap();
    let mut output = BufReader::new(process.child().stdout.take().unwrap());
    let mut header = String::new();
    output.read_line(&mut header).unwrap();
    assert!(header.contains("LOCAL"), "{header}");
    drop(output);
    // Nothing happens on the port: it must notice by itself.
    let status = wait::until("the trace ends", wait::LONG, || process.ended());
    let errors = std::io::read_to_string(process.child().stderr.take().unwrap()).unwrap();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn a_hostile_name_cannot_draw_on_the_terminal() {
    const NAME: &str = "a\x1b[31m\n\u{9b}b";
    let lab = Lab::new();
    let host = lab.host_b();
    let mut json = Trace::on(host, &[]);
    let mut text = begun(host, &["--color", "never"]);
    host.enter(NAME, || {
        drop(TcpListener::bind(host.gateway_address()).unwrap());
    });
    let event = json.shows("the name as JSON", |event| event.field("comm") == NAME);
    assert!(!event.text.contains(char::is_control), "{event:?}");
    let line = text.shows("the name as text", |line| {
        line.text.contains(r"a\u{1b}[31m\n\u{9b}b")
    });
    assert!(!line.text.contains(char::is_control), "{line:?}");
    assert!(line.text.ends_with("bind ok"), "{line:?}");
}

#[test]
fn every_line_of_json_has_every_field() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    let before = Moment::now();
    provoke(host);
    host.connect(host.gateway_address()).unwrap_err();
    trace.shows("the refusal", |event| is_change(event, "SYN_SENT", "CLOSE"));
    // Two clocks are read one after the other.
    let slack = Duration::from_millis(50);
    for event in trace.shown() {
        for key in [
            "time", "kind", "old", "new", "local", "remote", "pid", "tid", "uid", "comm", "netns",
        ] {
            assert!(event.json.get(key).is_some(), "{key}: {event:?}");
        }
        let is_bind = event.field("kind") == "bind";
        assert_eq!(event.json.get("result").is_some(), is_bind, "{event:?}");
        let time = event.field("time");
        let form = "2026-01-01T00:00:00.000000000Z";
        assert_eq!(time.len(), form.len(), "{event:?}");
        assert!(time.ends_with('Z'), "{event:?}");
        let shown = Moment::of_day(time).unwrap();
        assert!(before - slack <= shown && shown <= Moment::now() + slack);
    }
}

#[test]
fn colours_are_there_when_asked_for() {
    let lab = Lab::new();
    let host = lab.host_b();
    let mut always = begun(host, &["--color", "always"]);
    let (mut never, mut auto) = (begun(host, &["--color", "never"]), begun(host, &[]));
    let green = |line: &Line| line.text.contains("\x1b[32mCLOSE -> LISTEN\x1b[0m");
    always.shows("a green LISTEN", green);
    for (trace, name) in [
        (&mut never, "never"),
        (&mut auto, "auto, not on a terminal"),
    ] {
        trace.shows(name, |line| line.text.ends_with("CLOSE -> LISTEN"));
        for line in trace.shown() {
            assert!(!line.text.contains('\x1b'), "{name}: {line:?}");
        }
    }
}
