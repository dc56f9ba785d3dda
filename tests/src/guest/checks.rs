//! What must be true on every kernel: the program loads, each kind of event arrives with the right
//! fields, other namespaces stay out, and a takeover and a release happen.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use rustix::{io::Errno, net::sockopt::set_socket_linger, thread::gettid};
use serde_json::{Value, json};

use super::{clocks, parking, report::Report, system};
use crate::{
    PORT,
    daemon::Setup,
    lab::{Host, Lab, host::bound},
    lines::Line,
    moment::Moment,
    trace::{Trace, endpoint, is_change},
};

/// Two clocks are read one after the other, in a machine that may be held up in between.
const SLACK: Duration = Duration::from_millis(500);
/// Each check has an address of its own, so that it can't take another one's events for its own.
const LISTENING: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const FOREIGN: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 2);
const LAST: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 3);
const BACKLOG: i32 = 8;
/// The daemon's warning.
const BINDS_ARE_NOT_REPORTED: &str = "binds to the port aren't reported";
/// Since then functions can be watched on 64-bit ARM (arch/arm64/Kconfig, 6.4,
/// `HAVE_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`).
const DIRECT_CALLS: (u32, u32) = (6, 4);

/// Runs them all, unless one fails without which the others mean nothing.
pub(super) fn run(report: &mut Report) {
    let Some(lab) = report.check("two network namespaces on a bridge", Lab::new) else {
        return;
    };
    if system::is_locked_down() {
        report.check("the kernel is locked down", || {
            system::check_lockdown().unwrap_or_else(|error| panic!("{error:#}"));
        });
        report.check("a takeover and a release with all events but binds", || {
            let said = takes_over_and_releases(&lab);
            let line = said
                .iter()
                .find(|line| line.message() == BINDS_ARE_NOT_REPORTED);
            let why = line.expect(BINDS_ARE_NOT_REPORTED).field("error");
            assert!(why.contains("locked down (confidentiality"), "{why}");
        });
        parking::run_locked_down(report, &lab);
        return;
    }
    let load = || Trace::on(lab.host_b(), &[]);
    let Some(trace) = report.check("the kernel program passes the verifier and attaches", load)
    else {
        return;
    };
    report.check(
        "no system call is slower for it, where that can be had",
        || {
            let by_function = !cfg!(target_arch = "aarch64") || system::release() >= DIRECT_CALLS;
            assert_eq!(trace.traces_system_calls(), !by_function);
        },
    );
    let mut watched = Watched {
        here: lab.host_b().clone(),
        there: lab.host_a().clone(),
        trace,
    };
    report.check("bind, listen, and a bind that fails", || watched.listens());
    report.check("a refused connection", || watched.is_refused());
    for (name, address) in [
        (
            "an IPv4 connection and its orderly end",
            IpAddr::V4(lab.host_a().address()),
        ),
        (
            "an IPv6 connection and its orderly end",
            IpAddr::V6(lab.host_a().address6()),
        ),
    ] {
        report.check(name, || watched.connects((address, PORT).into()));
    }
    report.check("a connection that is accepted", || watched.accepts());
    report.check("a reset", || watched.is_reset());
    report.check("another namespace's sockets are not shown", || {
        watched.keeps_others_out();
    });
    report.check("another namespace's sockets are shown on demand", || {
        sees_all(&lab);
    });
    drop(watched);
    report.check("a takeover and a release", || {
        takes_over_and_releases(&lab);
    });
    parking::run(report, &lab);
    drop(lab);
    clocks::run(report);
    report.check("the kernel has no complaint", || {
        system::check_kernel_is_well().unwrap_or_else(|error| panic!("{error:#}"));
    });
}

/// A host whose events are read, and one that it speaks with.
struct Watched {
    here: Host,
    there: Host,
    trace: Trace,
}

