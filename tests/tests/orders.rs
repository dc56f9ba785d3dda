//! Operator commands: pauses, manual takeovers and releases, and the permission for them.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::Path,
    process::Output,
    time::Duration,
};

use failover_tests::{
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{Lab, failover_binary},
    wait,
};

const INTERVAL: Duration = Duration::from_millis(400);
/// The account `nobody`, as on every Linux.
const NOBODY: &str = "65534";

/// Its start does nothing before it is allowed to.
fn held(lab: &Lab) -> Setup {
    Setup::new(lab).starts(&["held"]).start_timeout(wait::LONG)
}

fn refused(daemon: &Daemon, words: &[&str], why: &str) {
    let output = daemon.order(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {output:?}");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(why), "{words:?}: {message}");
}

/// The status has this problem, and says by its exit code that there is one.
fn is_reported(daemon: &Daemon, problem: &str) {
    let (status, code) = daemon.status();
    let problems = status.get("problems").expect("a list").to_string();
    assert!(code == 1 && problems.contains(problem), "{status}");
}

#[test]
fn a_pause_starts_nothing_says_what_it_would_have_started_and_survives_a_restart() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).armed_by_a_success().spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--reason", "moving \u{1b}[2Jhouse"]);
    let (status, code) = daemon.status();
    assert_eq!(code, 1, "{status}");
    let problem = status["problems"][0].as_str().unwrap().to_owned();
    assert!(problem.contains("PAUSED"), "{status}");
    assert!(!problem.contains('\u{1b}'), "{status}");
    primary.kill();
    daemon.becomes("paused");
    daemon.says("what it would run", |line| {
        line.message()
            .starts_with("paused: the command would be run")
            && line.field("command") == "start"
    });
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("paused");
    daemon.runs_nothing_for(2 * INTERVAL);
    daemon.follows(&["resume"]);
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_pause_with_an_end_ends_by_itself() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--for", "5s"]);
    primary.kill();
    daemon.becomes("paused");
    daemon.says("its end", |line| line.message() == "the pause is over");
    daemon.becomes("active");
    assert!(daemon.status().0["paused"].is_null());
    daemon.ends_having_run(&["start"]);
}

