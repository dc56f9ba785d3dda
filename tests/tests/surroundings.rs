//! Broken and hostile surroundings: decisions continue, losses are reported, and everything recovers as soon as
//! possible. Tests of a single part are with that part: a configuration that others can write
//! (`configuration`, `reload`), a second daemon (`status`), a command that never ends (`notify`), an end
//! in the middle of a start (`orders`), clocks that are set (the guests of `cargo xtask vmtest`).

use std::{
    fs,
    io::Read as _,
    os::unix::{fs::symlink, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use failover_tests::{
    PORT,
    daemon::{Daemon, Setup},
    lab::{Lab, failover_binary},
    wait,
};
use rustix::process::{Resource, getrlimit, setrlimit};
use serde_json::Value;

const HISTORY: &str = "the history can't be written";
const MEMORY: &str = "what must be remembered can't be written";

// --- the state directory ------------------------------------------------------------------------

/// The state directory as the daemon sees it, in a mount namespace of its own.
fn state_dir(lab: &Lab, daemon: &Daemon) -> PathBuf {
    let path = lab.directory().join("pc-b/state");
    let root = PathBuf::from(format!("/proc/{}/root", daemon.pid()));
    root.join(path.strip_prefix("/").expect("an absolute path"))
}

/// Remounts its state directory with these options.
fn remount(lab: &Lab, daemon: &Daemon, options: &str) {
    let output = Command::new("nsenter")
        .args(["--mount", "--target", &daemon.pid().to_string()])
        .args(["mount", "--options", &format!("remount,{options}")])
        .arg(lab.directory().join("pc-b/state"))
        .output()
        .expect("running nsenter");
    assert!(output.status.success(), "{output:?}");
}

/// What `failover history` tells of a state directory: all, one document a line.
fn history(state_dir: &Path) -> Vec<Value> {
    let output = Command::new(failover_binary())
        .args(["history", "--output", "json", "--state-dir"])
        .arg(state_dir)
        .output()
        .expect("running failover history");
    let lines = String::from_utf8_lossy(&output.stdout);
    let document = |line: &str| serde_json::from_str(line).expect("a document");
    lines.lines().map(document).collect()
}

#[test]
fn a_state_directory_that_takes_no_writes_costs_what_it_keeps_and_only_until_it_takes_them_again() {
    // Of one page, which the lock takes: it is full.
    for (options, fixed) in [("ro", "rw"), ("size=4k", "size=1m")] {
        let lab = Lab::new();

        let primary = lab.host_a().gateway().unwrap();
        let setup = Setup::new(&lab).armed_by_a_success();
        let mut daemon = setup.state_dir_mounted(options).spawn();
        for loss in [HISTORY, MEMORY] {
            wait::until("that it is lost", wait::LONG, || {
                let said = daemon.said(|line| line.message().contains(loss));
                (!said.is_empty()).then_some(())
            });
        }
        let note = daemon.follows(&["pause", "--for", "1h", "--reason", "moving house"]);
        assert!(note.contains("a restart forgets this order"), "{note}");
        daemon.follows(&["resume"]);
        let primary = daemon.takes_over_and_releases(&lab, primary);
        let problems = || daemon.status().0["problems"].to_string();
        for loss in [HISTORY, "a restart forgets what must be remembered"] {
            assert!(problems().contains(loss), "{}", problems());
        }

        remount(&lab, &daemon, fixed);
        let note = daemon.follows(&["pause", "--reason", "moving out"]);
        assert_eq!(note, "");
        wait::until("no loss any more", wait::LONG, || {
            (!problems().contains("can't be written")).then_some(())
        });
        daemon.follows(&["resume"]);
        wait::until("that both are written again", wait::LONG, || {
            let again = daemon.said(|line| line.message().ends_with(" is written again"));
            (again.len() == 2).then_some(())
        });
        // What happened in the meantime is there by now, too, and what happens from now on.
        let _primary = daemon.takes_over_and_releases(&lab, primary);
        let state_dir = state_dir(&lab, &daemon);
        let is_released = |line: &&Value| line["ended"]["how"] == "released";
        wait::until("both incidents", wait::LONG, || {
            (history(&state_dir).iter().filter(is_released).count() == 2).then_some(())
        });
        let shown = history(&state_dir);
        let reasons: Vec<&str> = shown
            .iter()
            .filter_map(|line| line["reason"].as_str().filter(|_| line["kind"] == "order"))
            .collect();
        assert_eq!(reasons, ["moving house", "moving out"], "{shown:#?}");
        let remembered = wait::until("no pause any more", wait::LONG, || {
            let text = fs::read_to_string(state_dir.join("remembered.json")).ok()?;
            let remembered: Value = serde_json::from_str(&text).expect("a document");
            remembered["pause"].is_null().then_some(remembered)
        });
        assert!(remembered["armed_for"].is_string(), "{remembered}");
        daemon.ends_having_run(&["start", "stop", "start", "stop"]);
    }
}

/// The log's line when the state directory is claimed later than at the start.
const CLAIMED: &str = "the state directory is claimed now: a second daemon is refused";

/// Another daemon's command line, on this state directory. It only looks.
fn second(lab: &Lab, state_dir: &Path) -> Vec<String> {
    let option = |name: &str, value: &dyn std::fmt::Display| format!("--{name}={value}");
    let control = lab.directory().join("second.sock");
    vec![
        failover_binary().display().to_string(),
        "run".to_owned(),
        "--dry-run".to_owned(),
        option("kernel-events", &"off"),
        option("primary", &lab.host_a().gateway_address()),
        option("gateway", &"command"),
        option("start", &"true"),
        option("stop", &"true"),
        option("state-dir", &state_dir.display()),
        option("control", &control.display()),
    ]
}

#[test]
fn a_state_directory_that_was_read_only_is_claimed_later_and_a_second_daemon_is_refused_then() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).state_dir_mounted("ro").spawn();
    let line = daemon.said(|line| {
        line.message()
            .contains("the state directory can't be claimed")
    });
    assert!(line[0].field("error").contains("Read-only"), "{line:?}");
    daemon.becomes("active");
    remount(&lab, &daemon, "rw");
    daemon.says("that it is claimed", |line| line.message() == CLAIMED);
    let output = lab
        .host_b()
        .command("nsenter")
        .args(["--mount", "--target", &daemon.pid().to_string()])
        // It would run for ever if it weren't refused.
        .args(["timeout", "10"])
        .args(second(&lab, &lab.directory().join("pc-b/state")))
        .output()
        .expect("running nsenter");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    let holder = format!("another failover daemon (process {})", daemon.pid());
    assert!(said.contains(&holder), "{said}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_daemon_that_finds_another_one_on_its_state_directory_ends_and_its_gateway_goes_on() {
    let lab = Lab::new();
    // Not there yet.
    let [usable, target] = ["usable", "target"].map(|name| lab.directory().join(name));
    let setup = Setup::new(&lab);
    symlink(&target, lab.directory().join("pc-b/state")).unwrap();
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let words = second(&lab, &usable);
    let mut command = lab.host_b().command(&words[0]);
    let quicker = lab
        .host_b()
        .spawn(command.args(&words[1..]).stderr(Stdio::null()))
        .unwrap();
    let pid = quicker.pid().to_string();
    wait::until("the lock of the quicker one", wait::LONG, || {
        let holder = fs::read_to_string(usable.join("daemon.lock")).ok()?;
        (holder == pid).then_some(())
    });
    fs::rename(&usable, &target).unwrap();
    let line = daemon.says("that it is the second one", |line| {
        line.message() == "this daemon ends: it is the second one"
    });
    assert!(line.field("refusal").contains(&pid), "{line:?}");
    assert_eq!(daemon.exit_code(), Some(1));
    assert!(lab.host_b().listens(PORT));
    quicker.kill();
}

// --- the control socket --------------------------------------------------------------------------

#[test]
fn a_control_socket_whose_path_is_taken_is_had_once_that_is_free() {
    let lab = Lab::new();
    let place = lab.directory().join("taken.sock");
    fs::write(&place, "somebody's").unwrap();
    let mut daemon = Setup::new(&lab).control_at(&place).spawn();
    let line = daemon.said(|line| {
        line.message()
            .starts_with("cannot create the control socket")
    });
    assert!(line[0].field("remedy").contains("--control"), "{line:?}");
    daemon.becomes("active");
    assert_eq!(fs::read_to_string(&place).unwrap(), "somebody's");
    fs::remove_file(&place).unwrap();
    daemon.says("that there is one", |line| {
        line.message() == "control socket created"
    });
    assert_eq!(daemon.status().0["state"], "active");
    daemon.ends_having_run(&["start"]);
    assert!(!place.exists());
}

/// Connections that somebody holds. This process's own limit would come first.
const CONNECTIONS: usize = 10_000;
/// What the daemon may need more for them, in bytes.
const MEMORY_FOR_THEM: u64 = 4 << 20;

#[test]
fn ten_thousand_control_connections_cost_neither_memory_nor_the_takeover_nor_the_next_answer() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    assert_eq!(daemon.status().1, 0);
    let (memory, descriptors) = (daemon.memory("RssAnon"), daemon.descriptors());
    let control = daemon.control();
    let connect = |_| UnixStream::connect(control).expect("a connection");
    let mut connections: Vec<UnixStream> = (0..CONNECTIONS).map(connect).collect();
    primary.kill();
    daemon.becomes("active");
    let (memory_now, descriptors_now) = (daemon.memory("RssAnon"), daemon.descriptors());
    assert!(
        memory_now <= memory + MEMORY_FOR_THEM,
        "{memory} -> {memory_now} bytes"
    );
    assert!(
        descriptors_now <= descriptors + 40,
        "{descriptors} -> {descriptors_now} descriptors"
    );
    // All are disconnected: most at once, the rest when their time is over.
    for connection in &mut connections {
        connection.set_read_timeout(Some(wait::LONG)).unwrap();
        let mut answer = Vec::new();
        let read = connection.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{answer:?}");
        if let Err(error) = read {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }
    assert_eq!(daemon.status().0["state"], "active");
    daemon.runs_nothing_for(Duration::from_millis(100));
    daemon.ends_having_run(&["start"]);
}
