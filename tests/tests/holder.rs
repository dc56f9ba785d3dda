//! The holder of the local port: found from the sockets themselves, however they were opened.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use failover_tests::{
    PORT,
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Host, Identity, Lab, Process, end_listener, host::stream_socket},
    lines::Line,
    trace::{Trace, endpoint, is_change, traces_system_calls},
    wait,
};
use rustix::net::bind;

fn changed(line: &Line) -> bool {
    line.message() == "local port changed"
}

/// Its start does nothing before it is allowed to.
fn held(lab: &Lab) -> Setup {
    Setup::new(lab).starts(&["held"]).start_timeout(wait::LONG)
}

/// A daemon whose start has begun, and is held.
fn starting(lab: &Lab) -> Daemon {
    let daemon = held(lab).spawn();
    daemon.begins(1, Command::Start);
    daemon
}

/// One more gateway on PC-B, beside others that share the port.
fn sharing_gateway(host: &Host) -> Process {
    let mut command = host.lab_command("gateway");
    command
        .args(["--listen", &format!("0.0.0.0:{PORT}"), "--reuse-port"])
        .stdout(Stdio::null());
    host.spawn(&mut command).expect("the gateway runs")
}

#[test]
fn the_gateway_that_was_started_is_named_by_process_program_and_addresses() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    // Its two sockets may be seen one after the other.
    let both = daemon.says("both sockets of the gateway", |line| {
        changed(line) && line.field("listens").contains("[::]")
    });
    let held_by = both.field("held_by");
    let gateway = daemon.commands().gateway().unwrap();
    assert!(held_by.contains(&format!("pid {gateway}, ")), "{held_by}");
    assert!(held_by.contains("failover-lab"), "{held_by}");
    assert!(
        held_by.contains(&format!("0.0.0.0:{PORT} and [::]:{PORT}")),
        "{held_by}"
    );
    assert!(!held_by.contains("network namespace"), "{held_by}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_gateway_that_listened_before_the_daemon_is_named_as_well() {
    let lab = Lab::new();
    let gateway = lab.host_b().gateway().unwrap();
    let daemon = Setup::new(&lab).spawn();
    let said = daemon.said(changed);
    let held_by = said[0].field("held_by");
    assert!(
        held_by.contains(&format!("pid {}, ", gateway.pid())),
        "{held_by}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn a_holder_that_is_in_another_network_namespace_than_its_sockets_is_reported_with_it() {
    let lab = Lab::new();
    // A thread of this process opens it in PC-B's namespace; the process is where it was.
    let _stranger = lab.host_b().listen(([0, 0, 0, 0], PORT), 1).unwrap();
    let daemon = Setup::new(&lab).spawn();
    let said = daemon.said(changed);
    let held_by = said[0].field("held_by");
    let own = Identity::of_process(std::process::id()).unwrap().inode();
    let expected = format!(", network namespace {own}) on 0.0.0.0:{PORT}");
    assert!(held_by.contains(&expected), "{held_by}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_gateway_of_another_account_is_named_without_the_right_to_read_everything() {
    let lab = Lab::new();
    // The binary is opened before the rights are dropped, for it may be where only root gets to.
    let mut command = lab.host_b().command("sh");
    let script = r#"exec 3<"$0" && exec setpriv --reuid 65534 --regid 65534 --clear-groups /proc/self/fd/3 "$@""#;
    command
        .args(["-c", script])
        .arg(lab.binary())
        .args(["gateway", "--listen", &format!("0.0.0.0:{PORT}")])
        .stdout(Stdio::null());
    let gateway = lab.host_b().spawn(&mut command).unwrap();
    lab.host_b().await_listening(true);
    let daemon = Setup::new(&lab)
        .without_capabilities(&["sys_ptrace", "dac_read_search", "dac_override"])
        .spawn();
    let said = daemon.said(changed);
    let held_by = said[0].field("held_by");
    for part in [&format!("pid {}, uid 65534", gateway.pid()), "failover-lab"] {
        assert!(held_by.contains(part), "{held_by}");
    }
    daemon.ends_having_run(&[]);
}

#[test]
fn all_who_share_the_port_are_named() {
    let lab = Lab::new();
    let first = sharing_gateway(lab.host_b());
    lab.host_b().await_listening(true);
    let mut daemon = Setup::new(&lab).spawn();
    let second = sharing_gateway(lab.host_b());
    let both = daemon.says("two holders", |line| {
        changed(line) && line.field("held_by").contains("; ")
    });
    for gateway in [&first, &second] {
        let held_by = both.field("held_by");
        assert!(
            held_by.contains(&format!("pid {}, ", gateway.pid())),
            "{held_by}"
        );
    }
    daemon.ends_having_run(&[]);
}

#[test]
fn a_gateway_with_two_sockets_is_down_when_both_are_gone() {
    let lab = Lab::new();
    let loopback = |text: &str| -> SocketAddr { format!("{text}:{PORT}").parse().unwrap() };
    let four = lab.host_b().listen(loopback("127.0.0.1"), 1).unwrap();
    let six = lab.host_b().listen(loopback("[::1]"), 1).unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    end_listener(four);
    daemon.says("one socket less", |line| {
        changed(line) && !line.field("listens").contains("127.0.0.1")
    });
    daemon.runs_nothing_for(Duration::from_millis(500));
    end_listener(six);
    daemon.becomes("starting");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_start_that_finds_the_port_taken_tells_who_has_it() {
    let lab = Lab::new();
    let mut daemon = starting(&lab);
    let _stranger = lab.host_b().listen(([0, 0, 0, 0], PORT), 1).unwrap();
    daemon.commands().unblock();
    let taken = daemon.says("who has the port", |line| {
        line.message() == "the port is taken (EADDRINUSE)"
    });
    assert_eq!(taken.field("by"), "failover-lab");
    let held_by = taken.field("held_by");
    assert!(
        held_by.contains(&format!("pid {}, ", std::process::id())),
        "{held_by}"
    );
    daemon.terminate();
}

#[test]
fn a_socket_that_has_the_port_and_does_not_listen_is_reported_by_who_bound_it() {
    let lab = Lab::new();
    let mut daemon = starting(&lab);
    let address = SocketAddr::from(([0, 0, 0, 0], PORT));
    let _stranger = lab.host_b().enter("squatter", || {
        let socket = stream_socket(address).unwrap();
        bind(&socket, &address).unwrap();
        socket
    });
    daemon.commands().unblock();
    let taken = daemon.says("who has the port", |line| {
        line.message() == "the port is taken (EADDRINUSE)"
    });
    let expected = format!("last bound by pid {}, squatter", std::process::id());
    assert!(taken.field("held_by").contains(&expected), "{taken:?}");
    daemon.terminate();
}

#[test]
fn other_programs_system_calls_are_not_slower_but_while_something_is_started() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    // Where functions can be watched they never are.
    let slower = Trace::on(lab.host_b(), &[]).traces_system_calls();
    let mut daemon = held(&lab).spawn();
    daemon.probes("connected");
    assert!(!traces_system_calls(daemon.pid()));
    primary.kill();
    daemon.begins(1, Command::Start);
    assert_eq!(traces_system_calls(daemon.pid()), slower);
    daemon.commands().unblock();
    daemon.becomes("active");
    wait::until("system calls as before", wait::LONG, || {
        (!traces_system_calls(daemon.pid())).then_some(())
    });
    daemon.ends_having_run(&["start"]);
}

/// Linux 6.11 and later can bind and listen through io_uring, past the system calls.
#[test]
fn a_bind_and_a_listener_through_io_uring_are_seen_all_the_same() {
    use io_uring::{IoUring, opcode, types::Fd};
    use std::os::fd::AsRawFd as _;

    let lab = Lab::new();
    let host = lab.host_b();
    let mut trace = Trace::on(host, &[]);
    let address = host.gateway_address();
    let supported = host.enter("uring", || {
        let socket = stream_socket(address).unwrap();
        let mut ring = IoUring::new(4).unwrap();
        let mut probe = io_uring::Probe::new();
        ring.submitter().register_probe(&mut probe).unwrap();
        if !probe.is_supported(opcode::Listen::CODE) {
            return false;
        }
        let storage = socket_address(address);
        let descriptor = Fd(socket.as_raw_fd());
        let length = u32::try_from(size_of::<libc::sockaddr_in>()).unwrap();
        let pointer = (&raw const storage).cast();
        for entry in [
            opcode::Bind::new(descriptor, pointer, length).build(),
            opcode::Listen::new(descriptor, 1).build(),
        ] {
            // SAFETY: the address and the socket live until the completion has been waited for.
            unsafe { ring.submission().push(&entry) }.unwrap();
            ring.submit_and_wait(1).unwrap();
            let completed = ring.completion().next().unwrap();
            assert_eq!(completed.result(), 0);
        }
        true
    });
    if !supported {
        failover_tests::skip("this kernel has no IORING_OP_LISTEN, which came with Linux 6.11");
        return;
    }
    // Where functions can't be watched, the LISTEN must do.
    if !trace.traces_system_calls() {
        let bound = trace.shows("the bind", |event| event.field("kind") == "bind");
        assert_eq!(endpoint(&bound, "local"), Some(address));
        assert_eq!(bound.field("result"), "ok");
    }
    let listen = trace.shows("LISTEN", |event| is_change(event, "CLOSE", "LISTEN"));
    assert_eq!(endpoint(&listen, "local"), Some(address));
    assert_eq!(listen.number("pid"), Some(std::process::id().into()));
    wait::until("the end of it", wait::LONG, || {
        trace
            .shown()
            .iter()
            .any(|event| is_change(event, "LISTEN", "CLOSE"))
            .then_some(())
    });
}

/// As connect(2) and bind(2) take it (ip(7)).
fn socket_address(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else {
        panic!("an IPv4 address");
    };
    libc::sockaddr_in {
        sin_family: libc::sa_family_t::try_from(libc::AF_INET).expect("a small number"),
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from(*address.ip()).to_be(),
        },
        sin_zero: [0; 8],
    }
}
