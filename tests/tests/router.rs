//! The default router as a witness: when it counts, when it abstains, and how that survives a restart or a change of
//! the network.

use std::{fs, net::Ipv4Addr, thread, time::Duration};

use failover_tests::{
    daemon::{Daemon, Setup},
    lab::{Host, Lab},
};

const INTERVAL: Duration = Duration::from_millis(400);
/// Far more than a cut-off daemon would take to act, if it did.
const WHILE: Duration = Duration::from_millis(2500);
/// Once a network is back, PC-B asks for the primary's hardware address only once a second (retrans_time
/// of arp(7)). Probes may fail until then, but no three of them at this interval.
const CALM: Duration = Duration::from_secs(1);
/// Nobody has this address.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 99);

/// A host that PC-B has for its router.
fn router(lab: &Lab) -> Host {
    let router = lab.add_host("router");
    let address = router.address().to_string();
    let default = ["route", "add", "default", "via", &address];
    lab.host_b().run("ip", &default);
    router
}

/// Waits until the router has proved that it answers.
fn counts(daemon: &mut Daemon) -> String {
    let line = daemon.says("that the router counts", |line| {
        line.message().contains("required for a takeover")
    });
    line.field("router").to_owned()
}

/// Waits until it is logged why the router abstains.
fn abstains(daemon: &mut Daemon, why: &str) {
    daemon.says(why, |line| {
        line.message().contains("the default router abstains") && line.message().contains(why)
    });
}

/// Waits until it would believe these after a restart.
fn remembers(daemon: &Daemon, routers: &[&str]) {
    daemon.remembers("which routers answered", |kept| {
        kept["routers"] == serde_json::json!(routers)
    });
}

#[test]
fn before_the_primary_has_answered_the_router_is_known_and_abstains_for_the_right_reason() {
    let lab = Lab::new();
    let _router = router(&lab);
    let daemon = Setup::new(&lab).armed_by_a_success().interval(CALM).spawn();
    let (status, _) = daemon.status();
    let router = &status["witnesses"]["router"];
    assert_eq!(router["addresses"][0], "10.0.0.3", "{status}");
    let why = router["why"].as_str().unwrap();
    assert!(why.contains("has not answered a ping yet"), "{why}");
    daemon.ends_having_run(&[]);
}

/// As `ip nexthop` makes them, on a kernel that says nothing else of a route's routers (nexthop_compat_mode
/// in ip-sysctl.rst).
#[test]
fn the_router_is_found_in_a_nexthop_object_and_in_a_group_of_them() {
    let lab = Lab::new();
    let router = lab.add_host("router");
    let address = router.address().to_string();
    let ip = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        lab.host_b().run("ip", &words);
    };
    lab.host_b()
        .run("sysctl", &["-qw", "net.ipv4.nexthop_compat_mode=0"]);
    let device = lab.host_b().run("ip", &["-o", "route", "get", &address]);
    let device = device
        .split(" dev ")
        .nth(1)
        .and_then(|rest| rest.split(' ').next());
    let device = device.expect("an interface");
    ip(&format!("nexthop add id 7 via {address} dev {device}"));
    ip("nexthop add id 8 group 7");
    for object in ["7", "8"] {
        ip(&format!("route replace default nhid {object}"));
        let daemon = Setup::new(&lab).armed_by_a_success().interval(CALM).spawn();
        let (status, _) = daemon.status();
        let router = &status["witnesses"]["router"];
        assert_eq!(router["addresses"][0], *address, "{object}: {status}");
        daemon.ends_having_run(&[]);
    }
}

#[test]
fn a_router_that_falls_silent_together_with_the_primary_is_isolation() {
    let lab = Lab::new();
    let _router = router(&lab);
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    assert_eq!(counts(&mut daemon), "10.0.0.3");
    let (status, code) = daemon.status();
    assert_eq!((code, &status["witnesses"]["quorum"]), (0, &1.into()));
    assert_eq!(status["witnesses"]["router"]["addresses"][0], "10.0.0.3");
    assert_eq!(status["witnesses"]["router"]["counts"], true);
    // What lies beyond PC-B's cable.
    lab.switch_down();
    daemon.becomes("isolated");
    let line = daemon.says("which hosts it asked", |line| {
        line.message().contains("is PC-B cut off?")
    });
    assert!(line.field("answers").contains("router 10.0.0.3: no answer"));
    daemon.runs_nothing_for(WHILE);
    lab.switch_up();
    daemon.becomes("standby");
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
    let history = lab.directory().join("pc-b/state/history.jsonl");
    let history = fs::read_to_string(history).unwrap();
    assert!(history.contains("router 10.0.0.3: no answer"), "{history}");
}

