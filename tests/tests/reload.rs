//! Reloads of the configuration: applied as a whole or not at all, and without losing observations or running
//! commands.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    time::Duration,
};

use failover_tests::{
    commands::Command,
    daemon::{Daemon, Setup},
    lab::Lab,
    lines::Line,
    wait,
};

const IN_FORCE: &str = "another configuration is in force";
const REFUSED: &str = "the new configuration is refused; the old one stays in force";

fn accepted(daemon: &mut Daemon) -> Line {
    daemon.says(IN_FORCE, |line| line.message() == IN_FORCE)
}

/// It may be that already: nothing holds it up while it gets other files.
fn await_active(daemon: &Daemon) {
    wait::until("it is active", wait::LONG, || {
        daemon.states().contains(&"active".to_owned()).then_some(())
    });
}

fn refused(daemon: &mut Daemon) -> String {
    let line = daemon.says(REFUSED, |line| line.message() == REFUSED);
    line.field("error").to_owned()
}

#[test]
fn strikes_survive_a_reload_and_go_on_to_count() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .interval(Duration::from_secs(3))
        .in_file()
        .spawn();
    daemon.counts(2);
    daemon.reload(&[("strikes", "4")]);
    accepted(&mut daemon);
    let (status, _) = daemon.status();
    assert_eq!(status["state"], "suspect", "{status}");
    assert_eq!(status["strikes_needed"], 4, "{status}");
    assert!(status["strikes"].as_array().unwrap().len() >= 2, "{status}");
    // At the old pace the third and the fourth would take 3 s more each.
    daemon.reload(&[("strikes", "4"), ("confirm-interval", "\"200ms\"")]);
    let reloaded = accepted(&mut daemon).at;
    let took = daemon.becomes("starting").at.since(reloaded);
    assert!(took < Duration::from_secs(2), "{took:?}");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_gateway_that_serves_and_the_next_command_are_what_the_new_file_says() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).in_file().spawn();
    daemon.becomes("active");
    let gateway = daemon.commands().gateway();
    let flag = lab.directory().join("stopped-again");
    let stop = daemon.commands().line(Command::Stop);
    let stop = format!("sh -c 'touch {} && {stop}'", flag.display());
    daemon.reload(&[("stop", &format!("{stop:?}"))]);
    accepted(&mut daemon);
    assert_eq!(daemon.commands().gateway(), gateway);
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    assert!(flag.exists());
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn a_start_in_flight_survives_a_reload() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .starts(&["held"])
        .start_timeout(wait::LONG)
        .in_file()
        .spawn();
    daemon.begins(1, Command::Start);
    daemon.reload(&[("interval", "\"1s\"")]);
    accepted(&mut daemon);
    daemon.commands().unblock();
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_pause_survives_a_reload() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).in_file().spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--reason", "moving house"]);
    let paused = daemon.status().0["paused"].clone();
    daemon.reload(&[("strikes", "2")]);
    accepted(&mut daemon);
    assert_eq!(daemon.status().0["paused"], paused);
    assert_eq!(paused["reason"], "moving house");
    primary.kill();
    daemon.becomes("paused");
    daemon.runs_nothing_for(Duration::from_secs(1));
    daemon.follows(&["resume"]);
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_bad_file_is_refused_and_the_old_one_stays_in_force() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).in_file().spawn();
    daemon.reload(&[("interval", "\"soon\"")]);
    let error = refused(&mut daemon);
    assert!(error.contains("failover.toml:4: interval"), "{error}");
    daemon.reload(&[("timeout", "\"1h\"")]);
    let error = refused(&mut daemon);
    assert!(error.contains("shorten timeout"), "{error}");
    // What runs as root isn't everybody's to say.
    let file = lab.directory().join("pc-b/failover.toml");
    fs::set_permissions(&file, Permissions::from_mode(0o646)).unwrap();
    daemon.reload(&[("strikes", "7")]);
    let error = refused(&mut daemon);
    assert!(error.contains("chmod go-w"), "{error}");
    await_active(&daemon);
    let (status, _) = daemon.status();
    assert_eq!(status["strikes_needed"], 3, "{status}");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_refused_file_is_warned_of_until_one_is_accepted() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).in_file().spawn();
    daemon.probes("connected");
    let (before, _) = daemon.status();
    assert_eq!(
        before["warnings"].as_array().unwrap().len(),
        0,
        "{before:#}"
    );
    daemon.reload(&[("interval", "\"soon\"")]);
    refused(&mut daemon);
    let (status, code) = daemon.status();
    assert_eq!(code, 0, "{status:#}");
    let warning = status["warnings"][0].as_str().unwrap();
    for part in [
        "was rejected",
        "failover.toml:4: interval",
        "systemctl reload",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
    let (old, new) = (&before["configuration"], &status["configuration"]);
    assert_eq!(old["since"], new["since"]);
    assert!(
        new["refused"]["at"].as_str() > new["since"].as_str(),
        "{new}"
    );
    daemon.reload(&[]);
    accepted(&mut daemon);
    let (status, _) = daemon.status();
    assert_eq!(
        status["warnings"].as_array().unwrap().len(),
        0,
        "{status:#}"
    );
    assert!(status["configuration"]["since"].as_str() > old["since"].as_str());
    assert!(status["configuration"]["refused"].is_null(), "{status:#}");
    daemon.ends_having_run(&[]);
}

