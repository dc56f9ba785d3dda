use std::{fs, path::Path};

use rusqlite::Connection;

use crate::{
    generation::Number,
    outcome::Outcome,
    spec::Order,
    tests::lab::{DATABASE, Lab},
};

/// As OpenClaw's, with the columns that count and some that don't.
const SCHEMA: &str = "
    CREATE TABLE session_nodes (session_key TEXT PRIMARY KEY, updated_at INTEGER);
    CREATE TABLE transcript_events (session_id TEXT, seq INTEGER, created_at INTEGER, event_json TEXT);
    CREATE TABLE cron_jobs (store_key TEXT, job_id TEXT, job_json TEXT, state_json TEXT);
    CREATE TABLE device_pairing_paired (device_id TEXT PRIMARY KEY, last_seen_at_ms INTEGER);
    CREATE TABLE state_leases (scope TEXT);
    CREATE VIRTUAL TABLE words USING fts5(text);
    CREATE TABLE trajectories (a);
    INSERT INTO session_nodes VALUES ('shared', 1);
    INSERT INTO transcript_events VALUES ('s', 1, 100, 'hello');
    INSERT INTO words VALUES ('hello');
";

fn make(path: &Path, statements: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let connection = Connection::open(path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode = WAL")
        .unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection.execute_batch(statements).unwrap();
}

/// A generation and a local tree, from the same beginning.
fn lab(primary: &str, local: &str) -> Lab {
    let lab = Lab::new();
    lab.generation_with(1, &[("openclaw.json", "same")], |databases| {
        make(&databases.join(DATABASE), primary);
        vec![DATABASE]
    });
    lab.write(&[("openclaw.json", "same")]);
    make(&lab.root.join(DATABASE), local);
    lab
}

#[derive(Debug, PartialEq)]
struct Found {
    primary: Vec<String>,
    local: Vec<String>,
    turns: (u64, u64),
}

fn found(lab: &Lab) -> Found {
    match lab.order(Order::Differences) {
        Outcome::Differences {
            primary,
            local,
            primary_turns,
            local_turns,
        } => Found {
            primary,
            local,
            turns: (primary_turns, local_turns),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_sides_have_no_difference() {
    let found = found(&lab("", ""));
    assert_eq!(
        (found.primary.len(), found.local.len(), found.turns),
        (0, 0, (0, 0))
    );
}

#[test]
fn each_side_has_its_own_in_words() {
    let lab = lab(
        "INSERT INTO session_nodes VALUES ('a', 1), ('b', 1);
         INSERT INTO transcript_events VALUES ('s', 2, 200, 'theirs');",
        "INSERT INTO transcript_events VALUES ('s', 2, 201, 'ours'), ('s', 3, 202, 'ours');
         INSERT INTO cron_jobs VALUES ('x', 'y', '{}', '{}');
         INSERT INTO device_pairing_paired VALUES ('phone', 1);
         INSERT INTO trajectories VALUES (1), (2);
         INSERT INTO words VALUES ('ours');",
    );
    let found = found(&lab);
    assert_eq!(found.primary, ["2 conversations", "1 message"]);
    let local = [
        "2 messages",
        "1 cron job",
        "1 paired device",
        "2 rows of table trajectories",
    ];
    assert_eq!(found.local, local);
    // Diagnostic rows are nothing that somebody would miss.
    assert_eq!(found.turns, (3, 4));
}

#[test]
fn what_changes_by_itself_is_no_difference() {
    let lab = lab(
        "UPDATE session_nodes SET updated_at = 2;
         INSERT INTO cron_jobs VALUES ('x', 'y', '{}', '{\"ran\": 1}');
         INSERT INTO device_pairing_paired VALUES ('phone', 1);
         INSERT INTO state_leases VALUES ('gateway-owner');",
        "UPDATE transcript_events SET event_json = 'compacted';
         INSERT INTO cron_jobs VALUES ('x', 'y', '{}', '{\"ran\": 2}');
         INSERT INTO device_pairing_paired VALUES ('phone', 2);",
    );
    let found = found(&lab);
    assert_eq!(
        (found.primary.len(), found.local.len()),
        (0, 0),
        "{found:?}"
    );
}

#[test]
fn a_local_gateway_may_run_meanwhile() {
    let lab = lab("", "");
    let connection = Connection::open(lab.root.join(DATABASE)).unwrap();
    connection
        .execute_batch("BEGIN IMMEDIATE; INSERT INTO session_nodes VALUES ('a', 1);")
        .unwrap();
    assert_eq!(found(&lab).local.len(), 0);
    connection.execute_batch("COMMIT").unwrap();
    assert_eq!(found(&lab).local, ["1 conversation"]);
}

#[test]
fn files_are_compared_by_what_is_in_them() {
    let lab = Lab::new();
    let row = |databases: &Path| {
        make(&databases.join(DATABASE), "");
        vec![DATABASE]
    };
    let files = [
        ("openclaw.json", "theirs"),
        ("same", "same"),
        ("theirs", "t"),
    ];
    lab.generation_with(1, &files, row);
    make(&lab.root.join(DATABASE), "");
    lab.write(&[
        ("openclaw.json", "ours!!"),
        ("same", "same"),
        ("ours", "o"),
        ("cache/program", "p"),
    ]);
    let found = found(&lab);
    let of = |name: &str| {
        let path = lab.root.join(name).display().to_string();
        path.chars().take(60).collect::<String>()
    };
    let theirs = [
        format!("its own file {}", of("openclaw.json")),
        format!("file {}", of("theirs")),
    ];
    let ours = [
        format!("its own file {}", of("openclaw.json")),
        format!("file {}", of("ours")),
    ];
    let short = |lines: &[String]| -> Vec<String> {
        lines
            .iter()
            .map(|line| line.trim_end_matches("...").to_owned())
            .collect()
    };
    assert_eq!(short(&found.primary), theirs);
    assert_eq!(short(&found.local), ours);
    assert_eq!(found.turns, (0, 0));
}

#[test]
fn another_programs_rows_count_by_their_table() {
    let mut lab = lab("INSERT INTO trajectories VALUES (1);", "");
    lab.spec.state.is_openclaw = false;
    let found = found(&lab);
    assert_eq!(found.primary, ["1 row of table trajectories"]);
    assert_eq!(found.turns, (1, 0));
}

#[test]
fn a_database_of_one_side_is_a_difference() {
    let lab = lab("", "");
    make(
        &lab.root.join("agents/other/agent/openclaw-agent.sqlite"),
        "",
    );
    let found = found(&lab);
    assert_eq!(
        (found.primary.len(), found.local.len(), found.turns),
        (0, 1, (0, 1))
    );
    assert!(found.local[0].starts_with("database "), "{found:?}");
}

#[test]
fn what_the_local_gateway_served_with_is_compared_where_it_is_kept() {
    let lab = lab("", "INSERT INTO session_nodes VALUES ('ours', 1);");
    make(&lab.root.join("agents/new/agent/openclaw-agent.sqlite"), "");
    let order = Order::Place {
        number: Some(Number(1)),
        keep: true,
    };
    assert!(matches!(lab.order(order), Outcome::Placed { .. }));
    let found = found(&lab);
    assert_eq!(found.primary.len(), 0, "{found:?}");
    assert_eq!(found.local[0], "1 conversation", "{found:?}");
    assert_eq!(found.turns, (0, 2));
}

#[test]
fn names_and_numbers_of_lines_are_bounded() {
    let tables: String = (0..100)
        .map(|number| {
            let name = format!("t{number:03}\n{}", "x".repeat(100));
            format!("CREATE TABLE \"{name}\" (a); INSERT INTO \"{name}\" VALUES (1);")
        })
        .collect();
    let found = found(&lab(&tables, ""));
    assert_eq!(found.primary.len(), 21);
    assert_eq!(found.primary[20], "80 more");
    assert!(
        found
            .primary
            .iter()
            .all(|line| line.len() < 100 && !line.contains('\n'))
    );
}

#[test]
fn a_view_that_never_ends_is_never_asked() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    let found = found(&lab(
        &format!("DROP TABLE cron_jobs; CREATE VIEW cron_jobs AS {endless};"),
        "",
    ));
    assert_eq!(
        (found.primary.len(), found.local.len()),
        (0, 0),
        "{found:?}"
    );
}
