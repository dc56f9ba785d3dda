//! `failover status`: what it reports, and that clients can't disturb the daemon.

use std::{
    fs::{self, Permissions},
    io::{Read as _, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, chown},
        net::UnixStream,
    },
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use failover_tests::{
    daemon::{Daemon, Setup},
    lab::{Lab, failover_binary},
    package_file::with_package_file,
    wait,
};

#[test]
fn a_healthy_primary_is_reported_as_standby_and_safe() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status}");
    assert_eq!(status["version"], 1);
    assert_eq!(status["state"], "standby");
    assert_eq!(status["pid"], daemon.pid());
    assert_eq!(status["kernel_events"]["source"], "kernel");
    assert_eq!(status["gateway"]["listening"], false);
    let outcome = status["last_probe"]["outcome"].as_str().unwrap();
    assert!(outcome.starts_with("connected"), "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn times_that_do_not_change_are_reported_alike_each_time_to_the_millisecond() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--for", "1h"]);
    let (first, _) = daemon.status();
    for path in ["/since", "/paused/since", "/paused/until", "/heartbeat"] {
        let time = first.pointer(path).unwrap().as_str().unwrap();
        assert_eq!(
            time.len(),
            "2026-01-01T00:00:00.000Z".len(),
            "{path}: {time}"
        );
    }
    for _ in 0..20 {
        let (status, _) = daemon.status();
        assert_eq!(status["since"], first["since"]);
        for note in status["recent"].as_array().unwrap() {
            // As texts they are in the order of time.
            let (since, at) = (note["since"].as_str(), note["at"].as_str());
            assert!(since <= at, "{note}");
        }
        assert_eq!(status["recent"][0]["since"], first["recent"][0]["since"]);
    }
    daemon.ends_having_run(&[]);
}

#[test]
fn a_takeover_is_reported_with_its_strikes_its_reason_and_who_serves() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status}");
    assert_eq!(status["state"], "active");
    assert_eq!(status["strikes"].as_array().unwrap().len(), 3);
    assert_eq!(status["gateway"]["listening"], true);
    let gateway = daemon.commands().gateway().unwrap();
    let held_by = status["gateway"]["held_by"].as_str().unwrap();
    assert!(held_by.contains(&format!("pid {gateway}, ")), "{status}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn who_serves_alone_is_degraded_and_two_who_serve_are_unsafe_with_both_names_and_since_when() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status}");
    assert_eq!(status["protection"], "degraded", "{status}");
    let screen = daemon.order(&["status"]);
    let screen = String::from_utf8_lossy(&screen.stdout);
    let headline = "ACTIVE (degraded: PC-B serves without a standby)";
    assert!(screen.starts_with(headline), "{screen}");
    // The pause keeps the local gateway from being stopped.
    daemon.follows(&["pause"]);
    let _primary = lab.host_a().gateway().unwrap();
    daemon.says("that two serve", |line| {
        line.message() == "two gateways serve"
    });
    let (status, code) = daemon.status();
    assert_eq!(
        (code, &status["protection"]),
        (1, &"unsafe".into()),
        "{status}"
    );
    let since = status["dual_active_since"].as_str().unwrap();
    let problem = status["problems"][0].as_str().unwrap();
    let gateway = daemon.commands().gateway().unwrap();
    for part in [
        "two gateways serve since ",
        since.split('.').next().unwrap(),
        &lab.host_a().gateway_address().to_string(),
        &format!("pid {gateway}, "),
        "failover resume",
    ] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
    daemon.follows(&["resume"]);
    daemon.becomes("standby");
    let (status, code) = daemon.status();
    assert_eq!(
        (code, &status["protection"]),
        (0, &"safe".into()),
        "{status}"
    );
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn two_who_serve_while_a_flapping_primary_is_waited_for_are_unsafe_all_along() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let primary = daemon.takes_over_and_releases(&lab, primary);
    // Soon after it was back: the next release takes three answers, three seconds apart.
    primary.kill();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.says("that two serve", |line| {
        line.message() == "two gateways serve"
    });
    let (status, code) = daemon.status();
    assert_eq!((code, &status["state"]), (1, &"active".into()), "{status}");
    let problem = status["problems"].to_string();
    assert!(problem.contains("the primary is flapping"), "{problem}");
    daemon.becomes("standby");
    daemon.ends_having_run(&["start", "stop", "start", "stop"]);
}

