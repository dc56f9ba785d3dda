//! No route to the primary: is PC-B at fault, or did the route go with PC-A? And resources of PC-B that are exhausted,
//! without which a probe still works.

use std::{fs, io, net::TcpStream, time::Duration};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Host, Lab},
    wait,
};

/// Far more than a takeover takes.
const WHILE: Duration = Duration::from_millis(2500);
/// Of a host on another cable of PC-B's.
const BESIDE: &str = "10.9.0.1";

/// One more host, at the end of another cable of PC-B's.
fn beside(lab: &Lab) -> Host {
    let third = lab.add_host("PC-C");
    let (here, there) = (lab.host_b(), &third);
    let namespace = there.namespace().path();
    let link = [
        "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", &namespace,
    ];
    here.run("ip", &link);
    here.run("ip", &["address", "add", "10.9.0.2/24", "dev", "eth1"]);
    there.run("ip", &["address", "add", "10.9.0.1/24", "dev", "eth1"]);
    for host in [here, there] {
        host.run("ip", &["link", "set", "eth1", "up"]);
    }
    third
}

fn with_witness(lab: &Lab) -> Setup {
    Setup::new(lab).argument("--witnesses").argument(BESIDE)
}

fn problems(daemon: &Daemon) -> String {
    let (status, _) = daemon.status();
    status
        .get("problems")
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[test]
fn a_cable_that_dies_with_pc_a_is_no_carrier_and_a_takeover_where_a_witness_answers() {
    let lab = Lab::new();
    let _third = beside(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = with_witness(&lab).spawn();
    daemon.probes("connected");
    // As a direct cable does when PC-A goes off.
    lab.switch_port(lab.host_b()).down();
    primary.kill();
    daemon.becomes("active");
    // And PC-A comes back.
    let _primary = lab.host_a().gateway().unwrap();
    lab.switch_port(lab.host_b()).up();
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn where_the_witness_is_behind_the_same_cable_nothing_is_taken_over_and_the_status_says_so() {
    let lab = Lab::new();
    let third = lab.add_host("PC-C");
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--witnesses")
        .argument(&third.address().to_string())
        .spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_b()).down();
    daemon.becomes("isolated");
    daemon.runs_nothing_for(WHILE);
    let problems = problems(&daemon);
    assert!(
        problems.contains("carrier") && problems.contains("cut off"),
        "{problems}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn without_witnesses_a_missing_carrier_stays_unknown_and_the_status_says_what_is_missing() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_b()).down();
    daemon.probes("unknown");
    daemon.runs_nothing_for(WHILE);
    let problems = problems(&daemon);
    assert!(
        problems.contains("carrier") && problems.contains("--witnesses"),
        "{problems}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn a_route_that_is_withdrawn_with_pc_a_is_a_takeover_where_a_witness_answers() {
    let lab = Lab::new();
    let _third = beside(&lab);
    let (a, b) = (lab.host_a(), lab.host_b());
    a.run("ip", &["address", "add", "10.79.0.1/32", "dev", "lo"]);
    let via = a.address().to_string();
    b.run("ip", &["route", "add", "10.79.0.1/32", "via", &via]);
    let primary = a.gateway().unwrap();
    let mut daemon = with_witness(&lab)
        .primary(&format!("10.79.0.1:{PORT}"))
        .spawn();
    daemon.probes("connected");
    primary.kill();
    b.run("ip", &["route", "delete", "10.79.0.1/32"]);
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_name_that_went_with_pc_a_is_what_it_was_before_the_daemon_was_restarted() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let hosts = lab.directory().join("hosts");
    let named = format!("127.0.0.1 localhost\n{} pc-a.lan\n", lab.host_a().address());
    fs::write(&hosts, named).unwrap();
    let mut daemon = Setup::new(&lab)
        .primary(&format!("pc-a.lan:{PORT}"))
        .hosts_file(&hosts)
        .armed_by_a_success()
        .spawn();
    daemon.probes("connected");
    daemon.remembers("where the primary answered", |kept| {
        kept["addresses"]["answered"][0] == lab.host_a().gateway_address().to_string()
    });
    daemon.remembers("that it was healthy", |kept| kept["armed_for"].is_string());
    primary.kill();
    fs::write(&hosts, "127.0.0.1 localhost\n").unwrap();
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

/// So few ports that they can be used up.
const PORTS: &str = "50000 50007";

#[test]
fn a_probe_has_a_port_where_all_others_are_used_up() {
    let lab = Lab::new();
    let (a, b) = (lab.host_a(), lab.host_b());
    let range = format!("echo {PORTS} >/proc/sys/net/ipv4/ip_local_port_range");
    b.run("sh", &["-c", &range]);
    let primary = a.gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let mut held: Vec<TcpStream> = Vec::new();
    // A probe gives its port back, so once is not enough.
    let mut all_taken = || match b.connect(a.gateway_address()) {
        Ok(stream) => {
            held.push(stream);
            None
        }
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Some(()),
        Err(error) => panic!("{error}"),
    };
    for _ in 0..3 {
        wait::until("ports that are used up", wait::LONG, &mut all_taken);
        let after = daemon.probed().len();
        wait::until("two more probes", wait::LONG, || {
            (daemon.probed().len() >= after + 2).then_some(())
        });
        let probed = daemon.probed();
        for probe in &probed[after..] {
            assert_eq!(probe.field("outcome"), "connected", "{probe:?}");
        }
    }
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

/// Soft limit of open files.
fn open_files(pid: u32) -> u64 {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("its limits");
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .expect("a limit of open files");
    let soft = line.split_whitespace().next().expect("a soft limit");
    soft.parse().unwrap_or(u64::MAX)
}

#[test]
fn the_limit_of_open_files_is_raised_and_what_is_run_has_the_one_that_was_given() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let given = open_files(std::process::id());
    let mut daemon = Setup::new(&lab).starts(&["hang"]).spawn();
    daemon.probes("connected");
    assert!(open_files(daemon.pid()) >= given.max(16 * 1024));
    primary.kill();
    let child = daemon.hanging_child();
    assert_eq!(open_files(child), given);
}
