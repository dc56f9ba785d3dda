//! Starting and stopping the local gateway: commands that fail, hang and lie.

use std::{path::Path, time::Duration};

use failover_tests::{
    commands::{Command, Event, Release},
    daemon::{Daemon, Setup},
    lab::{Lab, Process},
    wait,
};
use rustix::process::Signal;

/// A daemon that has taken over from a primary that died.
fn active(lab: &Lab, setup: Setup) -> Daemon {
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    lab.host_b().await_listening(true);
    daemon
}

/// A start that is ended in a test wasn't ended by this.
const LONGER_THAN_ANYTHING: Duration = Duration::from_secs(3600);

fn primary_back(lab: &Lab) -> Process {
    lab.host_a().gateway().expect("PC-A's gateway starts")
}

fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn the_gateway_is_released_at_the_first_success() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab));
    let _primary = primary_back(&lab);
    daemon.becomes("stopping");
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.runs_nothing_for(Duration::from_secs(1));
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_gateway_that_dies_while_active_is_started_again_at_once() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab));
    let gateway = daemon.commands().gateway().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(gateway).unwrap()).unwrap();
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    daemon.becomes("starting");
    daemon.begins(2, Command::Start);
    daemon.becomes("active");
    assert_ne!(daemon.commands().gateway(), Some(gateway));
    daemon.ends_having_run(&["start", "start"]);
}

#[test]
fn a_start_that_failed_is_reported_with_its_exit_code_what_it_said_last_and_where_the_rest_is() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).starts(&["refuse", "hang"]).spawn();
    let again = daemon.says("a second attempt", |line| {
        line.message() == "state changed" && line.number("attempt") == Some(2)
    });
    let (status, _) = daemon.status();
    let problem = status["problems"].to_string();
    for text in [again.field("reason"), &problem] {
        for part in ["exit code 78", "last output: ", "start.log)"] {
            assert!(text.contains(part), "{text}");
        }
    }
    daemon.terminate();
}

#[test]
fn a_start_that_fails_is_tried_again_with_growing_pauses() {
    let lab = Lab::new();
    let daemon = active(&lab, Setup::new(&lab).starts(&["fail", "fail", "ok"]));
    let begun: Vec<_> = daemon
        .commands()
        .log()
        .into_iter()
        .filter(|one| one.event == Event::Begin && one.command == Command::Start)
        .collect();
    let pauses: Vec<Duration> = begun
        .windows(2)
        .map(|pair| pair[1].time.since(pair[0].time))
        .collect();
    assert!(pauses[0] >= Duration::from_millis(100), "{pauses:?}");
    assert!(pauses[1] >= Duration::from_millis(200), "{pauses:?}");
    // What a failed start left behind is stopped before the next.
    daemon.ends_having_run(&["start", "stop", "start", "stop", "start"]);
}

#[test]
fn a_start_that_refuses_says_why_and_with_which_code() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).starts(&["refuse", "ok"]).spawn();
    let ended = daemon.says("the start's end", |line| line.message() == "command ended");
    assert!(ended.field("result").contains("code 78"), "{}", ended.text);
    let said = ended.field("output");
    assert!(said.contains("gateway.port: expected number"), "{said}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start", "stop", "start"]);
}

/// As OpenClaw's does on a slow machine: it waits a while, and leaves the rest to the service manager.
#[test]
fn a_start_that_gives_up_is_waited_for_while_what_it_began_lives() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["fail-but-run 3s", "ok"])
        .start_timeout(LONGER_THAN_ANYTHING);
    let mut daemon = active(&lab, setup);
    let seen = daemon.said(|line| line.message().contains("is coming up"));
    assert!(seen[0].field("found").contains("process "), "{seen:?}");
    daemon.runs_nothing_for(Duration::from_secs(1));
    let _primary = primary_back(&lab);
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_start_that_leaves_nothing_behind_is_tried_again_long_before_its_time_is_over() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["lie", "lie", "ok"])
        .start_timeout(LONGER_THAN_ANYTHING);
    let daemon = active(&lab, setup);
    daemon.ends_having_run(&["start", "stop", "start", "stop", "start"]);
}

#[test]
fn a_listener_that_is_lost_during_its_start_is_noticed_long_before_its_time_is_over() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["outlive 500ms", "ok"])
        .start_timeout(LONGER_THAN_ANYTHING);
    let mut daemon = setup.spawn();
    daemon.begins(2, Command::Stop);
    daemon.begins(3, Command::Start);
    daemon.becomes("active");
    wait::until("the second one serves", wait::LONG, || {
        lab.host_b().listens(failover_tests::PORT).then_some(())
    });
    daemon.ends_having_run(&["start", "stop", "start"]);
}

