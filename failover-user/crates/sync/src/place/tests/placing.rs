//! What is in place afterwards, and what is kept.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use crate::tests::lab::{DATABASE, Lab, database, files, mode, row, set_mode, tree};
use crate::{
    generation::Number,
    outcome::{FailedStep, Fit, Outcome},
    spec::Order,
    store::{DATABASES, TREE, below},
};

fn placed(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Placed { manifest, .. } => manifest.number.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_generation_is_the_tree() {
    let lab = Lab::new();
    lab.write(&[("openclaw.json", "own"), ("workspace/gone", "x")]);
    database(&lab.root.join(DATABASE), "own");
    lab.generation(1, &[("openclaw.json", "one")], "one");
    lab.generation(
        2,
        &[("openclaw.json", "two"), ("workspace/MEMORY.md", "m")],
        "two",
    );
    assert_eq!(placed(&lab.place(false)), 2);
    let expected = [
        ("openclaw.json", "two"),
        ("workspace/MEMORY.md", "m"),
        (DATABASE, "two"),
    ];
    assert_eq!(lab.tree(), files(expected));
    assert_eq!(lab.in_place(), Some(2));
}

#[test]
fn the_hosts_own_tree_is_kept_and_later_ones_are_not() {
    let lab = Lab::new();
    lab.write(&[("openclaw.json", "own")]);
    database(&lab.root.join(DATABASE), "own");
    for (number, text) in [(1, "one"), (2, "two"), (3, "three")] {
        lab.generation(number, &[("openclaw.json", text)], text);
        placed(&lab.place(false));
    }
    let kept = lab.kept();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].0, "first");
    let own = below(&kept[0].1, &lab.root).unwrap();
    assert_eq!(
        tree(&own),
        files([("openclaw.json", "own"), (DATABASE, "own")])
    );
    // Nothing else is left in the store.
    let entries = fs::read_dir(lab.spec.store.join("kept")).unwrap().count();
    assert_eq!(entries, 1);
    assert!(!lab.spec.store.join("placing").exists());
}

#[test]
fn what_the_local_gateway_has_served_is_kept_until_it_is_decided() {
    let lab = Lab::new();
    lab.generation(1, &[("a", "1")], "1");
    placed(&lab.place(false));
    for number in 2..8 {
        lab.write(&[("a", "changed here")]);
        lab.generation(number, &[("a", "n")], "n");
        placed(&lab.place(true));
    }
    let kept = lab.kept();
    assert_eq!(kept.len(), 6, "{kept:?}");
    for (why, path) in &kept {
        assert_eq!(why, "served");
        let own = below(path, &lab.root).unwrap();
        assert_eq!(
            tree(&own).get("a").map(String::as_str),
            Some("changed here")
        );
    }
    assert_eq!(lab.order(Order::Settle), Outcome::Settled);
    let settled = lab.kept();
    assert_eq!(settled.len(), 3, "{settled:?}");
    assert!(
        settled.iter().all(|(why, _)| why == "settled"),
        "{settled:?}"
    );
}

#[test]
fn what_is_in_place_is_not_placed_again() {
    let lab = Lab::new();
    let empty = Outcome::NothingNewer {
        in_place: None,
        refused: Vec::new(),
    };
    assert_eq!(lab.place(false), empty);
    lab.generation(4, &[("a", "4")], "4");
    placed(&lab.place(false));
    lab.write(&[("a", "changed here")]);
    let same = Outcome::NothingNewer {
        in_place: Some(Number(4)),
        refused: Vec::new(),
    };
    assert_eq!(lab.place(false), same);
    assert_eq!(lab.tree()["a"], "changed here");
}

#[test]
fn an_older_one_is_placed_by_its_number() {
    let lab = Lab::new();
    lab.generation(1, &[("a", "1")], "1");
    lab.generation(2, &[("a", "2")], "2");
    placed(&lab.place(false));
    let order = |number| Order::Place {
        number: Some(Number(number)),
        keep: false,
    };
    assert_eq!(placed(&lab.order(order(1))), 1);
    assert_eq!((lab.tree()["a"].as_str(), lab.in_place()), ("1", Some(1)));
    let missing = lab.order(order(9));
    assert!(
        matches!(&missing, Outcome::Failed { step: FailedStep::Local, error } if error.contains("generation 9")),
        "{missing:?}"
    );
}

#[test]
fn entries_of_this_machine_stay_wherever_they_are() {
    let lab = Lab::new();
    lab.write(&[
        ("cache/program", "p"),
        ("tmp/lock", "l"),
        ("last-good", "g"),
        ("workspace/tmp/scratch", "s"),
        ("workspace/gone/tmp/scratch", "s"),
        ("workspace/MEMORY.md", "own"),
    ]);
    let cache = fs::metadata(lab.root.join("cache")).unwrap();
    lab.generation(
        1,
        &[("workspace/MEMORY.md", "m"), ("cache/theirs", "t")],
        "1",
    );
    placed(&lab.place(false));
    let expected = [
        ("cache/program", "p"),
        ("tmp/lock", "l"),
        ("last-good", "g"),
        ("workspace/tmp/scratch", "s"),
        ("workspace/MEMORY.md", "m"),
        (DATABASE, "1"),
    ];
    assert_eq!(lab.tree(), files(expected));
    let after = fs::metadata(lab.root.join("cache")).unwrap();
    assert_eq!(
        std::os::unix::fs::MetadataExt::ino(&cache),
        std::os::unix::fs::MetadataExt::ino(&after)
    );
}