impl Watched {
    fn listens(&mut self) {
        let address = SocketAddr::from((LISTENING, PORT));
        let before = Moment::now();
        let (thread, listener) = self.here.enter("binder", || (gettid(), listener(address)));
        let listener = listener.expect("listening");
        let refused = self.here.enter("late-binder", || bound(address));
        assert_eq!(refused.err(), Some(Errno::ADDRINUSE), "the second bind");

        let mine = |event: &Line| endpoint(event, "local") == Some(address);
        let thread = thread.as_raw_nonzero().get();
        let common = [
            ("local", end_value(address)),
            ("pid", std::process::id().into()),
            ("uid", 0.into()),
            ("netns", self.here.namespace().identity().inode().into()),
        ];
        let bind = self.trace.shows("the bind", mine);
        expect(&bind, &common);
        expect(
            &bind,
            &[
                ("kind", "bind".into()),
                ("result", "ok".into()),
                ("tid", thread.into()),
                ("comm", "binder".into()),
            ],
        );
        assert!(
            before - SLACK <= bind.at && bind.at <= Moment::now() + SLACK,
            "at the wrong time: {}",
            bind.text
        );
        let listen = self.trace.shows("the listen", mine);
        expect(&listen, &common);
        expect(
            &listen,
            &[
                ("kind", "tcp-state".into()),
                ("old", "CLOSE".into()),
                ("new", "LISTEN".into()),
                ("tid", thread.into()),
                ("comm", "binder".into()),
            ],
        );
        let failed = self.trace.shows("the bind that fails", mine);
        expect(&failed, &common);
        expect(
            &failed,
            &[
                ("kind", "bind".into()),
                ("result", "EADDRINUSE".into()),
                ("comm", "late-binder".into()),
            ],
        );
        drop(listener);
        let close = self.trace.shows("the listener's end", mine);
        expect(&close, &common);
        expect(
            &close,
            &[
                ("old", "LISTEN".into()),
                ("new", "CLOSE".into()),
                ("comm", "binder".into()),
            ],
        );
    }

    fn is_refused(&mut self) {
        let address = SocketAddr::from((self.there.address(), PORT));
        let refused = self.here.connect(address).expect_err("nobody listens");
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        self.change(
            "SYN_SENT",
            "CLOSE",
            address,
            &[
                ("error", "ECONNREFUSED".into()),
                ("comm", "client".into()),
                ("pid", std::process::id().into()),
            ],
        );
    }

    /// This host is the client, and closes first.
    fn connects(&mut self, address: SocketAddr) {
        let (listener, client) = self.connection(address);
        let (server, _) = listener.accept().expect("accepting");
        let local = end_value(client.local_addr().expect("an address"));
        let mine = [
            ("local", local),
            ("pid", std::process::id().into()),
            ("comm", "client".into()),
        ];
        self.change("SYN_SENT", "ESTABLISHED", address, &mine);
        drop(client);
        self.change("ESTABLISHED", "FIN_WAIT1", address, &mine);
        self.change("FIN_WAIT1", "FIN_WAIT2", address, &mine);
        drop(server);
        let end = self.change("FIN_WAIT2", "CLOSE", address, &mine);
        assert_eq!(end.json.get("error"), None, "{}", end.text);
    }

    /// This host is the server, and the client closes first.
    fn accepts(&mut self) {
        let address = SocketAddr::from((self.here.address(), PORT));
        let listener = self.here.listen(address, BACKLOG).expect("listening");
        let client = self.there.connect(address).expect("connecting");
        let remote = client.local_addr().expect("an address");
        let ends = [("local", end_value(address))];
        self.change("SYN_RECV", "ESTABLISHED", remote, &ends);
        let (server, _) = listener.accept().expect("accepting");
        drop(client);
        self.change("ESTABLISHED", "CLOSE_WAIT", remote, &ends);
        drop(server);
        let end = self.change("LAST_ACK", "CLOSE", remote, &ends);
        assert_eq!(end.json.get("error"), None, "{}", end.text);
    }

