//! What a host that is broken, or hostile, can do to the generations that are there: nothing.

use std::{fs, os::unix::fs::symlink, path::Path};

use failover_sync::{
    openclaw,
    outcome::{FailedStep, Outcome},
    source::{Program, forced_command},
    spec::{Limits, Order},
};
use failover_tests::account::{self, Account};

use crate::site::{AUTHORIZED_KEYS, KEY, STATE, Site};

#[test]
fn a_refused_key_costs_nothing_but_a_message() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    site.source.write(AUTHORIZED_KEYS, "");
    let error = site.failure(&site.spec(Order::Round), FailedStep::Reach);
    assert!(error.contains("Permission denied"), "{error}");
    site.newest_is(&first);
}

#[test]
fn a_host_that_is_not_the_known_one_is_sent_nothing() {
    let Some(site) = Site::new() else { return };
    let other = Account::new(&site.lab, &site.lab.add_host("PC-C"));
    let _ = other.make_key("other");
    let key = fs::read_to_string(other.home().join("other.pub")).unwrap();
    let line = format!("{} {key}", site.source.host().address());
    site.local.write(&format!("{KEY}.hosts"), line);
    let error = site.failure(&site.spec(Order::Round), FailedStep::Reach);
    assert!(error.contains("Host key verification failed"), "{error}");
}

#[test]
fn a_torn_database_is_named_and_the_last_good_copy_stays() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    let path = site.source.home().join(STATE);
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(length - 1000).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(site.source.home().join(format!("{STATE}{end}")));
    }
    match site.round() {
        Outcome::Failed {
            step: FailedStep::Source | FailedStep::Check,
            error,
        } => {
            assert!(error.contains("state/openclaw.sqlite"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    site.newest_is(&first);
}

#[test]
fn too_much_is_refused_by_its_limit() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    let bomb = site.source.home().join(".openclaw/workspace/bomb");
    site.source.write(".openclaw/workspace/bomb", "");
    let bomb = fs::File::options().write(true).open(bomb).unwrap();
    bomb.set_len(200 << 20).unwrap();
    // Announced by an honest host; refused by the kernel; missing on the disk.
    for (change, words) in [
        (
            (|limits| limits.bytes = 100 << 20) as fn(&mut Limits),
            "sync-max-bytes",
        ),
        (|limits| limits.file_bytes = 10 << 20, "sync-max-file"),
        (|limits| limits.free_bytes = u64::MAX, "sync-min-free"),
    ] {
        let mut spec = site.spec(Order::Round);
        change(&mut spec.limits);
        let error = site.failure(&spec, FailedStep::Limit);
        assert!(error.contains(words), "{error}");
        site.newest_is(&first);
    }
    let mut spec = site.spec(Order::Round);
    spec.limits.files = 3;
    let error = site.failure(&spec, FailedStep::Source);
    assert!(error.contains("more than 3 files"), "{error}");
    site.nothing_runs();
}

#[test]
fn names_are_only_names_and_links_out_of_the_tree_are_left_out() {
    let Some(site) = Site::new() else { return };
    let workspace = site.source.home().join(".openclaw/workspace");
    let name = ".openclaw/workspace/a\nb $(touch x) 'q\" * [z]";
    site.source.write(name, "text");
    for (target, link) in [
        ("/etc/passwd", "absolute"),
        ("../../../../etc/passwd", "climbs"),
        ("../../.ssh", "beside"),
        ("MEMORY.md", "inside"),
    ] {
        symlink(target, workspace.join(link)).unwrap();
    }
    let first = site.copied();
    assert_eq!(fs::read_to_string(site.file(&first, name)).unwrap(), "text");
    for (link, is_there) in [
        ("absolute", false),
        ("climbs", false),
        ("beside", false),
        ("inside", true),
    ] {
        let link = site.file(&first, &format!(".openclaw/workspace/{link}"));
        assert_eq!(
            fs::symlink_metadata(&link).is_ok(),
            is_there,
            "{}",
            link.display()
        );
    }
}

/// A sender of the attacker's own, behind the honest answer.
#[test]
fn a_hostile_sender_writes_nothing_but_a_failure() {
    let Some(site) = Site::new() else { return };
    let first = site.copied();
    site.source
        .write("evil/home/alice/.ssh/authorized_keys", "mine");
    site.source.write("evil/databases/x", "mine");
    fs::create_dir_all(site.source.home().join("links")).unwrap();
    symlink("/mnt/home", site.source.home().join("links/databases")).unwrap();
    for sent in [
        "/mnt/home/./evil/home",
        "/mnt/home/evil/./home",
        "/mnt/home/evil/./databases",
        "/mnt/home/links/./databases",
        "/./etc/passwd",
    ] {
        let script = format!(
            "#!/bin/sh\n\
             piece() {{ dd bs=\"$1\" count=1 iflag=fullblock 2>/dev/null; }}\n\
             piece {length} >program\n\
             piece \"${{SSH_ORIGINAL_COMMAND#round }}\" >request\n\
             cat program request | SSH_ORIGINAL_COMMAND=copy sh honest\n\
             piece 1024 >/dev/null\n\
             exec rsync --server --sender -ltprRze.iLsfxCIvu . {sent}\n",
            length = Program::newest().text().len()
        );
        site.source.write("hostile", script);
        let honest = forced_command(
            Program::newest(),
            &openclaw::state(Path::new(account::HOME)).paths,
        );
        site.source.write("honest", honest.unwrap());
        site.permit(|line| {
            let key = line.rsplit_once("\" ").expect("a key").1.to_owned();
            format!("restrict,command=\"sh $HOME/hostile\" {key}")
        });
        site.source.write(".openclaw/openclaw.json", sent);
        let outcome = site.round();
        assert!(
            matches!(&outcome, Outcome::Failed { .. }),
            "{sent}: {outcome:?}"
        );
        site.newest_is(&first);
        assert!(!site.local.home().join(".ssh").exists());
        assert!(!site.local.home().join("evil").exists());
    }
}