#[test]
fn what_cannot_change_while_it_runs_is_named_and_nothing_changes() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab).in_file().spawn();
    daemon.reload(&[
        ("port", "18790"),
        ("kernel-events", "\"off\""),
        ("state-dir", "\"/nowhere\""),
        ("control", "\"/nowhere/control.sock\""),
        ("strikes", "50"),
    ]);
    let error = refused(&mut daemon);
    for part in [
        "port, state-dir, control, kernel-events",
        "systemctl restart",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let (status, _) = daemon.status();
    assert_eq!(status["strikes_needed"], 3, "{status}");
    await_active(&daemon);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn another_primary_is_watched_and_the_old_ones_strikes_are_forgotten() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let elsewhere = "10.0.0.99:18789";
    let mut daemon = Setup::new(&lab)
        .primary(elsewhere)
        .interval(Duration::from_secs(2))
        .timeout(Duration::from_millis(500))
        .in_file()
        .spawn();
    daemon.counts(1);
    let primary = format!("{:?}", lab.host_a().gateway_address().to_string());
    daemon.reload(&[("primary", &primary)]);
    accepted(&mut daemon);
    daemon.probes("connected");
    let (status, code) = daemon.status();
    assert_eq!((code, &status["state"]), (0, &"standby".into()), "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn what_was_seen_healthy_does_not_arm_another_question() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).armed_by_a_success().in_file().spawn();
    daemon.says("armed by a success", |line| {
        line.message().starts_with("the primary was seen healthy")
    });
    // Asked for this it is always wrong, however well it is.
    daemon.reload(&[
        ("check", "\"http\""),
        ("check-path", "\"/healthz\""),
        ("check-status", "204"),
    ]);
    accepted(&mut daemon);
    daemon.becomes("unarmed");
    daemon.runs_nothing_for(Duration::from_secs(1));
    // Asked as before it is known to have been well, and it didn't fail.
    daemon.reload(&[]);
    accepted(&mut daemon);
    daemon.probes("connected");
    let (status, _) = daemon.status();
    assert_eq!(status["armed"], true, "{status}");
    assert_eq!(status["state"], "standby", "{status}");
    daemon.ends_having_run(&[]);
}

#[test]
fn another_check_of_the_local_gateway_says_nothing_of_the_primary() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).armed_by_a_success().in_file().spawn();
    daemon.says("armed by a success", |line| {
        line.message().starts_with("the primary was seen healthy")
    });
    daemon.reload(&[
        ("local-check", "\"http\""),
        ("local-check-path", "\"/healthz\""),
    ]);
    accepted(&mut daemon);
    let (status, _) = daemon.status();
    assert_eq!(status["armed"], true, "{status}");
    assert_eq!(status["local_check"], "http", "{status}");
    primary.kill();
    daemon.becomes("active");
    daemon.says("a good check", |line| {
        line.message() == "the local gateway was checked"
    });
    daemon.ends_having_run(&["start"]);
}

#[test]
fn other_witnesses_are_the_ones_that_are_asked() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab)
        .argument("--veto-limit=0")
        .in_file()
        .spawn();
    daemon.probes("connected");
    daemon.reload(&[("witnesses", "[\"10.0.0.99\"]")]);
    accepted(&mut daemon);
    primary.kill();
    daemon.becomes("isolated");
    daemon.reload(&[]);
    accepted(&mut daemon);
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn a_secret_of_a_file_is_said_nowhere_whether_it_is_accepted_or_refused() {
    const SECRET: &str = "Zq7secretZq7";
    let lab = Lab::new();
    let start = format!("sh -c 'exit 1' {SECRET}");
    let mut daemon = Setup::new(&lab)
        .command_lines(&start, "true")
        .in_file()
        .spawn();
    daemon.becomes("starting");
    for webhook in [
        "\"http://10.0.0.99:81/hooks/SECRET\"",
        "\"https//10.0.0.99/hooks/SECRET\"",
        "\"https://bot:SECRET@10.0.0.99/hook\"",
        "[\"http://10.0.0.99/SECRET\"]",
        "http://10.0.0.99/SECRET",
    ] {
        let ended = |daemon: &Daemon| {
            let ends = [IN_FORCE, REFUSED];
            daemon.said(|line| ends.contains(&line.message())).len()
        };
        let before = ended(&daemon);
        daemon.reload(&[("webhook", &webhook.replace("SECRET", SECRET))]);
        wait::until("it is read", wait::LONG, || {
            (ended(&daemon) > before).then_some(())
        });
        daemon.follows(&["pause"]);
        daemon.follows(&["resume"]);
        for words in [&["status"][..], &["status", "--output=json"]] {
            let said = daemon.order(words).stdout;
            let said = String::from_utf8_lossy(&said);
            assert!(
                said.contains("10.0.0.1") && !said.contains(SECRET),
                "{said}"
            );
        }
    }
    for line in daemon.said(|_| true) {
        assert!(!line.text.contains(SECRET), "{}", line.text);
    }
    let started = daemon.said(|line| line.field("line").ends_with("/sh …"));
    assert!(!started.is_empty());
    daemon.terminate();
}