#[test]
fn connections_to_the_local_gateway_are_no_listeners_that_end() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.becomes("active");
    for _ in 0..5 {
        lab.host_a()
            .connect(lab.host_b().gateway_address())
            .unwrap();
    }
    let notes = |daemon: &Daemon| {
        let (status, _) = daemon.status();
        let notes = status["recent"].as_array().unwrap().clone();
        let texts = notes.iter().map(|note| note["text"].to_string());
        texts.collect::<Vec<_>>()
    };
    let entries = notes(&daemon);
    let ends = |entries: &[String]| {
        entries
            .iter()
            .any(|text| text.contains("listens no longer"))
    };
    assert!(
        entries.iter().any(|text| text.contains(" listens on ")),
        "{entries:#?}"
    );
    assert!(!ends(&entries), "{entries:#?}");
    // One that really ends is shown.
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    wait::until("its end is shown", wait::LONG, || {
        ends(&notes(&daemon)).then_some(())
    });
    // And a stop is no failure of the gateway's.
    let failures = daemon.said(|line| line.message().contains("doesn't answer as it should"));
    assert!(failures.is_empty(), "{failures:#?}");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_watcher_that_is_cut_off_says_that_it_protects_nobody() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).argument("--witnesses=10.0.0.99").spawn();
    daemon.becomes("isolated");
    let (status, code) = daemon.status();
    assert_eq!(code, 1, "{status}");
    assert_eq!(status["state"], "isolated");
    assert_eq!(status["witnesses"]["answered"], 0);
    assert_eq!(status["witnesses"]["names"][0], "10.0.0.99");
    let said = status["witnesses"]["answers"][0]["said"].as_str().unwrap();
    assert!(said.starts_with("10.0.0.99: no answer"), "{status}");
    let name = rustix::system::uname();
    assert_eq!(status["host"], name.nodename().to_str().unwrap());
    let problem = status["problems"][0].as_str().unwrap();
    assert!(problem.contains("no witness answers"), "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn without_kernel_events_the_status_says_so_and_why() {
    let lab = Lab::new();
    let daemon = Setup::new(&lab)
        .without_capabilities(&["bpf", "perfmon", "sys_admin"])
        .spawn();
    let (status, _) = daemon.status();
    assert_eq!(status["kernel_events"]["source"], "polling");
    let reason = status["kernel_events"]["reason"].as_str().unwrap();
    assert!(reason.contains("CAP_BPF"), "{status}");
}

#[test]
fn on_a_terminal_the_watched_status_stays_in_place_with_what_happened_below_and_leaves_no_trace() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let watch = format!(
        "timeout --foreground --signal=INT 5 {} status --watch --control {}",
        failover_binary().display(),
        daemon.control().display()
    );
    let output = Command::new("script")
        .args(["--quiet", "--flush", "--command", &watch, "/dev/null"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let screens = shown.matches("\x1b[HSTANDBY (safe)").count();
    assert!(screens >= 2, "{screens}: {shown}");
    assert!(shown.contains("recent events"), "{shown}");
    assert!(shown.contains("probe   the primary answered"), "{shown}");
    assert!(shown.starts_with("\x1b[?1049h\x1b[?25l"), "{shown:?}");
    assert!(shown.ends_with("\x1b[?25h\x1b[?1049l"), "{shown:?}");
    daemon.ends_having_run(&[]);
}

#[test]
fn without_a_daemon_the_exit_code_is_three_and_the_message_says_where() {
    let lab = Lab::new();
    let path = lab.directory().join("nobody.sock");
    let output = Command::new(failover_binary())
        .args(["status", "--control"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains(path.to_str().unwrap()), "{message}");
}

#[test]
fn the_daemon_is_found_where_its_file_says_also_where_the_file_is_refused() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let state = lab.directory().join("pc-b/state");
    let text = format!(
        "control = {:?}\nstate-dir = {state:?}\nbogus = 1\nport = = 1\n",
        daemon.control()
    );
    let file = lab.directory().join("broken.toml");
    fs::write(&file, &text).unwrap();
    let succeeds = |mut command: Command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for words in [&["status"][..], &["pause"], &["resume"], &["history"]] {
        let mut named = Command::new(failover_binary());
        named.args(words).arg("--config").arg(&file);
        succeeds(named);
        let mut package = with_package_file(&lab, &text);
        package.args(words);
        succeeds(package);
    }
    let mut elsewhere = with_package_file(&lab, &text);
    elsewhere.args(["status", "--control=/nowhere/control.sock"]);
    assert_eq!(elsewhere.output().unwrap().status.code(), Some(3));
    daemon.ends_having_run(&[]);
}

#[test]
fn a_client_without_access_gets_the_remedy_and_no_state() {
    const NOBODY: &str = "65534";
    /// Of everybody's system, and without a member that matters here.
    const GROUP: (&str, u32) = ("daemon", 1);
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    for path in daemon.control().ancestors().skip(1).take(2) {
        fs::set_permissions(path, Permissions::from_mode(0o711)).unwrap();
    }
    let ask = || {
        // The binary is opened before the rights are dropped, for it may be where only root gets to.
        let script = r#"exec 3<"$0" && exec setpriv --reuid "$1" --regid "$1" --clear-groups /proc/self/fd/3 status --control "$2""#;
        let output = Command::new("sh")
            .args(["-c", script])
            .arg(failover_binary())
            .arg(NOBODY)
            .arg(daemon.control())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (code, text) = ask();
    assert_eq!(code, Some(4), "{text}");
    assert!(
        text.contains("permission denied") && text.trim_end().ends_with("run this as root"),
        "{text}"
    );
    chown(daemon.control(), None, Some(GROUP.1)).unwrap();
    let (code, text) = ask();
    let remedy = format!("usermod --append --groups {} ", GROUP.0);
    assert!(code == Some(4) && text.contains(&remedy), "{text}");
    daemon.ends_having_run(&[]);
}

#[test]
fn a_second_daemon_is_refused_and_the_message_names_the_first() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    let own = |name: &str| lab.directory().join("pc-b").join(name);
    let second = |control: &Path, state_dir: &Path| {
        let mut command = lab.host_b().command(failover_binary());
        command
            .args(["run", "--config=/dev/null", "--gateway=command"])
            .arg("--primary=10.0.0.1")
            .args(["--start=true", "--stop=true", "--control"])
            .arg(control)
            .arg("--state-dir")
            .arg(state_dir);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut second = lab.host_b().spawn(&mut command).unwrap();
        let end = wait::until("the second one ends", wait::LONG, || second.ended());
        assert_eq!(end.code(), Some(1));
        let mut text = String::new();
        let errors = second.child().stderr.as_mut().unwrap();
        errors.read_to_string(&mut text).unwrap();
        text
    };
    let first = format!("process {}", daemon.pid());
    // By either of what only one can have.
    let text = second(daemon.control(), &own("another"));
    assert!(text.contains(&first), "{text}");
    assert!(text.contains("another --control"), "{text}");
    let text = second(&own("another.sock"), &own("state"));
    assert!(text.contains(&first), "{text}");
    assert!(text.contains("another --state-dir"), "{text}");
    daemon.probes("connected");
    assert_eq!(daemon.status().1, 0);
}

#[test]
fn the_socket_of_a_daemon_that_was_killed_is_taken_over_and_removed_at_the_end() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let daemon = Setup::new(&lab).spawn();
    let mut daemon = daemon.killed_and_restarted();
    let (status, _) = daemon.status();
    assert_eq!(status["pid"], daemon.pid());
    let control = daemon.control().to_owned();
    daemon.terminate();
    assert!(!control.exists());
}