#[test]
fn an_order_for_less_than_a_second_is_refused() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    daemon.follows(&["pause"]);
    for time in ["0s", "500ms"] {
        refused(&daemon, &["pause", "--for", time], "a second is the least");
    }
    is_reported(&daemon, "PAUSED");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_takeover_by_hand_waits_for_no_further_strike() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).interval(Duration::from_secs(30)).spawn();
    daemon.probes("connected");
    refused(&daemon, &["takeover"], "--force");
    primary.kill();
    daemon.counts(1);
    daemon.follows(&["takeover"]);
    daemon.becomes("active");
    refused(&daemon, &["takeover"], "already");
    // It is released as any other.
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn an_order_is_decided_by_how_the_primary_is_now_and_not_by_an_answer_of_long_ago() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .interval(Duration::from_secs(60))
        .timeout(Duration::from_secs(1))
        .spawn();
    daemon.probes("connected");
    // As when the power fails: nothing tells of it, and the next probe would be a minute away.
    let cable = lab.switch_port(lab.host_a());
    cable.down();
    // Refused only where the answer is from just now.
    wait::until("it is followed", wait::LONG, || {
        let output = daemon.order(&["takeover"]);
        output.status.success().then_some(())
    });
    daemon.becomes("active");
    let asked = daemon.said(|line| line.field("cause") == "ordered");
    assert!(!asked.is_empty());
    cable.up();
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn what_cannot_be_found_out_is_not_reported_as_an_answer() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    lab.switch_port(lab.host_b()).down();
    daemon.probes("unknown");
    let output = daemon.order(&["takeover"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("the primary answers"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("is unknown: "), "{text}");
    assert!(text.contains("--force"), "{text}");
    daemon.ends_having_run(&[]);
}

#[test]
fn on_a_terminal_a_forced_takeover_beside_a_live_primary_asks() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let force = format!(
        "{} takeover --force --control {}",
        failover_binary().display(),
        daemon.control().display()
    );
    let answers = |answer: &str| {
        let script =
            format!("echo {answer} | script --quiet --return --command '{force}' /dev/null");
        let output = std::process::Command::new("sh")
            .args(["-c", &script])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("Continue? [y/N]"), "{output:?}");
        output.status.success()
    };
    assert!(!answers("n"));
    daemon.runs_nothing_for(INTERVAL);
    assert!(answers("y"));
    daemon.becomes("active");
    daemon.follows(&["release"]);
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_second_pause_says_what_was_in_force_and_what_is() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let pause = |words: &[&str]| {
        let output = daemon.order(words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let first = pause(&["pause", "--for", "1h", "--reason", "new disk"]);
    assert!(first.contains("paused until 2"), "{first}");
    let longer = pause(&["pause"]);
    for part in [
        "until `failover resume`",
        "LONGER",
        "it was paused until 2",
        "new disk",
    ] {
        assert!(longer.contains(part), "{part}: {longer}");
    }
    let shorter = pause(&["pause", "--for", "5m"]);
    assert!(shorter.contains("SHORTER"), "{shorter}");
    // Seen in the headline, although the primary is well and the state is standby.
    let output = daemon.order(&["status"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("STANDBY, PAUSED until 2"), "{text}");
    daemon.ends_having_run(&[]);
}

#[test]
fn drills_make_no_release_harder() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    for _ in 0..3 {
        daemon.follows(&["takeover", "--force", "--yes"]);
        daemon.becomes("active");
        daemon.follows(&["release"]);
        daemon.becomes("standby");
    }
    assert_eq!(daemon.status().0["release_needs"], 1);
    daemon.ends_having_run(&["start", "stop", "start", "stop", "start", "stop"]);
}

#[test]
fn a_takeover_by_hand_says_what_it_waits_for() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).argument("--witnesses=10.0.0.99").spawn();
    daemon.becomes("isolated");
    let output = daemon.order(&["takeover"]);
    assert!(output.status.success(), "{output:?}");
    let note = String::from_utf8_lossy(&output.stderr);
    assert!(note.contains("no witness answers"), "{output:?}");
    daemon.follows(&["takeover", "--force"]);
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_forced_takeover_stands_beside_a_healthy_primary_until_it_is_released() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    // Without a terminal nobody can be asked: it is followed, and says what it leads to.
    let output = daemon.order(&["takeover", "--force"]);
    assert!(output.status.success(), "{output:?}");
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(
        warning.contains("both gateways serve until `failover release`"),
        "{warning}"
    );
    let line = daemon.says("the order, in words", |line| {
        line.message() == "an operator gives an order"
    });
    assert_eq!(line.field("order"), "takeover --force");
    assert_eq!(line.field("by"), "root");
    daemon.becomes("active");
    daemon.runs_nothing_for(2 * INTERVAL);
    is_reported(&daemon, "two gateways serve");
    // Also by the next daemon.
    let mut daemon = daemon.killed_and_restarted();
    daemon.probes("connected");
    daemon.runs_nothing_for(2 * INTERVAL);
    is_reported(&daemon, "two gateways serve");
    assert_eq!(daemon.status().0["forced"], true);
    daemon.follows(&["release"]);
    daemon.becomes("standby");
    lab.host_b().await_listening(false);
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_release_that_holds_is_followed_by_no_takeover_before_it_is_resumed() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    daemon.follows(&["release", "--hold", "1h"]);
    is_reported(&daemon, "released by an operator");
    daemon.becomes("released");
    daemon.runs_nothing_for(3 * INTERVAL);
    refused(&daemon, &["release"], "no local gateway");
    let mut daemon = daemon.killed_and_restarted();
    daemon.becomes("released");
    daemon.runs_nothing_for(3 * INTERVAL);
    is_reported(&daemon, "released by an operator");
    daemon.follows(&["resume"]);
    daemon.becomes("active");
    daemon.ends_having_run(&["start", "stop", "start"]);
}

/// Changes the mode of its control socket, or of a folder around it.
fn chmod(mode: &str, path: &Path) {
    let mut chmod = std::process::Command::new("chmod");
    let changed = chmod.arg(mode).arg(path).status();
    assert!(changed.expect("chmod can be run").success());
}

/// The test's directory is root's alone: now everybody gets to the socket.
fn open_the_way(daemon: &Daemon) {
    for folder in daemon.control().ancestors().skip(1).take(2) {
        chmod("a+x", folder);
    }
}

/// A verb of `failover`, given to the daemon by nobody, in this group and no other.
fn as_nobody(daemon: &Daemon, group: u32, verb: &str) -> Output {
    // The binary is opened before the rights are dropped, for it may be where only root gets to.
    let script = r#"exec 3<"$0" && exec setpriv --reuid "$1" --regid "$2" --clear-groups /proc/self/fd/3 "$3" --control "$4""#;
    std::process::Command::new("sh")
        .args(["-c", script])
        .arg(failover_binary())
        .args([NOBODY, &group.to_string(), verb])
        .arg(daemon.control())
        .output()
        .expect("sh can be run")
}

