//! `failover history`: what it shows of an incident, and what happens where that can't be stored.

use std::{fs, path::PathBuf};

use failover_tests::{
    daemon::Setup,
    lab::{Lab, failover_binary},
    wait,
};
use rustix::process::Signal;
use serde_json::Value;

fn state_dir(lab: &Lab) -> PathBuf {
    lab.directory().join("pc-b").join("state")
}

/// Standard output and standard error of `failover history`.
fn history(lab: &Lab, arguments: &[&str]) -> (String, String) {
    let mut command = lab.host_b().command(failover_binary());
    command
        .args(["history", "--state-dir"])
        .arg(state_dir(lab))
        .args(arguments);
    let output = command.output().expect("running failover history");
    assert!(output.status.success(), "{output:?}");
    let text = |bytes| String::from_utf8(bytes).expect("text in UTF-8");
    (text(output.stdout), text(output.stderr))
}

fn incidents(lab: &Lab) -> Vec<Value> {
    let (lines, _) = history(lab, &["--output", "json"]);
    let lines = lines.lines();
    lines
        .map(|line| serde_json::from_str::<Value>(line).expect("one object a line"))
        .filter(|line| line["kind"] == "incident")
        .collect()
}

fn names<'a>(incident: &'a Value, list: &str, name: &str) -> Vec<&'a str> {
    let list = incident[list].as_array().expect("a list");
    list.iter()
        .map(|entry| entry[name].as_str().expect("a text"))
        .collect()
}

#[test]
fn a_takeover_and_its_release_are_reported_as_one_incident() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    let _primary = daemon.takes_over_and_releases(&lab, primary);
    // The stop command may outlive what it stops: then the incident is shown once more.
    let shown = wait::until("the incident and its commands are over", wait::LONG, || {
        let shown = incidents(&lab);
        let incident = shown.first()?;
        let mut commands = incident["commands"].as_array()?.iter();
        let is_over = !incident["ended"].is_null() && commands.all(|one| !one["result"].is_null());
        is_over.then_some(shown)
    });
    let [incident] = &shown[..] else {
        panic!("{shown:#?}");
    };
    assert_eq!(
        names(incident, "phases", "state"),
        ["suspect", "starting", "active", "stopping"]
    );
    assert_eq!(names(incident, "commands", "command"), ["start", "stop"]);
    assert_eq!(
        names(incident, "commands", "result"),
        ["succeeded", "succeeded"]
    );
    let strikes = incident["probes"].as_array().unwrap().iter();
    let strikes = strikes.filter(|probe| probe["strike"] == true);
    assert_eq!(strikes.count(), 3, "{incident:#}");
    assert_eq!(names(incident, "probes", "layer")[0], "connect");
    assert_eq!(incident["ended"]["how"], "released");
    // Three strikes, 400 ms apart.
    let suspect = incident["phases"][0]["took_ms"].as_u64().unwrap();
    assert!(suspect >= 700, "{incident:#}");
    assert!(
        incident["no_gateway_ms"].as_u64() > Some(suspect),
        "{incident:#}"
    );
    assert!(
        incident["dual_active_ms"].as_u64() > Some(0),
        "{incident:#}"
    );
    // What the kernel or the tripwire saw of the primary's death.
    let seen = names(incident, "events", "what").join(", ");
    assert!(seen.contains("connection"), "{incident:#}");

    let (text, _) = history(&lab, &[]);
    assert!(text.contains("TAKEOVER, released"), "{text}");
    assert!(text.contains("no gateway"), "{text}");
    assert_eq!(history(&lab, &["--since", "1h"]).0, text);
    let (text, _) = history(&lab, &["--since", "2999-01-01"]);
    assert!(text.starts_with("no incident since 2999"), "{text}");
    daemon.ends_having_run(&["start", "stop"]);
}

#[test]
fn an_incident_is_reported_in_parts_where_the_daemon_ended_or_was_killed_in_it() {
    let lab = Lab::new();
    let setup = Setup::new(&lab);
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = setup.clone().spawn();
    daemon.probes("connected");
    primary.kill();
    daemon.becomes("active");
    wait::until("the takeover is shown", wait::LONG, || {
        let shown = incidents(&lab);
        let states = shown.first().map(|one| names(one, "phases", "state"))?;
        states.contains(&"active").then_some(())
    });
    let (text, _) = history(&lab, &[]);
    assert!(text.contains("TAKEOVER, ongoing"), "{text}");
    // Computed as it is read: "active 0ms" would stand there for as long as it serves.
    let active = || {
        let (text, _) = history(&lab, &[]);
        let row = text.lines().find(|line| line.contains(" active "));
        row.unwrap().split_whitespace().nth(2).unwrap().to_owned()
    };
    let before = active();
    wait::until("it has lasted longer", wait::LONG, || {
        (active() != before).then_some(())
    });
    daemon.signal(Signal::KILL);
    drop(daemon);
    // Half of a line, as a crash leaves it.
    let file = state_dir(&lab).join("history.jsonl");
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_slice(br#"{"kind":"incident","ver"#);
    fs::write(&file, bytes).unwrap();

    let mut daemon = setup.clone().spawn();
    daemon.becomes("active");
    daemon.terminate();
    let mut daemon = setup.spawn();
    daemon.becomes("active");
    let _primary = lab.host_a().gateway().unwrap();
    daemon.becomes("standby");
    daemon.terminate();
    let shown = incidents(&lab);
    let hows: Vec<&str> = shown
        .iter()
        .map(|one| one["ended"]["how"].as_str().unwrap_or("open"))
        .collect();
    assert_eq!(
        hows[..3],
        ["daemon-killed", "daemon-ended", "released"],
        "{shown:#?}"
    );
    let (_, errors) = history(&lab, &[]);
    assert!(errors.contains("1 lines"), "{errors}");
}

#[test]
fn orders_are_reported_with_who_gave_them_and_why_also_where_nothing_else_happened() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    daemon.probes("connected");
    daemon.follows(&["pause", "--for", "2h", "--reason", "moving house"]);
    daemon.follows(&["resume"]);
    let text = wait::until("both are written", wait::LONG, || {
        let (text, _) = history(&lab, &[]);
        text.contains("resume").then_some(text)
    });
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].contains("root ordered: pause, until "), "{text}");
    assert!(lines[0].ends_with(": moving house"), "{text}");
    assert!(lines[1].ends_with("root ordered: resume"), "{text}");
    let (json, _) = history(&lab, &["--output", "json"]);
    let pause: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(pause["kind"], "order");
    assert_eq!(pause["by"], "root");
    daemon.ends_having_run(&[]);
}
