//! The hook at the start of PC-A's gateway: PC-B releases first, and whatever happens, somebody serves.

use std::{
    path::PathBuf,
    process::{Child, Output, Stdio},
    time::{Duration, Instant},
};

use failover_tests::{
    daemon::{Daemon, Setup},
    guard,
    lab::{Lab, Process, failover_binary},
    wait,
};
use rustix::process::Signal;

/// A daemon that is paired with PC-A.
fn paired(lab: &Lab) -> Daemon {
    let mut daemon = Setup::new(lab).spawn();
    daemon.probes("connected");
    guard::pair(lab, &daemon.state_dir());
    daemon.signal(Signal::HUP);
    daemon.says("it listens for the guard", |line| {
        line.message() == "listening for PC-A's guard"
    });
    daemon
}

fn control(lab: &Lab) -> PathBuf {
    guard::state_dir(lab).join("control.sock")
}

/// What PC-A's unit runs before its gateway starts.
fn begins_to_ask(lab: &Lab, more: &[&str]) -> Child {
    let mut command = lab.host_a().command(failover_binary());
    command
        .args(["guard", "ask"])
        .arg(format!("--control={}", control(lab).display()))
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("the binary can be run")
}

fn asks(lab: &Lab, more: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = guard::ended(begins_to_ask(lab, more));
    (
        status.code(),
        String::from_utf8_lossy(&stdout).trim().to_owned(),
    )
}

/// The same, with a guard on PC-A that it hears.
fn guarded(lab: &Lab) -> (Daemon, Process) {
    let daemon = paired(lab);
    let guard = guard::run(lab, &guard::state_dir(lab));
    wait::until("the guard is heard", wait::LONG, || {
        let (status, _) = daemon.status();
        let hearing = status.pointer("/guard/hearing");
        hearing
            .is_some_and(|hearing| hearing == "beats")
            .then_some(())
    });
    (daemon, guard)
}

fn waits_for_control(lab: &Lab) {
    wait::until("the guard can be asked", wait::LONG, || {
        control(lab).exists().then_some(())
    });
}

#[test]
fn a_gateway_that_is_about_to_start_is_alone_from_its_first_moment() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let (mut daemon, _guard) = guarded(&lab);
    primary.kill();
    daemon.becomes("active");
    let (code, told) = asks(&lab, &["--or=refuse"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told, "PC-B has released its gateway; the gateway starts");
    // It doesn't listen at the moment of the answer, and isn't started while PC-A's comes up.
    assert!(!lab.host_b().listens(failover_tests::PORT));
    daemon.runs_nothing_for(Duration::from_secs(2));
    assert!(!lab.host_b().listens(failover_tests::PORT));
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn where_nothing_is_served_nobody_waits() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (daemon, _guard) = guarded(&lab);
    let began = Instant::now();
    let (code, told) = asks(&lab, &["--or=refuse"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told, "PC-B's gateway does not serve; the gateway starts");
    assert!(began.elapsed() < Duration::from_secs(2));
    daemon.ends_having_run(&[]);
}

#[test]
fn an_unreachable_pc_b_keeps_the_gateway_from_starting_only_where_that_is_wanted() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (_daemon, _guard) = guarded(&lab);
    lab.switch_port(lab.host_b()).down();
    let (code, told) = asks(&lab, &[]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = asks(&lab, &["--or=refuse"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("the gateway does not start"), "{told}");
}

#[test]
fn without_a_guard_the_gateway_starts() {
    let lab = Lab::new();
    for otherwise in ["--or=start", "--or=refuse"] {
        let (code, told) = asks(&lab, &[otherwise]);
        assert_eq!(code, Some(0), "{told}");
        assert!(told.contains("the guard is not running"), "{told}");
    }
}

#[test]
fn a_hook_whose_unit_is_stopped_while_it_waits_has_not_failed() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let (daemon, _guard) = guarded(&lab);
    waits_for_control(&lab);
    // PC-B's daemon gets no time: nothing is answered.
    daemon.signal(Signal::STOP);
    let hook = begins_to_ask(&lab, &["--or=refuse", "--timeout=20s"]);
    std::thread::sleep(Duration::from_millis(500));
    let pid = rustix::process::Pid::from_child(&hook);
    let stopped = Instant::now();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let ended = guard::ended(hook);
    daemon.signal(Signal::CONT);
    assert!(stopped.elapsed() < Duration::from_secs(1));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[test]
fn two_that_ask_at_once_both_get_the_answer() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let (mut daemon, _guard) = guarded(&lab);
    primary.kill();
    daemon.becomes("active");
    let hooks = [(); 2].map(|()| begins_to_ask(&lab, &["--or=refuse"]));
    for hook in hooks {
        let ended = guard::ended(hook);
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    }
    assert!(!lab.host_b().listens(failover_tests::PORT));
    daemon.ends_having_run(&["start", "stop"]);
}
