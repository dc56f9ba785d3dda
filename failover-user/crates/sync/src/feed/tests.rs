//! What is parked is a process of its own, which has its database open and is stopped.

mod parked;

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::Connection;

use self::parked::Parked;
use crate::{
    outcome::Outcome,
    spec::Order,
    store::{DATABASES, TREE, below},
    tests::lab::{DATABASE, Lab, files, mode, set_mode},
};

/// A tree with the first generation in place.
fn lab(files: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    lab.generation_with(1, files, |databases| with_leases(databases, &["one"], 23));
    let outcome = lab.place(false);
    assert!(matches!(outcome, Outcome::Placed { .. }), "{outcome:?}");
    lab
}

/// A database as OpenClaw has it, after a check: it has the tables of the leases, and no lease.
fn with_leases(databases: &Path, rows: &[&str], version: i64) -> Vec<&'static str> {
    let path = databases.join(DATABASE);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA user_version = {version};
             CREATE TABLE turns (text);
             CREATE TABLE state_leases (scope TEXT, lease_key TEXT, owner TEXT, PRIMARY KEY (scope, lease_key));
             CREATE TABLE gateway_boot_lifecycle (boot_id TEXT PRIMARY KEY, pid INTEGER);
             CREATE TABLE agent_database_leases (path TEXT PRIMARY KEY, \"the \"\"owner\" TEXT);"
        ))
        .unwrap();
    for row in rows {
        connection
            .execute("INSERT INTO turns VALUES (?1)", [row])
            .unwrap();
    }
    vec![DATABASE]
}

fn fed(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Placed { manifest, .. } => manifest.number.0,
        other => panic!("{other:?}"),
    }
}

fn parks_anew(outcome: &Outcome, because: &str) {
    assert!(
        matches!(outcome, Outcome::ParkAnew { reason } if reason.contains(because)),
        "{outcome:?}"
    );
}

#[test]
fn what_is_parked_has_the_new_rows_and_its_own_leases_when_it_continues() {
    let lab = lab(&[]);
    let parked = Parked::start(&lab.root.join(DATABASE));
    lab.generation_with(2, &[], |databases| {
        with_leases(databases, &["one", "two"], 23)
    });
    assert_eq!(fed(&lab.order(Order::Feed)), 2);
    assert_eq!(lab.in_place(), Some(2));
    // It writes as well: its row is there for others, and its lease is renewed.
    assert_eq!(
        parked.proceed(),
        "turns: one, two; leases: 1 renewed, 1 of its agent; starts: 1"
    );
    let connection = Connection::open(lab.root.join(DATABASE)).unwrap();
    let count: i64 = connection
        .query_row("SELECT count(*) FROM turns", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 3);
    let whole: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(whole, "ok");
    assert!(!lab.spec.store.join("feeding").exists());
}

#[test]
fn it_can_be_fed_while_it_is_stopped_for_as_long_as_it_takes() {
    let lab = lab(&[]);
    let parked = Parked::start(&lab.root.join(DATABASE));
    for number in 2..30 {
        let row = "x".repeat(200_000);
        lab.generation_with(number, &[], |databases| with_leases(databases, &[&row], 23));
        assert_eq!(fed(&lab.order(Order::Feed)), number);
    }
    // The log starts over: it doesn't grow by each generation.
    let log = lab.root.join(format!("{DATABASE}-wal"));
    let length = fs::metadata(log).unwrap().len();
    assert!(length < 10 * 200_000, "{length}");
    let seen = parked.proceed();
    assert!(seen.starts_with("turns: xxx"), "{seen}");
}

#[test]
fn another_schema_or_another_set_of_databases_is_for_one_that_is_parked_again() {
    let lab = lab(&[]);
    let parked = Parked::start(&lab.root.join(DATABASE));
    lab.generation_with(2, &[], |databases| with_leases(databases, &["two"], 22));
    parks_anew(&lab.order(Order::Feed), "schema 22");
    lab.generation_with(3, &[], |_| Vec::new());
    parks_anew(&lab.order(Order::Feed), "is gone");
    lab.generation_with(4, &[], |databases| {
        with_leases(databases, &["four"], 23);
        let other = databases.join("agents/other/agent");
        fs::create_dir_all(&other).unwrap();
        fs::copy(
            databases.join(DATABASE),
            other.join("openclaw-agent.sqlite"),
        )
        .unwrap();
        vec![DATABASE, "agents/other/agent/openclaw-agent.sqlite"]
    });
    parks_anew(&lab.order(Order::Feed), "is new");
    assert_eq!(lab.in_place(), Some(1));
    assert_eq!(
        parked.proceed(),
        "turns: one; leases: 1 renewed, 1 of its agent; starts: 1"
    );
}