    fn is_reset(&mut self) {
        let address = SocketAddr::from((self.there.address(), PORT));
        let (listener, client) = self.connection(address);
        let (server, _) = listener.accept().expect("accepting");
        set_socket_linger(&server, Some(Duration::ZERO)).expect("an end without a goodbye");
        drop(server);
        self.change(
            "ESTABLISHED",
            "CLOSE",
            address,
            &[
                ("local", end_value(client.local_addr().expect("an address"))),
                ("error", "ECONNRESET".into()),
                ("comm", "client".into()),
            ],
        );
    }

    fn keeps_others_out(&mut self) {
        let listener = self
            .there
            .listen((FOREIGN, PORT), BACKLOG)
            .expect("listening");
        drop(listener);
        let marked = self.here.listen((LAST, PORT), BACKLOG).expect("listening");
        let is_last = |event: &Line| endpoint(event, "local").is_some_and(|end| end.ip() == LAST);
        self.trace.shows("what happened here afterwards", is_last);
        drop(marked);
        let own = Some(self.here.namespace().identity().inode());
        for event in self.trace.shown() {
            assert_eq!(event.number("netns"), own, "{}", event.text);
        }
    }

    /// A connection from here to a listener over there.
    fn connection(&self, address: SocketAddr) -> (TcpListener, TcpStream) {
        let listener = self.there.listen(address, BACKLOG).expect("listening");
        let client = self.here.connect(address).expect("connecting");
        (listener, client)
    }

    /// Waits for a change of state of a socket with this remote end, and looks at its fields.
    fn change(
        &mut self,
        old: &str,
        new: &str,
        remote: SocketAddr,
        fields: &[(&str, Value)],
    ) -> Line {
        let event = self
            .trace
            .shows(&format!("{old} to {new} with {remote}"), |event| {
                is_change(event, old, new) && endpoint(event, "remote") == Some(remote)
            });
        let netns = self.here.namespace().identity().inode();
        expect(&event, &[("netns", netns.into()), ("uid", 0.into())]);
        expect(&event, fields);
        event
    }
}

/// Missing events of other namespaces prove little unless they could be shown.
fn sees_all(lab: &Lab) {
    let mut trace = Trace::on(lab.host_b(), &["--all-namespaces"]);
    let address = SocketAddr::from((FOREIGN, PORT));
    let listener = lab.host_a().listen(address, BACKLOG).expect("listening");
    let event = trace.shows("a listener on PC-A", |event| {
        is_change(event, "CLOSE", "LISTEN")
    });
    drop(listener);
    let netns = lab.host_a().namespace().identity().inode();
    expect(
        &event,
        &[("local", end_value(address)), ("netns", netns.into())],
    );
}

/// Returns what the daemon warned of.
fn takes_over_and_releases(lab: &Lab) -> Vec<Line> {
    let primary = lab
        .host_a()
        .gateway()
        .unwrap_or_else(|error| panic!("{error:#}"));
    let mut daemon = Setup::new(lab).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    lab.host_b().await_listening(true);
    let _primary = lab
        .host_a()
        .gateway()
        .unwrap_or_else(|error| panic!("{error:#}"));
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    let without = daemon.said(|line| line.message().contains("no kernel events"));
    assert!(without.is_empty(), "without kernel events: {without:?}");
    let warned = daemon.said(|line| line.field("level") == "WARN");
    daemon.ends_having_run(&["start", "stop"]);
    warned
}

/// In the caller's namespace, on the caller's thread.
fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// One end of a connection, as in an event.
fn end_value(end: SocketAddr) -> Value {
    json!({"address": end.ip().to_string(), "port": end.port()})
}

/// Asserts that an event has these fields.
fn expect(event: &Line, fields: &[(&str, Value)]) {
    for (name, value) in fields {
        assert_eq!(
            event.json.get(name),
            Some(value),
            "{name} of {}",
            event.text
        );
    }
}