#[test]
fn a_gateway_that_answers_only_a_while_after_it_listens_is_given_its_time() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["answer-later 4s"])
        .start_timeout(LONGER_THAN_ANYTHING)
        .argument("--check=openclaw");
    let mut daemon = active(&lab, setup);
    for _ in 0..4 {
        daemon.says("a check that isn't answered yet", |line| {
            line.message().ends_with("hasn't answered yet")
        });
    }
    daemon.says("an answer", |line| {
        line.message() == "the local gateway was checked"
    });
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_gateway_that_never_answers_is_started_again_when_its_time_is_over() {
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["answer-later 1h", "ok"])
        .start_timeout(Duration::from_secs(3))
        .argument("--check=openclaw");
    let mut daemon = active(&lab, setup);
    daemon.becomes("restarting");
    daemon.becomes("active");
    daemon.ends_having_run(&["start", "stop", "start"]);
}

/// As one does that its own service manager restarts repeatedly.
#[test]
fn a_gateway_that_crashes_and_comes_back_by_itself_is_started_and_never_stopped() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab).starts(&["crash-loop 1s"]));
    for _ in 0..2 {
        daemon.becomes("starting");
        daemon.becomes("active");
    }
    assert!(!daemon.commands().names().contains(&"stop"));
    let _primary = primary_back(&lab);
    daemon.becomes("stopping");
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.terminate();
    assert_eq!(daemon.commands().names().last(), Some(&"stop"));
}

#[test]
fn a_start_that_hangs_is_killed_with_its_whole_process_group() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).starts(&["hang", "ok"]).spawn();
    let grandchild = daemon.hanging_child();
    daemon.becomes("active");
    wait::until("the grandchild is gone", wait::LONG, || {
        is_gone(grandchild).then_some(())
    });
    daemon.ends_having_run(&["start", "stop", "start"]);
}

#[test]
fn a_start_that_says_it_worked_is_not_believed_until_the_port_listens() {
    let lab = Lab::new();
    let daemon = active(&lab, Setup::new(&lab).starts(&["lie", "ok"]));
    daemon.ends_having_run(&["start", "stop", "start"]);
}

#[test]
fn a_start_that_stays_in_the_foreground_is_the_gateway_and_is_left_alone() {
    const TIMEOUT: Duration = Duration::from_secs(2);
    let lab = Lab::new();
    let setup = Setup::new(&lab)
        .starts(&["foreground"])
        .start_timeout(TIMEOUT);
    let mut daemon = active(&lab, setup);
    daemon.runs_nothing_for(TIMEOUT + Duration::from_secs(1));
    assert!(lab.host_b().listens(failover_tests::PORT));
    let _primary = primary_back(&lab);
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_stop_that_fails_is_tried_again_until_the_gateway_is_gone() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab).stops(&["fail", "lie", "ok"]));
    let _primary = primary_back(&lab);
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop", "stop", "stop"]);
}

#[test]
fn a_stop_that_hangs_is_killed_and_tried_again() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab).stops(&["hang", "ok"]));
    let _primary = primary_back(&lab);
    let grandchild = daemon.hanging_child();
    daemon.becomes("standby");
    wait::until("the grandchild is gone", wait::LONG, || {
        is_gone(grandchild).then_some(())
    });
    daemon.ends_having_run(&["start", "stop", "stop"]);
}

#[test]
fn a_success_cuts_a_start_short_and_undoes_it() {
    let lab = Lab::new();
    // It isn't the timeout that ends it.
    let mut daemon = Setup::new(&lab)
        .starts(&["hang"])
        .start_timeout(wait::LONG)
        .spawn();
    let grandchild = daemon.hanging_child();
    let _primary = primary_back(&lab);
    daemon.becomes("stopping");
    daemon.begins(2, Command::Stop);
    daemon.becomes("standby");
    wait::until("the grandchild is gone", wait::LONG, || {
        is_gone(grandchild).then_some(())
    });
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_daemon_that_was_killed_finds_its_gateway_again_and_leaves_it_alone() {
    let lab = Lab::new();
    let daemon = active(&lab, Setup::new(&lab));
    let gateway = daemon.commands().gateway();
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("active");
    assert_eq!(daemon.states(), ["active"]);
    daemon.runs_nothing_for(Duration::from_secs(1));
    assert_eq!(daemon.commands().gateway(), gateway);
    assert!(lab.host_b().listens(failover_tests::PORT));
    let _primary = primary_back(&lab);
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_daemon_that_is_ended_leaves_the_gateway_running() {
    let lab = Lab::new();
    let mut daemon = active(&lab, Setup::new(&lab));
    let gateway = daemon.commands().gateway().unwrap();
    daemon.terminate();
    assert!(Path::new(&format!("/proc/{gateway}")).exists());
    assert!(lab.host_b().listens(failover_tests::PORT));
}

#[test]
fn the_stop_of_each_openclaw_is_the_one_that_it_knows() {
    for release in [Release::Current, Release::Old] {
        let lab = Lab::new();
        let mut daemon = active(&lab, Setup::new(&lab).openclaw(release));
        let _primary = primary_back(&lab);
        daemon.becomes("stopping");
        daemon.becomes("standby");
        lab.host_b().await_listening(false);
        daemon.ends_having_run(&["start", "stop"]);
    }
}