#[test]
fn no_log_of_another_database_stays_beside_the_new_one() {
    let lab = Lab::new();
    database(&lab.root.join(DATABASE), "own");
    for suffix in ["-wal", "-shm", "-journal"] {
        lab.write(&[(&format!("{DATABASE}{suffix}"), "stale")]);
    }
    lab.write(&[("agents/main/agent/other.lock.sqlite", "stale")]);
    lab.generation(1, &[], "one");
    placed(&lab.place(false));
    assert_eq!(lab.tree(), files([(DATABASE, "one")]));
}

#[test]
fn a_database_that_is_not_copied_stays_where_it_is() {
    let lab = Lab::new();
    database(&lab.root.join("workspace/notes.sqlite"), "own");
    database(&lab.root.join("top.sqlite"), "own");
    lab.generation(1, &[("workspace/a", "a")], "one");
    placed(&lab.place(false));
    let expected = [
        ("workspace/notes.sqlite", "own"),
        ("top.sqlite", "own"),
        ("workspace/a", "a"),
        (DATABASE, "one"),
    ];
    assert_eq!(lab.tree(), files(expected));
}

#[test]
fn a_database_that_is_the_root_itself_leaves_its_log_as_well() {
    let mut lab = Lab::at(|folder| folder.join("data/app.db"));
    lab.spec.state.databases = vec!["app.db".to_owned()];
    database(&lab.root, "own");
    let beside = lab.root.with_file_name("app.db-wal");
    fs::write(&beside, "stale").unwrap();
    let root = lab.root.clone();
    lab.generation_with(1, &[], |databases| {
        fs::remove_dir(databases).unwrap();
        database(databases, "one");
        vec![""]
    });
    placed(&lab.place(false));
    assert!(!beside.exists());
    assert_eq!(row(&root), "one");
}

#[test]
fn modes_and_times_are_kept() {
    let lab = Lab::new();
    lab.generation_with(
        1,
        &[("secrets.json", "s"), ("locked/run", "r")],
        |databases| {
            let tree = databases.ancestors().nth(20);
            assert_eq!(tree, None);
            Vec::new()
        },
    );
    let store = lab.store();
    let copy = below(&store.folder(Number(1)).join(TREE), &lab.root).unwrap();
    drop(store);
    set_mode(&copy.join("secrets.json"), 0o600);
    set_mode(&copy.join("locked/run"), 0o4750);
    let time = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let file = fs::File::open(copy.join("locked/run")).unwrap();
    file.set_modified(time).unwrap();
    set_mode(&copy.join("locked"), 0o500);
    placed(&lab.place(false));
    assert_eq!(mode(&lab.root.join("secrets.json")), 0o600);
    assert_eq!(mode(&lab.root.join("locked")), 0o500);
    // Not set-user-id: the account is another one here.
    assert_eq!(mode(&lab.root.join("locked/run")), 0o750);
    let modified = fs::metadata(lab.root.join("locked/run"))
        .unwrap()
        .modified();
    assert_eq!(modified.unwrap(), time);
    assert_eq!(mode(&lab.root), 0o700);
}

#[test]
fn links_that_lead_out_of_the_tree_are_left_out() {
    let lab = Lab::new();
    lab.generation(1, &[("workspace/a", "a")], "1");
    let store = lab.store();
    let copy = below(&store.folder(Number(1)).join(TREE), &lab.root).unwrap();
    drop(store);
    for (link, to) in [
        ("inside", "workspace/a"),
        ("outside", "/etc/passwd"),
        ("climbing", "../../../../etc/passwd"),
        ("workspace/up", "../inside"),
        ("workspace/out", "../../x"),
    ] {
        symlink(to, copy.join(link)).unwrap();
    }
    placed(&lab.place(false));
    let expected = [
        ("workspace/a", "a"),
        ("inside", "-> workspace/a"),
        ("workspace/up", "-> ../inside"),
        (DATABASE, "1"),
    ];
    assert_eq!(lab.tree(), files(expected));
}

#[test]
fn a_local_link_out_of_the_tree_is_of_this_machine() {
    let lab = Lab::new();
    lab.write(&[("workspace/a", "own")]);
    symlink("/srv/media", lab.root.join("media")).unwrap();
    symlink("/srv/notes", lab.root.join("workspace/notes")).unwrap();
    lab.generation(1, &[("workspace/a", "one")], "1");
    placed(&lab.place(false));
    let expected = [
        ("media", "-> /srv/media"),
        ("workspace/a", "one"),
        ("workspace/notes", "-> /srv/notes"),
        (DATABASE, "1"),
    ];
    assert_eq!(lab.tree(), files(expected));
}

