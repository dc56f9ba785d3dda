//! Other accounts can't disturb the daemon with any number of sockets and open files: it still answers, watches and
//! decides.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::{Duration, Instant},
};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Lab, Process},
    wait,
};

/// On a busy machine and a debug build that logs each of the thousands of events; before, it took minutes.
const SOON: Duration = Duration::from_secs(20);

/// Another account's process that has all of this.
fn hoard(lab: &Lab, arguments: &[&str]) -> Process {
    let mut command = lab.host_b().lab_command("hoard");
    command.args(arguments).stdout(Stdio::piped());
    let mut hoard = lab.host_b().spawn(&mut command).expect("it runs");
    let output = hoard.child().stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(output)
        .read_line(&mut line)
        .expect("it says when it has all");
    assert_eq!(line, "there\n");
    hoard
}

/// The status's state, and how long it took to have it.
fn state(daemon: &Daemon) -> (String, Duration) {
    let begun = Instant::now();
    let (status, _) = daemon.status();
    let state = status.get("state").and_then(|state| state.as_str());
    (state.unwrap_or_default().to_owned(), begun.elapsed())
}

/// A daemon whose gateway is on loopback, as OpenClaw's is by itself, so that others can have the port at
/// other addresses.
fn on_loopback(lab: &Lab) -> Setup {
    let (binary, folder) = (lab.binary().display(), lab.directory().display());
    let start = format!(
        "sh -c 'setsid {binary} gateway --listen 127.0.0.1:{PORT} >/dev/null 2>&1 & echo $! >{folder}/gateway'"
    );
    let stop = format!("sh -c 'kill $(cat {folder}/gateway)'");
    Setup::new(lab).command_lines(&start, &stop)
}

#[test]
fn thousands_of_listeners_of_another_account_delay_neither_an_answer_nor_a_release() {
    let lab = Lab::new();
    let mut daemon = on_loopback(&lab).spawn();
    daemon.becomes("active");
    let hoard = hoard(&lab, &["--listeners", "8000"]);
    for _ in 0..5 {
        let (state, took) = state(&daemon);
        assert_eq!(state, "active");
        assert!(took < SOON, "{took:?}");
    }
    let (status, _) = daemon.status();
    assert_eq!(status["gateway"]["foreign"], false, "{status}");
    let held_by = status["gateway"]["held_by"].to_string();
    assert!(held_by.len() < 4096, "{held_by}");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes_within(SOON, "standby");
    let died = daemon.said(|line| line.message().contains("isn't known"));
    assert!(died.is_empty(), "{died:?}");
    drop(hoard);
}

#[test]
fn a_daemon_watches_soon_however_many_files_others_have_open() {
    let lab = Lab::new();
    let mut daemon = on_loopback(&lab).spawn();
    daemon.becomes("active");
    let hoard = hoard(&lab, &["--processes", "200", "--files", "10000"]);
    let begun = Instant::now();
    let mut daemon = daemon.killed_and_restarted();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    let watching = daemon.said(|line| line.message() == "watching");
    assert!(
        watching[0].text.contains("\"listening\":true"),
        "{watching:?}"
    );
    daemon.becomes_within(wait::LONG, "active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes_within(SOON, "standby");
    drop(hoard);
}