#[test]
fn only_root_and_the_sockets_group_may_ask() {
    const GROUP: u32 = 47017;
    const OTHER: u32 = 47018;
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    open_the_way(&daemon);
    chown(daemon.control(), None, Some(GROUP)).unwrap();
    let mode = fs::metadata(daemon.control()).unwrap().mode();
    assert_eq!(mode & 0o777, 0o660, "{mode:o}");
    let refused = as_nobody(&daemon, OTHER, "status");
    assert_eq!(refused.status.code(), Some(4), "{refused:?}");
    assert_eq!(refused.stdout, b"");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(text.contains("permission denied"), "{text}");
    let answered = as_nobody(&daemon, GROUP, "status");
    assert_eq!(answered.status.code(), Some(0), "{answered:?}");
    daemon.ends_having_run(&[]);
}

#[test]
fn only_root_and_who_is_named_may_order() {
    const GROUP: u32 = 65534;
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    // Answering a client is one thing, following its orders another.
    let everybody = |daemon: &Daemon| {
        open_the_way(daemon);
        chmod("a+rw", daemon.control());
    };
    let as_nobody = |daemon: &Daemon, verb: &str| as_nobody(daemon, GROUP, verb);
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    everybody(&daemon);
    let asked = as_nobody(&daemon, "status");
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    let ordered = as_nobody(&daemon, "pause");
    assert_eq!(ordered.status.code(), Some(1), "{ordered:?}");
    assert!(String::from_utf8_lossy(&ordered.stderr).contains("operators"));
    assert!(daemon.status().0["paused"].is_null());
    daemon.terminate();
    drop(daemon);

    let mut daemon = Setup::new(&lab).argument("--operators=nobody").spawn();
    daemon.probes("connected");
    everybody(&daemon);
    let ordered = as_nobody(&daemon, "pause");
    assert!(ordered.status.success(), "{ordered:?}");
    assert!(!daemon.status().0["paused"].is_null());
    daemon.terminate();
}

#[test]
fn an_order_in_the_middle_of_a_start_is_followed_after_it() {
    let lab = Lab::new();
    let mut daemon = held(&lab).spawn();
    daemon.begins(1, Command::Start);
    daemon.follows(&["pause"]);
    daemon.commands().unblock();
    // What runs is let run; what follows isn't begun.
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.says("that a stop is withheld", |line| {
        line.message()
            .starts_with("paused: the command would be run")
            && line.field("command") == "stop"
    });
    daemon.follows(&["resume"]);
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn an_end_in_the_middle_of_a_start_leaves_the_start_alone_and_the_next_daemon_finds_what_came_of_it()
 {
    let lab = Lab::new();
    let setup = held(&lab);
    let mut daemon = setup.clone().spawn();
    daemon.begins(1, Command::Start);
    daemon.terminate();
    daemon.commands().unblock();
    drop(daemon);
    lab.host_b().await_listening(true);
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    daemon.runs_nothing_for(3 * INTERVAL);
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn an_order_that_was_answered_survives_a_kill_at_once() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    for _ in 0..4 {
        assert_eq!(daemon.follows(&["pause", "--for", "1h"]), "");
        daemon = daemon.killed_and_restarted();
        assert!(!daemon.status().0["paused"].is_null());
        assert_eq!(daemon.follows(&["resume"]), "");
        daemon = daemon.killed_and_restarted();
        assert!(daemon.status().0["paused"].is_null());
    }
    daemon.ends_having_run(&[]);
}

#[test]
fn a_full_drill_is_a_takeover_so_without_a_terminal_it_has_to_be_confirmed_by_an_option() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).armed_by_a_success().spawn();
    daemon.probes("connected");
    refused(&daemon, &["drill", "--full"], "failover drill --full --yes");
    drop(primary);
    daemon.ends_having_run(&[]);
}

#[test]
fn a_pause_ends_at_the_time_that_was_given() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.counts(1);
    // A second before the moment would be too soon, and a minute after it too late.
    let moment = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(600);
    daemon.follows(&["pause", "--until", &moment.to_string()]);
    let (status, _) = daemon.status();
    let until: jiff::Timestamp = status["paused"]["until"].as_str().unwrap().parse().unwrap();
    let late = until.duration_since(moment);
    assert!((0..10).contains(&late.as_secs()), "{moment} and {until}");
    refused(
        &daemon,
        &["pause", "--until", "2020-01-01 00:00"],
        "is over; give a time to come",
    );
}

#[test]
fn a_nearly_right_order_is_answered_with_the_right_one() {
    let output = std::process::Command::new(failover_binary())
        .args(["pause", "2h"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("\ndid you mean `failover pause --for 2h`?\n"),
        "{said}"
    );
}
