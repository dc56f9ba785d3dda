//! Copies a database while others have it open, by SQLite's backup API: out of a live one, or into it.
//!
//! A process that has the live one open sees either the old rows or the new ones, and needn't open it again.

use std::{
    fs::File,
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection,
    backup::{Backup, StepResult},
};

use crate::{
    database::{
        Leases, close,
        error::DatabaseError,
        leases,
        open::{self, Access},
    },
    files,
};

/// Between two looks at the clock, in pages.
const PAGES: i32 = 2_000;
/// Until a lock is tried for again.
const PAUSE: Duration = Duration::from_millis(5);

/// Makes a copy of a live database: one file, without leases, that only this account can read.
///
/// # Errors
/// When there is something at the target, the database can't be read, or it takes longer than until the deadline.
pub fn copy_out(
    live: &Path,
    target: &Path,
    leases: Leases,
    deadline: Instant,
) -> Result<(), DatabaseError> {
    open::is_database(live)?;
    let source = open::connect(live, Access::Shared, deadline)?;
    files::write(target, &[])?;
    // Not locked for good: then the journal of the copy would stay beside it.
    let mut copy = open::connect(target, Access::SharedWrite, deadline)?;
    transfer(&source, &mut copy, deadline)?;
    close(source)?;
    // It has the live one's mode, which may be one with a log.
    let _: String = copy.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    close(copy)?;
    if leases == Leases::Remove {
        let copy = open::connect(target, Access::Alone, deadline)?;
        let tables = leases::tables(&copy)?;
        leases::remove(&copy, &tables)?;
        close(copy)?;
    }
    open::is_one_file(target)
}

/// Puts a copy of a database in place of what a live one has, but for the live one's own leases. Those of the copy are
/// gone already ([`super::check`]). Where the live one has leases, what goes into it is made at the draft's path.
///
/// # Errors
/// When the live one isn't there, keeps being locked, or has another page size: then it is as it was.
pub fn copy_into(
    copy: &Path,
    live: &Path,
    draft: &Path,
    leases: Leases,
    deadline: Instant,
) -> Result<(), DatabaseError> {
    open::is_one_file(copy)?;
    open::is_database(live)?;
    let mut live = open::connect(live, Access::SharedWrite, deadline)?;
    let tables = match leases {
        Leases::Remove => leases::tables(&live)?,
        Leases::Keep => Vec::new(),
    };
    let source = match leases::count(&live, &tables)? {
        0 => open::connect(copy, Access::Immutable, deadline)?,
        _ => {
            files::write(draft, &[])?;
            let file = File::options().write(true).open(draft)?;
            io::copy(&mut files::open_regular(copy)?, &mut &file)?;
            let draft = open::connect(draft, Access::Alone, deadline)?;
            leases::copy(&live, &draft)?;
            draft
        }
    };
    transfer(&source, &mut live, deadline)?;
    close(source)?;
    // SQLite does that by itself after statements, but not after a backup; without it the log grows by each one.
    live.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    close(live)
}

/// All pages, in one transaction of the target.
fn transfer(
    source: &Connection,
    target: &mut Connection,
    deadline: Instant,
) -> Result<(), DatabaseError> {
    let backup = Backup::new(source, target)?;
    loop {
        let step = backup.step(PAGES)?;
        if matches!(step, StepResult::Done) {
            return Ok(());
        }
        let is_late = Instant::now() >= deadline;
        match step {
            StepResult::Busy | StepResult::Locked if is_late => return Err(DatabaseError::Locked),
            _ if is_late => return Err(DatabaseError::TooLong),
            StepResult::Busy | StepResult::Locked => thread::sleep(PAUSE),
            _ => {}
        }
    }
}
