//! Without the kernel program everything still happens, a little later.

use std::time::Duration;

use failover_tests::{
    PORT,
    daemon::Setup,
    lab::{Lab, end_listener},
    wait,
};
use rustix::process::{Pid, Signal, kill_process};

/// What loading takes. Root without them is what a container or a locked-down service has.
const LOADING: [&str; 3] = ["bpf", "perfmon", "sys_admin"];

#[test]
fn a_daemon_that_may_not_load_says_why_and_what_to_do_and_goes_on() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).without_capabilities(&LOADING).spawn();
    let said = daemon.said(|line| line.message().starts_with("no kernel events"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].field("error").contains("CAP_BPF"), "{said:?}");
    let armed = daemon.said(|line| line.message() == "watching");
    assert_eq!(armed[0].field("kernel_events"), "off");

    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    let gateway = daemon.commands().gateway().unwrap();
    let pid = Pid::from_raw(gateway.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    daemon.becomes("starting");
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "start", "stop"]);
}

#[test]
fn what_was_read_to_load_is_given_back_where_that_failed() {
    // The kernel's types alone are 5 MB, and are looked through more than once.
    const WITHOUT: u64 = 8 << 20;
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let daemon = Setup::new(&lab).without_capabilities(&LOADING).spawn();
    wait::until("a small daemon", wait::LONG, || {
        (daemon.memory("RssAnon") < WITHOUT).then_some(())
    });
    daemon.ends_having_run(&[]);
}

#[test]
fn the_tripwire_needs_no_kernel_program() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .interval(Duration::from_secs(30))
        .argument("--kernel-events=off")
        .spawn();
    daemon.probes("connected");
    let death = primary.kill();
    let noticed = daemon.counts(1).at.since(death);
    assert!(
        noticed < Duration::from_secs(2),
        "noticed after {noticed:?}"
    );
    daemon.ends_having_run(&[]);
}

#[test]
fn a_gateway_that_somebody_starts_and_ends_is_noticed_by_looking() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .primary("10.0.0.1:1")
        .argument("--kernel-events=off")
        .starts(&["fail"])
        .spawn();
    daemon.becomes("starting");
    let listener = lab.host_b().listen(([0, 0, 0, 0], 18789), 1).unwrap();
    daemon.becomes("active");
    end_listener(listener);
    daemon.becomes("starting");
    daemon.terminate();
}

#[test]
fn looking_does_not_wait_until_nothing_else_happens() {
    const SILENCE: Duration = Duration::from_secs(5);
    let lab = Lab::new();
    let address = lab.host_a().gateway_address();
    // With its queue full, the kernel drops what comes.
    let _deaf = lab.host_a().listen(address, 0).unwrap();
    let _first = lab.host_a().connect(address).unwrap();
    let mut daemon = Setup::new(&lab)
        .interval(SILENCE)
        .timeout(SILENCE)
        .start_timeout(4 * SILENCE)
        .argument("--kernel-events=off")
        .command_lines("sh -c 'while echo starting; do sleep 0.1; done'", "true")
        .spawn();
    daemon.says_within(3 * SILENCE, "the first strike", |line| {
        line.number("strikes") == Some(1)
    });
    daemon.follows(&["takeover"]);
    daemon.becomes("starting");
    // Until the next probe ends nobody but who looks can know of it.
    let listener = lab.host_b().listen(([0, 0, 0, 0], PORT), 1).unwrap();
    daemon.says_within(SILENCE / 2, "that somebody listens", |line| {
        line.message() == "local port changed"
    });
    end_listener(listener);
    daemon.terminate();
}
