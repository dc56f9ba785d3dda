//! Valid files, and the messages for invalid ones.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::{config::Witness, fuzz};

fn read(text: &str) -> Options {
    text.parse().unwrap()
}

fn names() -> Vec<&'static str> {
    let all = Options::descriptions().into_iter();
    all.map(|one| one.name.as_str()).collect()
}

/// The line and message of the one thing that is wrong.
#[track_caller]
fn refused(text: &str) -> (usize, String) {
    let mut faults = parse(text).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn the_file_has_the_flags_names() {
    let options = read(
        "primary = \"pc-a:18789\"\nrecovery-interval = \"500ms\"\nstrikes = 2\n\
         witnesses = [\"10.0.0.3\", \"[fd00::3]:53\"]\nwitness-quorum = 2\n\
         kernel-events = \"off\"\nlog-format = \"json\"\ndry-run = true\n",
    );
    assert_eq!(options.primary.primary.unwrap().to_string(), "pc-a:18789");
    assert_eq!(
        options
            .takeover
            .recovery_interval
            .unwrap()
            .get()
            .as_millis(),
        500
    );
    assert_eq!(options.takeover.strikes.unwrap().get(), 2);
    assert_eq!(options.operation.dry_run, Some(true));
    let witnesses = options.witness.witnesses.unwrap();
    let witnesses: Vec<String> = witnesses.iter().map(ToString::to_string).collect();
    assert_eq!(witnesses, ["10.0.0.3", "[fd00::3]:53"]);
    assert_eq!(read("witnesses = []").witness.witnesses, Some(Vec::new()));
    let mixed = read("witnesses = [\"router\", \"9.9.9.9:53\"]");
    assert_eq!(
        mixed.witness.witnesses.unwrap().first(),
        Some(&Witness::Router)
    );
}

#[test]
fn every_flag_is_a_key() {
    for key in names() {
        let (_, message) = refused(&format!("{key} = [[]]\n"));
        assert!(message.starts_with(key), "{key}: {message}");
    }
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_the_nearest_right_one() {
    let (line, message) = refused("strikes = 3\n\nintervall = \"30s\"\n");
    assert_eq!(line, 3);
    assert_eq!(message, "unknown key `intervall`; did you mean `interval`?");
    let (_, message) = refused("config = \"x\"\n");
    assert!(message.contains("unknown key `config`"), "{message}");
}

#[test]
fn what_a_message_quotes_cannot_draw_on_the_terminal() {
    for text in ["\"a\\u001B\\nb\" = 1\n", "primary = \"\\u001B[2J\\n\"\n"] {
        let (_, message) = refused(text);
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn a_wrong_value_is_refused_with_its_line() {
    let (line, message) = refused("strikes = 3\ninterval = \"soon\"\n");
    assert_eq!(line, 2);
    assert!(message.contains("`soon` is not a duration"), "{message}");
    assert_eq!(refused("strikes = 0\n").0, 1);
    assert_eq!(refused("strikes = 3\nport = = 1\n").0, 2);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let faults = parse("intervall = \"1s\"\nstrikes = \"3\"\nprimary = \"10.0.0.1\"\nport = 0\n");
    let lines: Vec<usize> = faults.unwrap_err().iter().map(|fault| fault.0).collect();
    assert_eq!(lines, [1, 2, 4]);
    // Also beside what isn't TOML.
    let faults = parse("port = = 1\nstrikes = \"3\"\n").unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
}

#[test]
fn a_refusal_says_what_to_write() {
    for (text, shown) in [
        (
            "interval = 2",
            "interval is 2; write a text in quotes with a unit, as interval = \"2s\"",
        ),
        (
            "port = 99999",
            "port: `99999` is wrong; write a number from 1 to 65535",
        ),
        (
            "strikes = 99999999999999999999",
            "strikes: `99999999999999999999` is wrong; write a smaller number",
        ),
        (
            "strikes = \"3\"",
            "strikes is \"3\"; write a number without quotes, as strikes = 3",
        ),
        (
            "strikes = 2.5",
            "strikes is 2.5; write a whole number without quotes, as strikes = 3",
        ),
        (
            "witnesses = \"1.2.3.4\"",
            "witnesses is \"1.2.3.4\"; write a list, as witnesses = [\"1.2.3.4\"]",
        ),
        (
            "metrics = \"localhost:9179\"",
            "metrics: `localhost:9179` is wrong; write an address and a port, like \
             127.0.0.1:9179 or [::1]:9179",
        ),
        (
            "dry-run = \"yes\"",
            "dry-run is \"yes\"; write true or false, without quotes",
        ),
        (
            "check = \"htp\"",
            "check: `htp` is not a choice; write one of: tcp, openclaw, http",
        ),
        (
            "user = 1000",
            "user is 1000; write a text in quotes, as user = \"alice\"",
        ),
        (
            "flap-quiet = \"7 moons\"",
            "flap-quiet: `7 moons` is not a duration; write one like 500ms, 30s, 2m, 1h 30m or 7d",
        ),
    ] {
        assert_eq!(refused(text), (1, shown.to_owned()));
    }
    let (line, shown) = refused("port = 1\nprimary = 10.77.0.1\n");
    let ending = "write it as primary = \"192.168.1.10:18789\"";
    assert!(line == 2 && shown.ends_with(ending), "{line}: {shown}");
    let (line, shown) = refused("port = 1\nport = 2\n");
    assert_eq!(
        (line, &*shown),
        (2, "`port` is set twice; remove one of them")
    );
}

#[test]
fn a_pipe_that_nobody_writes_into_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let shown = || {
        let (written, faults) = super::read(&path, Author::Trusted);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        (
            written.map(|written| written.options.takeover.strikes),
            faults,
        )
    };
    // A broken one would wait for ever.
    let (sender, answer) = std::sync::mpsc::channel();
    let asked = path.clone();
    std::thread::spawn(move || {
        let (written, faults) = super::read(&asked, Author::Trusted);
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let _ = sender.send((written.map(|written| written.options), faults));
    });
    let answer = answer.recv_timeout(std::time::Duration::from_secs(30));
    let (written, faults) = answer.expect("it is read at once");
    assert_eq!(written, None);
    assert!(faults[0].contains("nobody writes into it"), "{faults:?}");
    // As a shell's <(...) has it.
    let writer = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path);
    let mut writer = writer.unwrap();
    std::io::Write::write_all(&mut writer, b"strikes = 4\n").unwrap();
    let ends = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(50));
        drop(writer);
    });
    let (written, faults) = shown();
    ends.join().unwrap();
    let strikes = written.flatten().map(std::num::NonZeroU32::get);
    assert_eq!((strikes, faults), (Some(4), Vec::new()));
}

#[test]
fn what_is_asked_of_a_broken_file_is_reported_all_the_same() {
    let text = "control = \"/run/other.sock\"\nport = = 1\nbogus = 1\nstate-dir = 3\n";
    let control = Some("/run/other.sock".to_owned());
    assert_eq!(texts(text, ["control", "state-dir"]), [control, None]);
}

/// What every key may be set to, right and wrong.
fn line() -> impl Strategy<Value = String> {
    let key = prop_oneof![select(names()).prop_map(str::to_owned), "[a-z-]{1,9}"];
    let value = prop_oneof![
        "[0-9]{1,12}",
        "(true|false|nan|\\[\\]|\\{\\}|[0-9]{4}-01-01)",
        "\"[0-9]{1,9}(ns|ms|s|m|h|d)\"",
        "\"[\\PC]{0,12}\"",
    ];
    (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_file_breaks_it(text in "[\\PC\n]{0,200}") {
        fuzz::configuration(text.as_bytes());
    }

    #[test]
    fn no_value_breaks_it(lines in vec(line(), 0..4)) {
        fuzz::configuration(format!("primary = \"a\"\n{}", lines.concat()).as_bytes());
    }
}