#[test]
fn silent_endless_and_nonsensical_clients_disturb_nobody() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let control = daemon.control().to_owned();
    let connect = || UnixStream::connect(&control);
    for nonsense in [
        &b"\n"[..],
        b"{}\n",
        b"{\"request\":\"reboot\"}\n",
        &[0xff; 100_000],
    ] {
        let mut client = connect().unwrap();
        // The connection may be closed before all of it is sent.
        let _ = client.write_all(nonsense);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.contains("error"), "{answer}");
    }
    // Far more than there are places.
    let silent: Vec<_> = (0..100).filter_map(|_| connect().ok()).collect();
    primary.kill();
    daemon.becomes("active");
    drop(silent);
    wait::until("an answer", wait::LONG, || {
        let output = Command::new(failover_binary())
            .args(["status", "--control"])
            .arg(daemon.control())
            .output()
            .ok()?;
        output.status.success().then_some(())
    });
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_daemon_that_has_no_place_for_its_socket_does_its_work_all_the_same() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .control_at("/proc/nowhere/control.sock")
        .spawn();
    daemon.becomes("active");
    daemon.runs_nothing_for(Duration::from_millis(200));
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_prompt_gets_one_short_line_with_and_without_a_daemon() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let short = |daemon: &Daemon| {
        let output = daemon.order(&["status", "--short"]);
        let text = String::from_utf8(output.stdout).unwrap();
        (text, output.status.code(), output.stderr)
    };
    assert_eq!(
        short(&daemon),
        ("standby (safe)\n".to_owned(), Some(0), Vec::new())
    );
    daemon.follows(&["pause"]);
    let paused = "standby, PAUSED (NOT SAFE, 1 problem)\n".to_owned();
    assert_eq!(short(&daemon), (paused, Some(1), Vec::new()));
    let elsewhere = lab.directory().join("no-socket");
    let mut nobody = Command::new(failover_binary());
    nobody
        .args(["status", "--short", "--control"])
        .arg(elsewhere);
    let output = nobody.output().unwrap();
    assert_eq!(output.stdout, b"not running\n");
    assert_eq!((output.status.code(), output.stderr.len()), (Some(3), 0));
}
