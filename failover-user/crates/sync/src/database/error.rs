//! Why a database isn't used.

use std::{io, path::PathBuf};

use rusqlite::ErrorCode;

/// Of what a database makes SQLite say, in characters: some of it is from the database.
const LONGEST_DETAIL: usize = 200;

/// Why a database isn't used. What is said of it doesn't name it: the caller does.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A folder, link, pipe or device.
    #[error("it isn't a regular file")]
    NotAFile,
    /// A write-ahead log or journal lies beside it.
    #[error(
        "{} lies beside it with changes that it lacks: it is a copy of a file in use, not one made by SQLite", .0.display()
    )]
    Leftover(PathBuf),
    /// Its header is another one's.
    #[error("it isn't an SQLite database")]
    NotADatabase,
    /// Pages are missing, or are not what they should be.
    #[error("it is broken: {0}")]
    Broken(String),
    /// A table that is written to is a view or runs code of its own.
    #[error("its {table} is a {kind} where a table belongs: nothing in it is trusted")]
    NotATable {
        /// Its name.
        table: &'static str,
        /// What SQLite says that it is.
        kind: String,
    },
    /// It takes longer than the limit allows.
    #[error("it took longer than the limit allows; raise the limit if the database is that large")]
    TooLong,
    /// Another process is in a transaction.
    #[error("another process kept it locked; try again")]
    Locked,
    /// SQLite can't do something.
    #[error("{0}")]
    Sql(String),
    /// The file can't be used.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl DatabaseError {
    /// From what SQLite has found.
    pub(super) fn broken(detail: &str) -> Self {
        Self::Broken(bounded(detail))
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotADatabase,
            Some(ErrorCode::DatabaseCorrupt) => Self::broken(&error.to_string()),
            Some(ErrorCode::OperationInterrupted) => Self::TooLong,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            _ => Self::Sql(bounded(&error.to_string())),
        }
    }
}

/// One short line that can be printed.
fn bounded(text: &str) -> String {
    let line = text.chars().take(LONGEST_DETAIL);
    line.map(|character| match character.is_control() {
        true => ' ',
        false => character,
    })
    .collect()
}
