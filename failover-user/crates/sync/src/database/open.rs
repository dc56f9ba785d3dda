//! Opens a database as SQLite recommends it for files from somebody else ("Defense Against The Dark Arts", its
//! security page): nothing in its schema is run, it reads no other file, and what it can cost is limited.

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
    time::Instant,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};

use crate::{database::error::DatabaseError, files};

/// How often the deadline is compared with the clock, in instructions of SQLite's machine: under a millisecond.
const OPERATIONS: i32 = 1_000;
/// One value, in bytes: pictures are in messages. SQLite's own limit is a billion.
const LONGEST_VALUE: i32 = 128 << 20;
/// One statement, in bytes, and so the definition of one table.
const LONGEST_STATEMENT: i32 = 1 << 20;
/// All of SQLite in this process, in bytes.
const MOST_MEMORY: i64 = 512 << 20;
/// The shortest that can be a database: its header (<https://www.sqlite.org/fileformat2.html#the_database_header>).
const HEADER: u64 = 100;

/// How a database is opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    /// To be read, and nobody writes to it. Not even a lock is taken, and what lies beside it is ignored.
    Immutable,
    /// To be changed, and nobody else uses it.
    Alone,
    /// To be read while others use it.
    Shared,
    /// To be changed while others use it.
    SharedWrite,
}

/// Fails where a file can't be a database.
pub(super) fn is_database(path: &Path) -> Result<(), DatabaseError> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_file() {
        return Err(DatabaseError::NotAFile);
    }
    // SQLite takes an empty file for an empty database.
    if metadata.len() < HEADER {
        return Err(DatabaseError::NotADatabase);
    }
    Ok(())
}

/// Fails where a file isn't a whole database by itself. What is beside it and empty is removed.
pub(super) fn is_one_file(path: &Path) -> Result<(), DatabaseError> {
    is_database(path)?;
    // By a link on the way it would be another one's, with what lies beside that.
    if fs::canonicalize(path)? != path {
        return Err(DatabaseError::NotAFile);
    }
    for (beside, has_changes) in [("-wal", true), ("-journal", true), ("-shm", false)] {
        let beside = suffixed(path, beside);
        let is_empty = match fs::symlink_metadata(&beside) {
            Ok(metadata) => metadata.len() == 0 && metadata.is_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error.into()),
        };
        if has_changes && !is_empty {
            return Err(DatabaseError::Leftover(beside));
        }
        files::remove(&beside)?;
    }
    Ok(())
}

/// Gives a file with several names a copy of its own under this one.
pub(super) fn give_own_copy(path: &Path) -> Result<(), DatabaseError> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.nlink() == 1 {
        return Ok(());
    }
    let draft = suffixed(path, ".copy");
    files::remove(&draft)?;
    let mut source = files::open_regular(path)?;
    files::write(&draft, &[])?;
    let mut copy = File::options().write(true).open(&draft)?;
    io::copy(&mut source, &mut copy)?;
    copy.set_permissions(fs::Permissions::from_mode(metadata.mode() & 0o7777))?;
    fs::rename(&draft, path)?;
    Ok(())
}

/// Opens a database. Each statement ends when the deadline is over.
pub(super) fn connect(
    path: &Path,
    access: Access,
    deadline: Instant,
) -> Result<Connection, DatabaseError> {
    // What is small is done before SQLite looks at the clock.
    if Instant::now() >= deadline {
        return Err(DatabaseError::TooLong);
    }
    let common = OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match access {
        Access::Immutable => Connection::open_with_flags(
            immutable(path),
            common | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
        ),
        Access::Alone | Access::SharedWrite => {
            Connection::open_with_flags(path, common | OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        Access::Shared => {
            Connection::open_with_flags(path, common | OpenFlags::SQLITE_OPEN_READ_ONLY)
        }
    }?;
    confine(&connection, deadline)?;
    match access {
        // Not even exclusive locking: with it a journal outlives its connection.
        Access::Immutable | Access::Alone => {}
        Access::Shared | Access::SharedWrite => {
            connection.busy_timeout(deadline.saturating_duration_since(Instant::now()))?;
        }
    }
    Ok(connection)
}

/// Turns off what a schema could use, and limits what a query can cost.
fn confine(connection: &Connection, deadline: Instant) -> Result<(), DatabaseError> {
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false),
    ] {
        connection.set_db_config(setting, value)?;
    }
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, LONGEST_VALUE),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, LONGEST_STATEMENT),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 10),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.progress_handler(OPERATIONS, Some(move || Instant::now() >= deadline))?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    connection.pragma_update(None, "hard_heap_limit", MOST_MEMORY)?;
    Ok(())
}

/// As a URI, in which every byte that could mean something is escaped (<https://www.sqlite.org/uri.html>).
fn immutable(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// The name of a file beside it.
pub(super) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
