use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

/// As OpenClaw's, with rows of two scopes.
const LEASES: &str = "
    CREATE TABLE state_leases (scope TEXT NOT NULL, lease_key TEXT NOT NULL, owner TEXT, PRIMARY KEY (scope, lease_key));
    INSERT INTO state_leases VALUES ('gateway-owner', 'a', 'pid 1'), ('other', 'b', 'x');
    CREATE TABLE agent_database_leases (path TEXT PRIMARY KEY, owner TEXT);
    INSERT INTO agent_database_leases VALUES ('/a', 'pid 1'), ('/b', 'pid 2');
";

struct Sample {
    _folder: TempDir,
    path: PathBuf,
}

/// A database that was made by these statements, in one file.
fn sample(statements: &str) -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a ?b#c%41.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA user_version = 23; CREATE TABLE turns (text TEXT);",
        )
        .unwrap();
    connection
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
             INSERT INTO turns SELECT 'turn ' || i FROM n;",
        )
        .unwrap();
    connection.execute_batch(statements).unwrap();
    connection.close().unwrap();
    Sample {
        _folder: folder,
        path,
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn checked(sample: &Sample) -> Result<Checked, DatabaseError> {
    check(&sample.path, Leases::Remove, soon())
}

fn rows(path: &Path, query: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row(query, [], |row| row.get(0)).unwrap()
}

/// The names in the folder of a database.
fn beside(sample: &Sample) -> usize {
    fs::read_dir(sample.path.parent().unwrap()).unwrap().count()
}

#[test]
fn a_whole_one_stays_as_it_is() {
    let sample = sample("");
    let before = fs::read(&sample.path).unwrap();
    let found = checked(&sample).unwrap();
    assert_eq!(
        found,
        Checked {
            user_version: 23,
            leases: 0
        }
    );
    assert_eq!(fs::read(&sample.path).unwrap(), before);
    assert_eq!(beside(&sample), 1);
}

#[test]
fn leases_of_processes_go_and_nothing_else_does() {
    let sample = sample(LEASES);
    assert_eq!(checked(&sample).unwrap().leases, 3);
    assert_eq!(beside(&sample), 1);
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM state_leases"), 1);
    assert_eq!(
        rows(&sample.path, "SELECT count(*) FROM agent_database_leases"),
        0
    );
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM turns"), 2_000);
    assert_eq!(checked(&sample).unwrap().leases, 0);
}

#[test]
fn starts_of_another_host_go_with_its_leases() {
    let sample = sample(STARTS);
    let before = fs::metadata(&sample.path).unwrap();
    assert_eq!(checked(&sample).unwrap().leases, 3);
    assert_eq!(
        rows(&sample.path, "SELECT count(*) FROM gateway_boot_lifecycle"),
        0
    );
    // To rsync it is the file that the other host has.
    let after = fs::metadata(&sample.path).unwrap();
    assert_eq!(after.modified().unwrap(), before.modified().unwrap());
    assert_eq!(after.len(), before.len());
}

#[test]
fn one_without_a_write_ahead_log_is_one_file_as_well() {
    let sample = sample(&format!("PRAGMA journal_mode = DELETE; {LEASES}"));
    assert_eq!(checked(&sample).unwrap().leases, 3);
    assert_eq!(beside(&sample), 1);
}

#[test]
fn tables_of_these_names_are_another_programs_own_business() {
    let sample = sample(LEASES);
    assert_eq!(check(&sample.path, Leases::Keep, soon()).unwrap().leases, 0);
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM state_leases"), 2);
}

#[test]
fn a_generation_that_shares_the_file_keeps_its_own() {
    let sample = sample(LEASES);
    let older = sample.path.with_extension("older");
    fs::hard_link(&sample.path, &older).unwrap();
    let before = fs::read(&older).unwrap();
    assert_eq!(checked(&sample).unwrap().leases, 3);
    assert_eq!(fs::read(&older).unwrap(), before);
    assert_eq!(fs::metadata(&sample.path).unwrap().nlink(), 1);
    // And one without leases goes on being shared.
    let again = sample.path.with_extension("again");
    fs::hard_link(&sample.path, &again).unwrap();
    checked(&sample).unwrap();
    assert_eq!(fs::metadata(&sample.path).unwrap().nlink(), 2);
}

#[test]
fn a_torn_one_is_broken_wherever_it_was_torn() {
    let whole = sample("");
    let length = fs::metadata(&whole.path).unwrap().len();
    for kept in [length - 4_096, length - 1, length / 2, 4_096, 100] {
        let sample = sample("");
        File::options()
            .write(true)
            .open(&sample.path)
            .unwrap()
            .set_len(kept)
            .unwrap();
        let error = checked(&sample).unwrap_err();
        assert!(matches!(error, DatabaseError::Broken(_)), "{kept}: {error}");
    }
    for kept in [0, 99] {
        let sample = sample("");
        File::options()
            .write(true)
            .open(&sample.path)
            .unwrap()
            .set_len(kept)
            .unwrap();
        let error = checked(&sample).unwrap_err();
        assert!(
            matches!(error, DatabaseError::NotADatabase),
            "{kept}: {error}"
        );
    }
}

#[test]
fn a_page_of_another_moment_is_found() {
    let sample = sample("");
    let mut file = File::options().write(true).open(&sample.path).unwrap();
    file.seek(SeekFrom::Start(2 * 4_096)).unwrap();
    file.write_all(&[0x5a; 4_096]).unwrap();
    let error = checked(&sample).unwrap_err();
    assert!(matches!(error, DatabaseError::Broken(_)), "{error}");
}

#[test]
fn what_is_no_database_is_refused() {
    let sample = sample("");
    fs::write(&sample.path, "x".repeat(100_000)).unwrap();
    let error = checked(&sample).unwrap_err();
    assert!(matches!(error, DatabaseError::NotADatabase), "{error}");
    fs::remove_file(&sample.path).unwrap();
    fs::create_dir(&sample.path).unwrap();
    let error = checked(&sample).unwrap_err();
    assert!(matches!(error, DatabaseError::NotAFile), "{error}");
}

#[test]
fn a_link_is_not_followed() {
    let sample = sample(LEASES);
    let link = sample.path.with_extension("link");
    symlink(&sample.path, &link).unwrap();
    let error = check(&link, Leases::Remove, soon()).unwrap_err();
    assert!(matches!(error, DatabaseError::NotAFile), "{error}");
    // Not on the way either.
    let folder = sample.path.parent().unwrap().join("folder");
    symlink(sample.path.parent().unwrap(), &folder).unwrap();
    let path = folder.join(sample.path.file_name().unwrap());
    let shared = open::suffixed(&sample.path, "-shm");
    fs::write(&shared, "of who uses it").unwrap();
    check(&path, Leases::Remove, soon()).unwrap_err();
    assert!(shared.exists());
    fs::remove_file(&shared).unwrap();
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM state_leases"), 2);
}

#[test]
fn a_log_beside_it_is_not_played_into_it() {
    let sample = sample(LEASES);
    let log = open::suffixed(&sample.path, "-wal");
    fs::write(&log, "x").unwrap();
    let error = checked(&sample).unwrap_err();
    assert!(matches!(error, DatabaseError::Leftover(_)), "{error}");
    // Empty ones have no changes.
    fs::write(&log, "").unwrap();
    fs::write(open::suffixed(&sample.path, "-shm"), "x").unwrap();
    checked(&sample).unwrap();
    assert_eq!(beside(&sample), 1);
}

#[test]
fn triggers_of_a_lease_table_do_not_run() {
    let sample = sample(&format!(
        "{LEASES}
         CREATE TRIGGER one BEFORE DELETE ON state_leases BEGIN DELETE FROM turns; END;
         CREATE TRIGGER two BEFORE DELETE ON agent_database_leases BEGIN SELECT RAISE(ABORT, 'no'); END;"
    ));
    assert_eq!(checked(&sample).unwrap().leases, 3);
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM turns"), 2_000);
}

#[test]
fn a_view_or_a_virtual_table_in_place_of_leases_is_refused_unread() {
    for statements in [
        "CREATE VIEW state_leases AS SELECT 'gateway-owner' AS scope FROM turns;
         CREATE TRIGGER one INSTEAD OF DELETE ON state_leases BEGIN DELETE FROM turns; END;",
        "CREATE VIEW Agent_Database_Leases AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;",
        "CREATE VIRTUAL TABLE state_leases USING fts5(scope);",
        // Hides the function by which kinds can be asked for.
        "CREATE VIEW state_leases AS SELECT 1 AS scope;
         CREATE TABLE pragma_table_list (schema, name, type);
         INSERT INTO pragma_table_list VALUES ('main', 'state_leases', 'table');",
    ] {
        let sample = sample(statements);
        let begin = Instant::now();
        let error = checked(&sample).unwrap_err();
        assert!(matches!(error, DatabaseError::NotATable { .. }), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(5));
        assert_eq!(rows(&sample.path, "SELECT count(*) FROM turns"), 2_000);
    }
}

#[test]
fn a_view_that_never_ends_is_never_asked() {
    let sample = sample(
        "CREATE VIEW sessions AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;",
    );
    checked(&sample).unwrap();
}

#[test]
fn a_query_that_never_ends_ends_at_the_deadline() {
    let sample = sample("");
    let begin = Instant::now();
    let deadline = begin + Duration::from_millis(200);
    let connection = open::connect(&sample.path, Access::Immutable, deadline).unwrap();
    let endless =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let error = connection.query_row(endless, [], |_| Ok(())).unwrap_err();
    assert!(matches!(error.into(), DatabaseError::TooLong));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_page_count_that_the_file_lacks_is_broken() {
    let sample = sample("");
    let mut file = File::options().write(true).open(&sample.path).unwrap();
    // "In-header database size", <https://www.sqlite.org/fileformat2.html>.
    file.seek(SeekFrom::Start(28)).unwrap();
    file.write_all(&u32::MAX.to_be_bytes()).unwrap();
    let error = checked(&sample).unwrap_err();
    assert!(matches!(error, DatabaseError::Broken(_)), "{error}");
}

#[test]
fn two_gigabytes_of_nothing_take_no_longer_than_the_limit() {
    let sample = sample("");
    let pages: u32 = (2 << 30) / 4_096;
    let mut file = File::options().write(true).open(&sample.path).unwrap();
    file.set_len(2 << 30).unwrap();
    file.seek(SeekFrom::Start(28)).unwrap();
    file.write_all(&pages.to_be_bytes()).unwrap();
    let begin = Instant::now();
    let deadline = begin + Duration::from_millis(500);
    let error = check(&sample.path, Leases::Remove, deadline).unwrap_err();
    assert!(
        matches!(error, DatabaseError::Broken(_) | DatabaseError::TooLong),
        "{error}"
    );
    assert!(
        begin.elapsed() < Duration::from_secs(5),
        "{:?}",
        begin.elapsed()
    );
}

#[test]
fn what_sqlite_says_of_a_hostile_schema_is_short_and_printable() {
    let sample = sample("");
    let connection = Connection::open(&sample.path).unwrap();
    let name = format!("a\n\u{1b}[2J{}", "b".repeat(2_000));
    connection
        .execute_batch(&format!(
            "CREATE TABLE \"{name}\" (a INT NOT NULL); PRAGMA ignore_check_constraints = ON;
             CREATE TABLE other (a); INSERT INTO other VALUES (NULL);
             PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET sql = replace(sql, 'other (a)', 'other (a NOT NULL)');
             UPDATE sqlite_schema SET rootpage = 2 WHERE name = '{name}';"
        ))
        .unwrap();
    connection.close().unwrap();
    let error = checked(&sample).unwrap_err().to_string();
    assert!(error.chars().count() < 300, "{error}");
    assert!(!error.contains(char::is_control), "{error}");
}

/// As OpenClaw's, with a start that ended, two that didn't, and one of a process with the same number.
const STARTS: &str = "
    CREATE TABLE gateway_boot_lifecycle (boot_id TEXT PRIMARY KEY, pid INTEGER, started_at_ms INTEGER,
        completed_at_ms INTEGER, outcome TEXT, startup_reason TEXT, reason TEXT);
    INSERT INTO gateway_boot_lifecycle VALUES
        ('a', 7, 1, 2, 'clean_stop', NULL, 'stop (SIGTERM)'),
        ('b', 7, 3, NULL, NULL, NULL, NULL),
        ('c', 8, 4, NULL, NULL, NULL, NULL);
";

#[test]
fn a_start_that_was_ended_on_purpose_counts_as_no_crash() {
    let starts = sample(STARTS);
    let closed = close_starts(&starts.path, &[7, 9], "parked", soon()).unwrap();
    assert_eq!(closed, 1);
    let count = |what: &str| {
        let query = format!("SELECT count(*) FROM gateway_boot_lifecycle WHERE {what}");
        rows(&starts.path, &query)
    };
    assert_eq!(count("boot_id = 'b' AND outcome = 'forced_stop'"), 1);
    assert_eq!(
        count("boot_id = 'b' AND completed_at_ms > started_at_ms"),
        1
    );
    assert_eq!(
        count("boot_id = 'a' AND outcome = 'clean_stop' AND completed_at_ms = 2"),
        1
    );
    // Another process's is left alone, and so is a database without such a table.
    assert_eq!(count("boot_id = 'c' AND completed_at_ms IS NULL"), 1);
    let other = sample(LEASES);
    assert_eq!(
        close_starts(&other.path, &[7], "parked", soon()).unwrap(),
        0
    );
    let missing = other.path.with_extension("missing");
    assert_eq!(close_starts(&missing, &[7], "parked", soon()).unwrap(), 0);
    assert!(!missing.exists());
}

#[test]
fn a_live_one_is_copied_with_what_is_only_in_its_log() {
    let sample = sample(LEASES);
    let live = Connection::open(&sample.path).unwrap();
    live.execute_batch(
        "INSERT INTO turns VALUES ('in the log'); BEGIN; INSERT INTO turns VALUES ('not yet');",
    )
    .unwrap();
    let copy = sample.path.with_extension("copy");
    copy_out(&sample.path, &copy, Leases::Remove, soon()).unwrap();
    assert_eq!(rows(&copy, "SELECT count(*) FROM turns"), 2_001);
    let checked = check(&copy, Leases::Remove, soon()).unwrap();
    assert_eq!(
        checked,
        Checked {
            user_version: 23,
            leases: 0
        }
    );
    // The live one has its own.
    assert_eq!(rows(&sample.path, "SELECT count(*) FROM state_leases"), 2);
    // And nothing is overwritten.
    copy_out(&sample.path, &copy, Leases::Remove, soon()).unwrap_err();
}

#[test]
fn a_draft_is_only_made_where_there_are_leases_to_keep() {
    let (new, live) = (sample("INSERT INTO turns VALUES ('new');"), sample(""));
    let nowhere = Path::new("/nowhere/draft");
    copy_into(&new.path, &live.path, nowhere, Leases::Remove, soon()).unwrap();
    assert_eq!(rows(&live.path, "SELECT count(*) FROM turns"), 2_001);
    let (new, live) = (sample(LEASES), sample(LEASES));
    checked(&new).unwrap();
    copy_into(&new.path, &live.path, nowhere, Leases::Remove, soon()).unwrap_err();
}
