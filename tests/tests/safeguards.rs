//! The safeguards between three strikes and a start, and between a success and a release: the fence, the
//! confirm-interval, and flap damping.

use std::{fs, time::Duration};

use failover_tests::{
    commands::Command,
    daemon::{Daemon, Setup},
    lab::Lab,
};

/// A probe may begin this much after its time and still be on time.
const SLACK: Duration = Duration::from_millis(5);

/// How many scheduled probes were answered in a row before the last state of this name.
fn successes_before(daemon: &Daemon, state: &str) -> usize {
    let lines = daemon
        .said(|line| line.message().starts_with("probe") || line.message() == "state changed");
    lines
        .iter()
        .rev()
        .skip_while(|line| line.field("to") != state)
        .filter(|line| line.message() != "state changed")
        .take_while(|line| line.field("outcome") == "connected")
        .filter(|line| line.field("cause") == "scheduled")
        .count()
}

#[test]
fn a_fence_that_fails_is_tried_again_and_nothing_starts_before_it_succeeds() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).fences(&["fail", "ok"]).spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("fencing");
    daemon.becomes("active");
    daemon.ends_having_run(&["fence", "fence", "start"]);
}

#[test]
fn a_fence_gets_the_primary_the_reason_and_the_time() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let file = lab.directory().join("environment");
    let fence = format!("/bin/sh -c 'env >\"{}\"'", file.display());
    let mut daemon = Setup::new(&lab)
        .argument("--fence")
        .argument(&fence)
        .spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    let strike = daemon.said(|line| line.field("to") == "suspect")[0].clone();
    let text = fs::read_to_string(file).unwrap();
    let of = |name: &str| {
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
    };
    let address = lab.host_a().gateway_address().to_string();
    assert_eq!(of("FAILOVER_PRIMARY"), Some(&*address), "{text}");
    assert_eq!(of("FAILOVER_STRIKES"), Some("3"), "{text}");
    assert!(
        of("FAILOVER_REASON").is_some_and(|why| why.contains("refused")),
        "{text}"
    );
    // Probed before it was passed on, in that very second or the one before.
    let first: jiff::Timestamp = of("FAILOVER_FIRST_STRIKE").unwrap().parse().unwrap();
    let known: jiff::Timestamp = strike.field("timestamp").parse().unwrap();
    let after = known.duration_since(first).as_secs_f64();
    assert!((0.0..2.0).contains(&after), "{after}: {text}");
}

#[test]
fn a_fence_that_hangs_is_killed_and_tried_again() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .fences(&["hang", "ok"])
        .argument("--fence-timeout=2s")
        .spawn();
    daemon.becomes("active");
    daemon.ends_having_run(&["fence", "fence", "start"]);
}

#[test]
fn a_fence_that_nobody_insists_on_is_tried_once() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .fences(&["fail"])
        .argument("--fence-required=false")
        .spawn();
    daemon.becomes("active");
    daemon.ends_having_run(&["fence", "start"]);
}

#[test]
fn a_primary_that_comes_back_while_it_is_fenced_is_not_taken_over() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).fences(&["hang"]).spawn();
    daemon.becomes("fencing");
    daemon.hanging_child();
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.runs_nothing_for(Duration::from_secs(1));
    daemon.ends_having_run(&["fence"]);
}

#[test]
fn the_next_outage_is_fenced_again() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).fences(&["ok"]).spawn();
    daemon.becomes("active");
    let primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    primary.kill();
    daemon.becomes("active");
    daemon.ends_having_run(&["fence", "start", "stop", "fence", "start"]);
}

#[test]
fn a_short_confirm_interval_makes_a_takeover_quick() {
    const INTERVAL: Duration = Duration::from_secs(5);
    const CONFIRM: Duration = Duration::from_millis(300);
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .interval(INTERVAL)
        .argument("--confirm-interval=300ms")
        .spawn();
    daemon.probes("connected");
    let death = primary.kill();
    daemon.becomes("active");
    let start = daemon.begins(1, Command::Start);
    let waited = start.time.since(death);
    assert!(waited >= 2 * CONFIRM - SLACK, "started after {waited:?}");
    assert!(waited < INTERVAL, "started after {waited:?}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_primary_that_flaps_has_to_prove_itself_for_longer_each_time() {
    let lab = Lab::new();
    let mut primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--flap-window=20s")
        .argument("--flap-quiet=60s")
        .argument("--flap-interval=100ms")
        .spawn();
    daemon.probes("connected");
    let (mut needed, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        primary.kill();
        daemon.becomes("active");
        primary = lab.host_a().gateway().unwrap();
        daemon.becomes("stopping");
        needed.push(successes_before(&daemon, "stopping"));
        daemon.becomes("standby");
        expected.extend(["start", "stop"]);
    }
    assert_eq!(needed, [1, 3, 10, 10, 10, 10, 10, 10, 10, 10]);
    daemon.ends_having_run(&expected);
}

#[test]
fn a_daemon_that_is_restarted_trusts_a_primary_that_flaps_no_sooner() {
    let lab = Lab::new();
    let mut primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--flap-window=20s")
        .argument("--flap-quiet=60s")
        .argument("--flap-interval=100ms")
        .spawn();
    daemon.probes("connected");
    let mut needed = Vec::new();
    for _ in 0..3 {
        primary.kill();
        daemon.becomes("active");
        // In the middle of the takeover, and once it is over.
        daemon.remembers("the takeover", |kept| {
            kept["flapping"]["taken_over"] == true
        });
        daemon = daemon.killed_and_restarted();
        primary = lab.host_a().gateway().unwrap();
        daemon.becomes("stopping");
        needed.push(successes_before(&daemon, "stopping"));
        daemon.becomes("standby");
        daemon.remembers("its end", |kept| kept["flapping"]["taken_over"] == false);
        daemon = daemon.killed_and_restarted();
        daemon.probes("connected");
    }
    assert_eq!(needed, [1, 3, 10]);
    daemon.ends_having_run(&["start", "stop", "start", "stop", "start", "stop"]);
}