#[test]
fn a_daemon_that_is_restarted_while_pc_b_is_cut_off_still_believes_the_router() {
    let lab = Lab::new();
    let _router = router(&lab);
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    counts(&mut daemon);
    remembers(&daemon, &["10.0.0.3"]);
    lab.switch_down();
    daemon.becomes("isolated");
    let mut daemon = daemon.killed_and_restarted();
    assert_eq!(counts(&mut daemon), "10.0.0.3");
    assert_eq!(daemon.status().0["witnesses"]["router"]["counts"], true);
    daemon.becomes("isolated");
    daemon.runs_nothing_for(WHILE);
    lab.switch_up();
    daemon.becomes("standby");
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_router_that_gave_up_answering_is_not_believed_again_after_a_restart() {
    let lab = Lab::new();
    let router = router(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    counts(&mut daemon);
    remembers(&daemon, &["10.0.0.3"]);
    router.run("sysctl", &["-w", "net.ipv4.icmp_echo_ignore_all=1"]);
    let mut daemon = daemon.killed_and_restarted();
    counts(&mut daemon);
    abstains(&mut daemon, "it does not answer pings (no answer in time)");
    remembers(&daemon, &[]);
    let mut daemon = daemon.killed_and_restarted();
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_router_that_answers_lets_a_dead_primary_be_taken_over() {
    let lab = Lab::new();
    let _router = router(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    counts(&mut daemon);
    primary.kill();
    let line = daemon.says("which hosts it asked", |line| {
        line.message().contains("the witnesses were asked")
    });
    assert!(line.field("answers").contains("router 10.0.0.3: echo"));
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_router_that_drops_a_ping_is_asked_again() {
    const PATIENT: Duration = Duration::from_secs(4);
    let lab = Lab::new();
    let router = router(&lab);
    // No ping waits until the hardware address is resolved.
    let link = router.run("ip", &["-oneline", "link", "show", "eth0"]);
    let mut words = link.split_whitespace();
    words.find(|word| *word == "link/ether").unwrap();
    let (address, hardware) = (router.address().to_string(), words.next().unwrap());
    let known = ["neighbour", "add", &address, "lladdr", hardware];
    lab.host_b()
        .run("ip", &[&known[..], &["dev", "eth0"]].concat());
    let cable = lab.switch_port(&router);
    cable.down();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(PATIENT).timeout(PATIENT).spawn();
    daemon.probes("connected");
    thread::sleep(INTERVAL);
    cable.up();
    counts(&mut daemon);
    daemon.ends_having_run(&[]);
}

#[test]
fn a_router_that_never_answered_a_ping_abstains() {
    let lab = Lab::new();
    let router = router(&lab);
    router.run("sysctl", &["-w", "net.ipv4.icmp_echo_ignore_all=1"]);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    abstains(&mut daemon, "it does not answer pings (no answer in time)");
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status}");
    assert_eq!(status["witnesses"]["router"]["counts"], false);
    primary.kill();
    daemon.becomes("active");
    assert_eq!(daemon.states(), ["suspect", "starting", "active"]);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_router_that_nobody_may_ping_abstains_without_an_alarm() {
    let lab = Lab::new();
    let _router = router(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let setup = Setup::new(&lab).without_capabilities(&["net_raw"]);
    let mut daemon = setup.spawn();
    abstains(&mut daemon, "CAP_NET_RAW");
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status}");
    let why = status["witnesses"]["router"]["why"].as_str().unwrap();
    assert!(why.contains("CAP_NET_RAW"), "{why}");
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_router_that_has_gone_with_its_route_does_not_answer() {
    let lab = Lab::new();
    let _router = router(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    counts(&mut daemon);
    lab.host_b().run("ip", &["route", "delete", "default"]);
    primary.kill();
    daemon.becomes("isolated");
    daemon.runs_nothing_for(INTERVAL);
    daemon.ends_having_run(&[]);
}

/// From now on it is another one, as for a laptop that has been carried away.
fn reroute(lab: &Lab, router: Ipv4Addr) {
    let router = router.to_string();
    lab.host_b()
        .run("ip", &["route", "replace", "default", "via", &router]);
}

#[test]
fn another_router_by_which_the_primary_never_answered_is_isolation() {
    let lab = Lab::new();
    let _router = router(&lab);
    let other = lab.add_host("other");
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    counts(&mut daemon);
    // PC-B is somewhere else now, where its router answers and the primary is far away.
    lab.switch_port(lab.host_a()).down();
    reroute(&lab, other.address());
    daemon.becomes("isolated");
    let line = daemon.says("which hosts it asked", |line| {
        line.message().contains("is PC-B cut off?")
    });
    let answers = line.field("answers");
    assert!(answers.contains("now leads to 10.0.0.4"), "{answers}");
    daemon.runs_nothing_for(WHILE);
    lab.switch_port(lab.host_a()).up();
    daemon.becomes("standby");
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}

#[test]
fn another_router_counts_once_the_primary_has_answered_by_it() {
    let lab = Lab::new();
    let _router = router(&lab);
    let other = lab.add_host("other");
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    assert_eq!(counts(&mut daemon), "10.0.0.3");
    reroute(&lab, other.address());
    assert_eq!(counts(&mut daemon), "10.0.0.4");
    // A mute one, too, doesn't keep the old one's place.
    reroute(&lab, NOBODY);
    abstains(&mut daemon, "it has not answered a ping yet");
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_router_with_a_link_local_address_is_asked_through_its_interface() {
    let lab = Lab::new();
    let router = lab.add_host("router");
    for (host, address) in [(lab.host_b(), "fe80::2/64"), (&router, "fe80::3/64")] {
        let add = ["address", "add", address, "dev", "eth0", "nodad"];
        host.run("ip", &add);
    }
    let default = ["-6", "route", "add", "default", "via", "fe80::3"];
    lab.host_b()
        .run("ip", &[&default[..], &["dev", "eth0"]].concat());
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(CALM).spawn();
    let counted = counts(&mut daemon);
    assert!(counted.starts_with("fe80::3%"), "{counted}");
    lab.switch_down();
    daemon.becomes("isolated");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_primary_that_is_the_router_is_no_witness() {
    let lab = Lab::new();
    let address = lab.host_a().address().to_string();
    let default = ["route", "add", "default", "via", &address];
    lab.host_b().run("ip", &default);
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let (status, _) = daemon.status();
    let why = status["witnesses"]["router"]["why"].as_str().unwrap();
    assert!(why.contains("is the primary itself"), "{why}");
    lab.switch_port(lab.host_a()).down();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

// --- who was away -------------------------------------------------------------------------------
