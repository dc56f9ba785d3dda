//! The origin of an answer: one from PC-B's own gateway proves nothing about PC-A's.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Host, Lab, end_listener},
};

/// Many probes of a daemon that serves: they are 100 ms apart.
const WHILE: Duration = Duration::from_millis(2500);
/// A floating address.
const FLOATING: &str = "10.0.0.100/32";

fn problems(daemon: &Daemon) -> String {
    let (status, _) = daemon.status();
    status
        .get("problems")
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn a_floating_address_that_has_moved_to_pc_b_is_no_answer_of_pc_as() {
    let lab = Lab::new();
    let (a, b) = (lab.host_a(), lab.host_b());
    a.run("ip", &["address", "add", FLOATING, "dev", "eth0"]);
    let primary = a.gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .primary(&format!("10.0.0.100:{PORT}"))
        .spawn();
    daemon.probes("connected");
    primary.kill();
    a.run("ip", &["address", "delete", FLOATING, "dev", "eth0"]);
    b.run("ip", &["address", "add", FLOATING, "dev", "eth0"]);
    daemon.becomes("active");
    let serving = daemon.states().len();
    daemon.runs_nothing_for(WHILE);
    assert_eq!(daemon.states().len(), serving, "{:?}", daemon.states());
    let problems = problems(&daemon);
    assert!(problems.contains("PC-B's own address"), "{problems}");
    // PC-A is back, and has it again.
    b.run("ip", &["address", "delete", FLOATING, "dev", "eth0"]);
    a.run("ip", &["address", "add", FLOATING, "dev", "eth0"]);
    let _primary = a.gateway().unwrap();
    // Others know where it was.
    b.run("ip", &["neighbour", "flush", "all"]);
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn an_address_of_the_name_that_is_pc_bs_own_is_not_asked() {
    let lab = Lab::new();
    let (a, b) = (lab.host_a(), lab.host_b());
    for host in [a, b] {
        host.run("ip", &["address", "add", "172.17.0.1/16", "dev", "lo"]);
    }
    let primary = a.gateway().unwrap();
    let hosts = lab.directory().join("hosts");
    let address = a.address();
    std::fs::write(
        &hosts,
        format!("127.0.0.1 localhost\n172.17.0.1 pc-a.lan\n{address} pc-a.lan\n"),
    )
    .unwrap();
    let mut daemon = Setup::new(&lab)
        .primary(&format!("pc-a.lan:{PORT}"))
        .hosts_file(&hosts)
        .spawn();
    daemon.says("which address is left out", |line| {
        line.field("addresses").contains("172.17.0.1")
    });
    primary.kill();
    daemon.becomes("active");
    daemon.runs_nothing_for(WHILE);
    daemon.ends_having_run(&["start"]);
}

/// Where the balancer on PC-A listens.
const BALANCER: u16 = 18700;

/// Forwards what comes to the first of these that takes it.
fn balance(from: &Host, listener: &TcpListener, to: &[SocketAddr], is_over: &AtomicBool) {
    thread::scope(|scope| {
        while let Ok((client, _)) = listener.accept() {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            scope.spawn(move || {
                let backend = to.iter().find_map(|address| from.connect(*address).ok());
                if let Some(backend) = backend {
                    forward(&client, &backend);
                }
            });
        }
    });
}

fn forward(client: &TcpStream, backend: &TcpStream) {
    thread::scope(|scope| {
        for (mut from, mut to) in [(client, backend), (backend, client)] {
            scope.spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = from.read(&mut buffer) {
                    if to
                        .write_all(buffer.get(..length).unwrap_or_default())
                        .is_err()
                    {
                        break;
                    }
                }
                let _ = to.shutdown(Shutdown::Write);
            });
        }
    });
}

/// A balancer on PC-A, before its gateway and PC-B's, while this is done.
fn balanced(lab: &Lab, test: impl FnOnce(&str)) {
    let (a, b) = (lab.host_a(), lab.host_b());
    let at: SocketAddr = (a.address(), BALANCER).into();
    let listener = a
        .listen((Ipv4Addr::UNSPECIFIED, BALANCER), 64)
        .expect("a listener");
    let backends = [a.gateway_address(), (b.address(), PORT).into()];
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| balance(a, &listener, &backends, &is_over));
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            test(&at.to_string());
        }));
        is_over.store(true, Ordering::Relaxed);
        let _ = a.connect(at);
        if let Err(panic) = played {
            std::panic::resume_unwind(panic);
        }
    });
    end_listener(listener);
}

fn serves_behind_a_balancer(events: &str) {
    let lab = Lab::new();
    balanced(&lab, |at| {
        let primary = lab.host_a().gateway().expect("a gateway");
        let mut daemon = Setup::new(&lab)
            .primary(at)
            .argument("--check=http")
            .argument("--check-path=/healthz")
            .argument(&format!("--kernel-events={events}"))
            .spawn();
        daemon.probes("connected");
        primary.kill();
        daemon.becomes("active");
        daemon.probes("unknown");
        daemon.runs_nothing_for(WHILE);
        let problems = problems(&daemon);
        assert!(problems.contains("PC-B's own gateway"), "{problems}");
        // PC-A is preferred once it is back.
        let _primary = lab.host_a().gateway().expect("a gateway");
        daemon.becomes("standby");
        daemon.ends_having_run(&["start", "stop"]);
    });
}

#[test]
fn an_answer_through_a_balancer_that_goes_to_pc_b_is_no_answer_of_pc_as() {
    serves_behind_a_balancer("auto");
}

#[test]
fn nor_is_it_where_the_kernel_tells_no_events() {
    serves_behind_a_balancer("off");
}

#[test]
fn clients_of_the_local_gateway_do_not_keep_it_from_being_let_go_of() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let third = lab.add_host("PC-C");
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    let is_over = AtomicBool::new(false);
    let here: SocketAddr = (lab.host_b().address(), PORT).into();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                drop(third.connect(here));
                thread::sleep(Duration::from_millis(40));
            }
        });
        let _primary = lab.host_a().gateway().unwrap();
        daemon.becomes("standby");
        is_over.store(true, Ordering::Relaxed);
    });
    daemon.ends_having_run(&["start", "stop"]);
}