#[test]
fn a_link_in_place_of_the_local_tree_leads_to_the_tree() {
    let mut lab = Lab::at(|folder| folder.join("disk/real"));
    lab.write(&[("a", "own")]);
    let link = lab.spec.store.with_file_name("link");
    symlink(&lab.root, &link).unwrap();
    lab.spec.state.paths = vec![link.clone()];
    lab.generation(1, &[("a", "one")], "1");
    placed(&lab.place(false));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(lab.tree(), files([("a", "one"), (DATABASE, "1")]));
}

#[test]
fn a_link_in_place_of_the_copied_tree_is_refused() {
    let lab = Lab::new();
    lab.write(&[("a", "own")]);
    lab.generation(1, &[], "1");
    let store = lab.store();
    let copy = below(&store.folder(Number(1)).join(TREE), &lab.root).unwrap();
    drop(store);
    fs::remove_dir(&copy).unwrap();
    symlink("/etc", &copy).unwrap();
    let outcome = lab.place(false);
    assert!(
        matches!(
            &outcome,
            Outcome::Failed {
                step: FailedStep::Check,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(lab.tree(), files([("a", "own")]));
}

#[test]
fn a_link_on_the_way_to_the_copied_tree_or_database_is_refused() {
    for kind in [TREE, DATABASES] {
        let lab = Lab::new();
        lab.write(&[("a", "own")]);
        lab.generation(1, &[("a", "one")], "1");
        let store = lab.store();
        let folder = store.folder(Number(1)).join(kind);
        drop(store);
        let first = lab.root.components().nth(1).unwrap();
        fs::rename(folder.join(first), folder.join("other")).unwrap();
        // To the live one.
        symlink(Path::new("/").join(first), folder.join(first)).unwrap();
        let outcome = lab.place(false);
        assert!(
            matches!(&outcome, Outcome::Failed { step: FailedStep::Check, error } if error.contains("is a link")),
            "{outcome:?}"
        );
        assert_eq!(lab.tree(), files([("a", "own")]));
    }
}

#[test]
fn a_tree_that_the_other_host_lacks_is_not_removed_here() {
    let mut lab = Lab::new();
    lab.write(&[("a", "own")]);
    let other = lab.spec.store.with_file_name("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("b"), "own").unwrap();
    lab.generation(1, &[("a", "one")], "1");
    lab.spec.state.paths.push(other.clone());
    lab.spec.state.paths.push(lab.root.join("within"));
    placed(&lab.place(false));
    assert_eq!(tree(&other), files([("b", "own")]));
    assert_eq!(lab.tree()["a"], "one");
}

#[test]
fn one_that_does_not_fit_is_passed_over_for_the_newest_that_does() {
    let lab = Lab::new();
    database(&lab.root.join(DATABASE), "own");
    let learned = lab.order(Order::Learn);
    assert!(
        matches!(learned, Outcome::Learned { databases: 1, .. }),
        "{learned:?}"
    );
    lab.generation(1, &[("a", "1")], "1");
    lab.generation_with(2, &[("a", "2")], |databases| {
        let path = databases.join(DATABASE);
        database(&path, "2");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 24).unwrap();
        vec![DATABASE]
    });
    let Outcome::Store { refused, fit, .. } = lab.order(Order::Look) else {
        panic!("looking failed")
    };
    assert_eq!((refused.len(), fit), (1, Some(Fit::Same)));
    match lab.place(false) {
        Outcome::Placed {
            manifest,
            refused,
            fit,
        } => {
            assert_eq!((manifest.number, fit), (Number(1), Fit::Same));
            assert_eq!(refused[0].number, Number(2));
        }
        other => panic!("{other:?}"),
    }
    // Nor by its number, and the one in place isn't placed again for it.
    for number in [None, Some(Number(2))] {
        match lab.order(Order::Place {
            number,
            keep: false,
        }) {
            Outcome::NothingNewer { in_place, refused } => {
                assert_eq!((in_place, refused.len()), (Some(Number(1)), 1));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lab.tree()["a"], "1");
}

#[test]
fn a_generation_is_not_changed_by_what_is_done_with_its_copy() {
    let lab = Lab::new();
    lab.generation(1, &[("a", "1")], "1");
    placed(&lab.place(false));
    lab.write(&[("a", "changed here")]);
    let path = lab.root.join(DATABASE);
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute("UPDATE turns SET text = 'changed'", [])
        .unwrap();
    drop(connection);
    let order = Order::Place {
        number: Some(Number(1)),
        keep: false,
    };
    placed(&lab.order(order));
    assert_eq!(lab.tree(), files([("a", "1"), (DATABASE, "1")]));
    assert!(Path::new(&lab.spec.store).join("generation.1").exists());
}