#[test]
fn another_page_size_is_for_one_that_is_parked_again_and_changes_nothing() {
    let lab = lab(&[]);
    let parked = Parked::start(&lab.root.join(DATABASE));
    lab.generation_with(2, &[], |databases| {
        with_leases(databases, &["two"], 23);
        let connection = Connection::open(databases.join(DATABASE)).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM;")
            .unwrap();
        vec![DATABASE]
    });
    parks_anew(&lab.order(Order::Feed), DATABASE);
    assert_eq!(
        parked.proceed(),
        "turns: one; leases: 1 renewed, 1 of its agent; starts: 1"
    );
}

#[test]
fn one_that_was_stopped_within_a_transaction_is_parked_again() {
    let mut lab = lab(&[]);
    lab.spec.limits.within = Duration::from_millis(300);
    let connection = Connection::open(lab.root.join(DATABASE)).unwrap();
    connection
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO turns VALUES ('x')")
        .unwrap();
    lab.generation_with(2, &[], |databases| with_leases(databases, &["two"], 23));
    let begin = Instant::now();
    parks_anew(&lab.order(Order::Feed), "locked");
    assert!(begin.elapsed() < Duration::from_secs(10));
    // Some databases may be new by now: the next one feeds all, and so does a placement.
    connection.execute_batch("ROLLBACK").unwrap();
    drop(connection);
    lab.spec.limits.within = Duration::from_secs(20);
    assert_eq!(fed(&lab.place(false)), 2);
}

#[test]
fn nothing_newer_is_nothing_to_do() {
    let lab = lab(&[("a", "one")]);
    lab.write(&[("a", "of this host")]);
    let outcome = lab.order(Order::Feed);
    assert!(
        matches!(outcome, Outcome::NothingNewer { .. }),
        "{outcome:?}"
    );
    assert_eq!(lab.tree()["a"], "of this host");
}

#[test]
fn the_hosts_own_state_is_never_overwritten() {
    let lab = Lab::new();
    lab.write(&[("a", "own")]);
    lab.generation(1, &[("a", "one")], "one");
    parks_anew(&lab.order(Order::Feed), "own state");
    assert_eq!(lab.tree()["a"], "own");
}

#[test]
fn nothing_is_renamed_under_what_was_started_on_half_a_tree() {
    let lab = lab(&[("a", "one")]);
    lab.generation_with(2, &[("a", "two")], |databases| {
        with_leases(databases, &["two"], 23)
    });
    let mut step = 0;
    while lab.store().placement().unwrap().swap.is_none() {
        assert!(lab.place_until(step).is_some());
        step += 1;
    }
    let half = lab.tree();
    parks_anew(&lab.order(Order::Feed), "interrupted");
    assert!(matches!(lab.order(Order::Look), Outcome::Store { .. }));
    assert_eq!(lab.tree(), half);
    // No gateway runs, says the order.
    lab.place(false);
    assert_eq!(lab.tree()["a"], "two");
}

