//! Start and stop as the account that owns the gateway.

use std::{collections::BTreeMap, fs, path::PathBuf};

use failover_tests::{
    daemon::{Daemon, Setup},
    lab::Lab,
};

/// Nobody's on the machine that the test runs on.
const UID: u32 = 47014;
const GID: u32 = 47015;
const OTHER_GROUP: u32 = 47016;
/// Readable by anybody, unlike the lab's own folder.
const HOME: &str = "/usr";

/// An account `alice` with two groups.
fn alice(lab: &Lab) -> [PathBuf; 2] {
    let passwd = lab.directory().join("passwd");
    let group = lab.directory().join("group");
    let account = format!("alice:x:{UID}:{GID}::{HOME}:/bin/alices-shell\n");
    fs::write(&passwd, format!("root:x:0:0::/root:/bin/sh\n{account}"))
        .expect("writing the accounts");
    let groups = format!("root:x:0:\nalice:x:{GID}:\nbots:x:{OTHER_GROUP}:bob,alice\n");
    fs::write(&group, groups).expect("writing the groups");
    [passwd, group]
}

/// What the start command's lines of this kind say.
fn reported(daemon: &mut Daemon, kind: &str) -> String {
    let line = daemon.says(kind, |line| {
        line.message() == "command output" && line.field("line").starts_with(kind)
    });
    let text = line.field("line");
    text.strip_prefix(kind)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[test]
fn a_command_is_the_account_with_its_groups_its_home_and_nothing_of_the_daemons() {
    let lab = Lab::new();
    let [passwd, group] = alice(&lab);
    let script = "echo uid $(id -u) gid $(id -g) groups $(id -G); echo in $(pwd); \
        echo session $(cut -d\" \" -f6 /proc/$$/stat) of $$; \
        echo rights $(grep CapEff /proc/$$/status); \
        echo open $(ls /proc/self/fd); \
        echo written >>/dev/stdout; \
        env | sed \"s/^/env /\"; echo end; exit 7";
    let mut daemon = Setup::new(&lab)
        .command_lines(&format!("sh -c '{script}'"), "true")
        .accounts(&passwd, &group)
        .argument("--user=alice")
        .spawn();
    assert_eq!(
        reported(&mut daemon, "uid"),
        format!("{UID} gid {GID} groups {GID} {OTHER_GROUP}")
    );
    assert_eq!(reported(&mut daemon, "in"), HOME);
    let session = reported(&mut daemon, "session");
    let (session, command) = session.split_once(" of ").unwrap();
    assert_eq!(session, command);
    assert_eq!(reported(&mut daemon, "rights"), "CapEff: 0000000000000000");
    // The fourth is the folder that is being read.
    assert_eq!(reported(&mut daemon, "open"), "0 1 2 3");
    // Its output can be opened by name, too.
    assert_eq!(reported(&mut daemon, "written"), "");
    let ended = daemon.says("the end of it", |line| line.message() == "command ended");
    assert!(ended.field("result").contains("code 7"), "{}", ended.text);
    assert!(ended.field("output").ends_with("| end"), "{}", ended.text);

    let lines = daemon.said(|line| line.message() == "command output");
    let environment: BTreeMap<&str, &str> = lines
        .iter()
        .filter_map(|line| line.field("line").strip_prefix("env ")?.split_once('='))
        .collect();
    for (name, expected) in [
        ("HOME", HOME),
        ("USER", "alice"),
        ("LOGNAME", "alice"),
        ("SHELL", "/bin/alices-shell"),
        ("XDG_RUNTIME_DIR", "/run/user/47014"),
        ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/47014/bus"),
        ("FAILOVER_STRIKES", "3"),
    ] {
        assert_eq!(environment.get(name), Some(&expected), "{environment:?}");
    }
    assert!(environment["PATH"].starts_with("/usr/.local/bin:"));
    // The shell adds some of its own.
    let known = |name: &str| {
        name.starts_with("FAILOVER_")
            || name.starts_with("LC_")
            || ["LANG", "TZ", "PWD", "SHLVL", "_", "OLDPWD"].contains(&name)
            || ["HOME", "USER", "LOGNAME", "SHELL", "PATH"].contains(&name)
            || ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"].contains(&name)
    };
    assert!(!environment.contains_key("FAILOVER_LOG"), "{environment:?}");
    let unknown: Vec<_> = environment.keys().filter(|name| !known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    daemon.terminate();
}

#[test]
fn a_fence_is_the_machines_and_not_the_accounts() {
    let lab = Lab::new();
    let [passwd, group] = alice(&lab);
    let mut daemon = Setup::new(&lab)
        .command_lines("true", "true")
        .accounts(&passwd, &group)
        .argument("--user=alice")
        .argument("--fence=sh -c 'echo uid $(id -u); exit 1'")
        .spawn();
    assert_eq!(reported(&mut daemon, "uid"), "0");
    daemon.terminate();
}

#[test]
fn a_flood_of_lines_stays_a_few_and_says_so() {
    let lab = Lab::new();
    let mut daemon = Setup::new(&lab)
        .command_lines("sh -c 'seq 1 200000; exit 1'", "true")
        .spawn();
    daemon.says("that there was more", |line| {
        line.message() == "command output above the rate limit isn't logged"
            && line.number("left_out") > Some(1000)
    });
    let first = daemon.says("its end", |line| line.message() == "command ended");
    assert!(
        first.field("output").ends_with("| 200000"),
        "{}",
        first.text
    );
    let logged = daemon.said(|line| line.message() == "command output");
    assert!(logged.len() < 100, "{} lines", logged.len());
    daemon.terminate();
}
