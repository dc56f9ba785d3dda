//! Units whose start can't work, and some whose can.

use std::fs;

use super::*;
use crate::preflight::startable::unit_file;

fn messages(scope: Scope, text: &str) -> Vec<String> {
    let root = Account::known("root").unwrap();
    let unit = unit_file::for_tests(text);
    let found = defects(&unit, "bot.service", scope, &root);
    found.into_iter().map(|defect| defect.message).collect()
}

#[track_caller]
fn assert_wrong(text: &str, part: &str) {
    let found = messages(Scope::System, text);
    assert!(
        found.iter().any(|one| one.contains(part)),
        "{part}: {found:?}"
    );
}

#[test]
fn a_unit_in_order_has_no_defect() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("index.js");
    fs::write(&script, "").unwrap();
    let script = script.display();
    for text in [
        format!("[Service]\nExecStart=/bin/sh {script} gateway\n"),
        format!("[Service]\nExecStart=@/bin/sh name {script}\n"),
        format!("[Service]\nType=oneshot\nExecStart=/bin/true\nExecStart=sh {script}\n"),
        "[Service]\nExecStart=/bin/sh ${SCRIPT}/x\nExecStartPre=-/no/such\n".to_owned(),
        "[Service]\nExecStart=/no/such\nExecStart=\nExecStart=/bin/true\n".to_owned(),
        "[Service]\nExecStart=%b/x\nWorkingDirectory=-/no/such\nEnvironmentFile=-/no/such\n"
            .to_owned(),
        "[Service]\nExecStart=/no/such\nRootDirectory=/srv\n".to_owned(),
        "[Unit]\nConditionPathExists=!/no/such\n[Service]\nExecStart=/bin/true\nUser=nobody\n"
            .to_owned(),
    ] {
        assert_eq!(messages(Scope::System, &text), [""; 0], "{text}");
        assert_eq!(messages(Scope::User, &text), [""; 0], "{text}");
    }
}

#[test]
fn whatever_is_missing_is_named_with_the_setting() {
    for (settings, part) in [
        ("", "no ExecStart="),
        (
            "ExecStart=/no/such/node /x",
            "ExecStart: `/no/such/node` cannot be run: `/no` doesn't exist",
        ),
        (
            "ExecStart=/bin/sh /no/such.js",
            "`/no/such.js`, which sh runs, does not exist",
        ),
        ("ExecStart=-/no/such", "ExecStart: `/no/such`"),
        ("ExecStart=bin/sh", "neither a full path nor a name"),
        ("ExecStart=no-such-program", "no program `no-such-program`"),
        (
            "ExecStart=/bin/true\nExecStart=/bin/true",
            "more than one ExecStart=",
        ),
        (
            "ExecStart=/bin/true\nExecStartPre=/no/such",
            "ExecStartPre: `/no/such`",
        ),
        (
            "ExecStart=/bin/true\nUser=no-such-account",
            "User=: there is no account",
        ),
        (
            "ExecStart=/bin/true\nWorkingDirectory=/no/such",
            "WorkingDirectory /no/such",
        ),
        (
            "ExecStart=/bin/true\nEnvironmentFile=/no/such",
            "EnvironmentFile /no/such",
        ),
        (
            "ExecStart=/usr/bin/env no-such-node x",
            "`no-such-node` is not in PATH",
        ),
    ] {
        assert_wrong(&format!("[Service]\n{settings}\n"), part);
    }
    assert_wrong(
        "[Unit]\nConditionPathExists=/no/such\n[Service]\nExecStart=/bin/true\n",
        "is not met",
    );
}

#[test]
fn a_program_that_is_not_in_path_is_certainly_missing_only_where_the_unit_sets_path() {
    for (settings, is_doubtful) in [("", true), ("Environment=PATH=/bin\n", false)] {
        let text = format!("[Service]\n{settings}ExecStart=/usr/bin/env no-such-program\n");
        let root = Account::known("root").unwrap();
        let unit = unit_file::for_tests(&text);
        let found = defects(&unit, "bot.service", Scope::System, &root);
        let [defect] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(defect.message.contains("is not in PATH"), "{defect:?}");
        assert_eq!(defect.is_doubtful, is_doubtful, "{defect:?}");
    }
}

/// A program that env(1) finds in the unit's PATH, and not in ours.
#[test]
fn path_is_the_units_own() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    write("my-node", "#!/bin/sh\n");
    let program = write("openclaw", "#!/usr/bin/env my-node\n");
    let start = format!("[Service]\nExecStart={program} gateway\n");
    assert_wrong(&start, "`my-node`, is not in PATH");
    let place = folder.path().display();
    let path = format!("Environment=A=b \"PATH=/bin:{place}\"\n");
    assert_eq!(messages(Scope::System, &format!("{start}{path}")), [""; 0]);
    let file = write("environment", &format!("PATH=\"{place}\"\n"));
    assert_eq!(
        messages(Scope::System, &format!("{start}EnvironmentFile={file}\n")),
        [""; 0]
    );
}