#[test]
fn files_that_changed_are_new_ones_and_others_are_not_touched() {
    let lab = lab(&[
        ("openclaw.json", "one"),
        ("same", "same"),
        ("gone/deep/file", "one"),
        ("gone/changed", "one"),
        ("secret", "s"),
    ]);
    lab.write(&[
        ("cache/program", "p"),
        ("made-here", "own"),
        ("gone/changed", "changed here"),
    ]);
    let open = fs::File::open(lab.root.join("openclaw.json")).unwrap();
    lab.generation_with(
        2,
        &[
            ("openclaw.json", "two"),
            ("same", "same"),
            ("new/file", "n"),
            ("secret", "s"),
        ],
        |databases| with_leases(databases, &["one"], 23),
    );
    let store = lab.store();
    let copy = |number| {
        let folder = store.folder(crate::generation::Number(number));
        below(&folder.join(TREE), &lab.root).unwrap()
    };
    for name in ["same", "secret"] {
        let time = fs::metadata(copy(1).join(name))
            .unwrap()
            .modified()
            .unwrap();
        let file = fs::File::open(copy(2).join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    // Only its mode has changed.
    set_mode(&copy(2).join("secret"), 0o600);
    symlink("openclaw.json", copy(2).join("link")).unwrap();
    symlink("/etc/passwd", copy(2).join("out")).unwrap();
    drop(store);
    let inode = |name: &str| {
        let metadata = fs::metadata(lab.root.join(name)).unwrap();
        std::os::unix::fs::MetadataExt::ino(&metadata)
    };
    let (same, secret) = (inode("same"), inode("secret"));
    assert_eq!(fed(&lab.order(Order::Feed)), 2);
    let expected = [
        ("openclaw.json", "two"),
        ("same", "same"),
        ("new/file", "n"),
        ("secret", "s"),
        ("link", "-> openclaw.json"),
        ("cache/program", "p"),
        ("made-here", "own"),
        ("gone/changed", "changed here"),
        (DATABASE, "one"),
    ];
    assert_eq!(lab.tree(), files(expected));
    assert!(!lab.root.join("gone/deep").exists());
    assert_eq!(mode(&lab.root.join("secret")), 0o600);
    assert_eq!((inode("same"), inode("secret") == secret), (same, false));
    // Whoever reads the old one reads it to its end.
    assert_eq!(std::io::read_to_string(open).unwrap(), "one");
}

#[test]
fn a_folder_in_place_of_a_file_is_for_one_that_is_parked_again() {
    let lab = lab(&[("a", "one")]);
    lab.generation_with(2, &[("a/b", "two")], |databases| {
        with_leases(databases, &["one"], 23)
    });
    parks_anew(&lab.order(Order::Feed), "a folder");
    assert_eq!(fed(&lab.place(false)), 2);
    assert_eq!(lab.tree()["a/b"], "two");
}

#[test]
fn one_that_was_interrupted_is_done_again_whole() {
    let lab = lab(&[("a", "one")]);
    lab.generation_with(2, &[("a", "two")], |databases| {
        with_leases(databases, &["two"], 23)
    });
    let store = lab.store();
    super::note(
        &store,
        crate::generation::Number(1),
        Some(crate::generation::Number(2)),
    )
    .unwrap();
    drop(store);
    assert_eq!(fed(&lab.order(Order::Feed)), 2);
    assert_eq!(lab.tree(), files([("a", "two"), (DATABASE, "two")]));
    // And a placement doesn't take it for whole either.
    let store = lab.store();
    super::note(
        &store,
        crate::generation::Number(2),
        Some(crate::generation::Number(2)),
    )
    .unwrap();
    drop(store);
    lab.write(&[("a", "half")]);
    assert_eq!(fed(&lab.place(false)), 2);
    assert_eq!(lab.tree()["a"], "two");
}

#[test]
fn one_that_was_interrupted_and_found_broken_since_is_undone() {
    let lab = lab(&[("a", "one")]);
    lab.generation_with(2, &[("a", "two")], |databases| {
        with_leases(databases, &["two"], 23)
    });
    assert_eq!(fed(&lab.order(Order::Feed)), 2);
    let store = lab.store();
    let number = crate::generation::Number;
    super::note(&store, number(1), Some(number(2))).unwrap();
    store.reject(number(2)).unwrap();
    drop(store);
    assert_eq!(fed(&lab.order(Order::Feed)), 1);
    assert_eq!(lab.tree(), files([("a", "one"), (DATABASE, "one")]));
}

#[test]
fn a_database_that_both_generations_share_is_not_touched() {
    let lab = lab(&[("a", "one")]);
    let store = lab.store();
    let copy = |number| {
        let folder = store.folder(crate::generation::Number(number));
        below(&folder.join(DATABASES), &lab.root.join(DATABASE)).unwrap()
    };
    let (one, two) = (copy(1), copy(2));
    drop(store);
    lab.generation_with(2, &[("a", "two")], |databases| {
        with_leases(databases, &["two"], 23)
    });
    // As rsync's --link-dest makes it of one that hasn't changed.
    fs::remove_file(&two).unwrap();
    fs::hard_link(&one, &two).unwrap();
    let connection = Connection::open(lab.root.join(DATABASE)).unwrap();
    connection
        .execute("UPDATE turns SET text = 'of this host'", [])
        .unwrap();
    drop(connection);
    assert_eq!(fed(&lab.order(Order::Feed)), 2);
    assert_eq!(
        lab.tree(),
        files([("a", "two"), (DATABASE, "of this host")])
    );
}
