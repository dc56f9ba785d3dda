//! SQLite databases from another host, which may be hostile: opened with everything off that a schema could use,
//! checked, and freed of what belongs to the other host's processes.
//!
//! It knows no generation and no gateway; which tables are leases, and which one has its starts, is all that it knows of
//! OpenClaw.

mod backup;
mod boots;
mod compare;
mod error;
mod leases;
mod open;
#[cfg(test)]
mod tests;

use std::{fs, path::Path, time::Instant};

use rusqlite::Connection;

pub(crate) use self::compare::{Rows, compare};
use self::open::Access;
pub use self::{
    backup::{copy_into, copy_out},
    boots::close_starts,
    error::DatabaseError,
};

use crate::files;

/// Whether a database's leases are removed: rows that say which process of which host uses it now, or has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Leases {
    /// Those of OpenClaw: a gateway that finds another host's refuses to start for 300 s.
    Remove,
    /// They are nobody's business, or there can be none.
    Keep,
}

/// A database that is whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Checked {
    /// Its schema's number, `PRAGMA user_version`.
    pub user_version: i64,
    /// The number of leases that were removed.
    pub leases: usize,
}

/// Checks a copy of a database that nobody uses, and removes its leases. It is one file before and after, and is
/// only written to if it has leases; other names of the file keep what they have. Its time stays: by size and time
/// rsync sees that it is what the other host still has.
///
/// # Errors
/// When it is broken or unsafe, or the check takes longer than until the deadline.
pub fn check(path: &Path, leases: Leases, deadline: Instant) -> Result<Checked, DatabaseError> {
    open::is_one_file(path)?;
    let connection = open::connect(path, Access::Immutable, deadline)?;
    let user_version = user_version(&connection)?;
    has_whole_pages(&connection, path)?;
    quick_check(&connection)?;
    let found = match leases {
        Leases::Remove => leases::tables(&connection)?,
        Leases::Keep => Vec::new(),
    };
    let count = leases::count(&connection, &found)?;
    close(connection)?;
    if count > 0 {
        let modified = fs::symlink_metadata(path)?.modified()?;
        open::give_own_copy(path)?;
        let connection = open::connect(path, Access::Alone, deadline)?;
        leases::remove(&connection, &found)?;
        close(connection)?;
        open::is_one_file(path)?;
        files::open_regular(path)?.set_modified(modified)?;
    }
    Ok(Checked {
        user_version,
        leases: count,
    })
}

/// Checks a copy of a database as thoroughly as SQLite can, every index as well; the number of its schema.
///
/// # Errors
/// As [`check`].
pub(crate) fn verify(path: &Path, deadline: Instant) -> Result<i64, DatabaseError> {
    open::is_one_file(path)?;
    let connection = open::connect(path, Access::Immutable, deadline)?;
    let user_version = user_version(&connection)?;
    has_whole_pages(&connection, path)?;
    report(&connection, "PRAGMA integrity_check(1)")?;
    Ok(user_version)
}

/// The schema's number of a database that another process may use.
///
/// # Errors
/// When it can't be read until the deadline.
pub fn user_version_of(path: &Path, deadline: Instant) -> Result<i64, DatabaseError> {
    open::is_database(path)?;
    user_version(&open::connect(path, Access::Shared, deadline)?)
}

/// SQLite reads what is missing of the last page as zeros.
fn has_whole_pages(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let page: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let length = fs::symlink_metadata(path)?.len();
    match length.checked_rem(u64::from(page)) {
        Some(0) => Ok(()),
        Some(_) | None => Err(DatabaseError::broken("it ends within a page")),
    }
}

/// Every page is there, used once and in order, and every row can be read. Not whether each row is in each index,
/// which takes many times as long.
fn quick_check(connection: &Connection) -> Result<(), DatabaseError> {
    report(connection, "PRAGMA quick_check(1)")
}

fn report(connection: &Connection, check: &str) -> Result<(), DatabaseError> {
    let found: String = connection.query_row(check, [], |row| row.get(0))?;
    match found.as_str() {
        "ok" => Ok(()),
        _ => Err(DatabaseError::broken(&found)),
    }
}

fn user_version(connection: &Connection) -> Result<i64, DatabaseError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Reports what dropping a connection would ignore.
fn close(connection: Connection) -> Result<(), DatabaseError> {
    connection
        .close()
        .map_err(|(_, error)| DatabaseError::from(error))
}
