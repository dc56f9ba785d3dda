//! Trees on file systems of their own, and full ones: mounted in a namespace that ends with the test.

use std::{env, fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use rustix::process::geteuid;

use crate::tests::lab::{DATABASE, Lab, database, files, tree, write};
use crate::{
    outcome::{FailedStep, Outcome},
    place::AREA,
    store::below,
};

/// Set in the process that may mount.
const VARIABLE: &str = "FAILOVER_TEST_MAY_MOUNT";

/// Runs the rest of a test in a process with mounts of its own. `false`: this is the process without.
fn may_mount(test: &str) -> bool {
    if env::var_os(VARIABLE).is_some() {
        return true;
    }
    let name = format!("place::tests::mounted::{test}");
    let mut command = Command::new("unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    let output = command
        .arg("--mount")
        .arg(env::current_exe().unwrap())
        .args([&name, "--exact", "--nocapture"])
        .env(VARIABLE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn mount(path: &Path, size: &str) {
    fs::create_dir_all(path).unwrap();
    let status = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("mode=0700,size={size}"),
            "tmpfs",
        ])
        .arg(path)
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_tree_on_a_file_system_of_its_own_is_exchanged_there() {
    if !may_mount("a_tree_on_a_file_system_of_its_own_is_exchanged_there") {
        return;
    }
    let lab = Lab::new();
    mount(&lab.root, "16m");
    let device = fs::metadata(&lab.root).unwrap().dev();
    lab.write(&[("openclaw.json", "own"), ("cache/program", "p")]);
    for (number, text) in [(1, "one"), (2, "two")] {
        lab.generation(number, &[("openclaw.json", text)], text);
        let outcome = lab.place(false);
        assert!(matches!(outcome, Outcome::Placed { .. }), "{outcome:?}");
    }
    assert_eq!(fs::metadata(&lab.root).unwrap().dev(), device);
    let kept = lab.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept[0].1.starts_with(lab.root.join(AREA)), "{kept:?}");
    let own = below(&kept[0].1, &lab.root).unwrap();
    assert_eq!(tree(&own), files([("openclaw.json", "own")]));
    fs::remove_dir_all(lab.root.join(AREA)).unwrap();
    let expected = [
        ("openclaw.json", "two"),
        ("cache/program", "p"),
        (DATABASE, "two"),
    ];
    assert_eq!(lab.tree(), files(expected));
}

#[test]
fn what_is_mounted_within_the_tree_is_neither_moved_nor_removed() {
    if !may_mount("what_is_mounted_within_the_tree_is_neither_moved_nor_removed") {
        return;
    }
    let lab = Lab::new();
    let media = lab.root.join("workspace/media");
    mount(&media, "16m");
    let device = fs::metadata(&media).unwrap().dev();
    lab.write(&[("workspace/MEMORY.md", "own")]);
    write(&media, &[("picture", "own"), ("tmp/scratch", "s")]);
    for (number, text) in [(1, "one"), (2, "two")] {
        let new = [
            ("workspace/MEMORY.md", text),
            ("workspace/media/picture", text),
        ];
        lab.generation(number, &new, text);
        let outcome = lab.place(false);
        assert!(matches!(outcome, Outcome::Placed { .. }), "{outcome:?}");
    }
    assert_eq!(fs::metadata(&media).unwrap().dev(), device);
    assert_eq!(lab.kept().len(), 2);
    fs::remove_dir_all(media.join(AREA)).unwrap();
    let expected = [
        ("workspace/MEMORY.md", "two"),
        ("workspace/media/picture", "two"),
        ("workspace/media/tmp/scratch", "s"),
        (DATABASE, "two"),
    ];
    assert_eq!(lab.tree(), files(expected));
}

#[test]
fn a_full_disk_leaves_what_there_was() {
    if !may_mount("a_full_disk_leaves_what_there_was") {
        return;
    }
    // The generation fits, its copy doesn't; and once this is known beforehand and once it isn't.
    for bytes in [1, 64 << 20] {
        let lab = Lab::at(|folder| {
            mount(folder, "8m");
            folder.join("home/.openclaw")
        });
        lab.write(&[("openclaw.json", "own")]);
        database(&lab.root.join(DATABASE), "own");
        lab.generation(1, &[("large", &"x".repeat(5 << 20))], "one");
        let manifest = lab.spec.store.join("generation.1/manifest.json");
        let text = fs::read_to_string(&manifest).unwrap();
        let mut text: serde_json::Value = serde_json::from_str(&text).unwrap();
        text["bytes"] = bytes.into();
        fs::write(&manifest, text.to_string()).unwrap();
        let own = lab.tree();
        let outcome = lab.place(false);
        assert!(
            matches!(
                &outcome,
                Outcome::Failed {
                    step: FailedStep::Local,
                    ..
                }
            ),
            "{outcome:?}"
        );
        assert_eq!(lab.tree(), own);
        assert!(!lab.spec.store.join("placing").exists());
        assert_eq!(lab.in_place(), None);
    }
}
