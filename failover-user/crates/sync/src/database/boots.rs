//! OpenClaw's record of its own starts (2026.9, read and measured): one row each in its state database, open until it
//! ends in an orderly way. Three open ones within five minutes are a crash loop to it, and the next gateway comes up
//! without its channels until five minutes have passed without another.

use std::{path::Path, time::Instant};

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use crate::database::{
    close,
    error::DatabaseError,
    open::{self, Access},
};

const TABLE: &str = "gateway_boot_lifecycle";
/// One of OpenClaw's own words for an end that was no crash.
const OUTCOME: &str = "forced_stop";

/// Closes the rows of these processes, which have ended, with this reason. Returns how many there were: none where the
/// database or the table is missing.
///
/// # Errors
/// When the database can't be written until the deadline.
pub fn close_starts(
    database: &Path,
    processes: &[u32],
    reason: &str,
    deadline: Instant,
) -> Result<usize, DatabaseError> {
    if !database.exists() {
        return Ok(0);
    }
    let connection = open::connect(database, Access::SharedWrite, deadline)?;
    let kind: Option<String> = connection
        .query_row(&format!("PRAGMA main.table_list('{TABLE}')"), [], |row| {
            row.get("type")
        })
        .optional()?;
    let mut closed = 0;
    if kind.as_deref() == Some("table") {
        let now = Timestamp::now().as_millisecond();
        let statement = format!(
            "UPDATE {TABLE} SET completed_at_ms = ?1, outcome = ?2, reason = ?3 \
             WHERE pid = ?4 AND completed_at_ms IS NULL"
        );
        let transaction = connection.unchecked_transaction()?;
        for process in processes {
            closed += transaction.execute(&statement, (now, OUTCOME, reason, process))?;
        }
        transaction.commit()?;
    }
    close(connection)?;
    Ok(closed)
}
