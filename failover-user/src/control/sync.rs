//! The client's side of orders about copies: an order is given, watched in the status, and reported. Blocking. It must not
//! know how anything is copied.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::{
    control::{AskError, Request, ask, order},
    status::{
        Document,
        copies::{Ended, Sync},
    },
    sync::{lineage::Side, operator::SyncOrder},
    wording,
};

/// Between two looks at the status.
const PACE: Duration = Duration::from_millis(250);
/// Longer than checking a copy of some GB again may take; the daemon has the limits that count.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The daemon doesn't answer, or refuses.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Nothing is copied.
    #[error("nothing is copied from PC-A; set `sync-from` in the daemon's configuration")]
    Off,
    /// It doesn't end.
    #[error("no result after {} h; see the daemon's log", PATIENCE.as_secs() / 3600)]
    Overdue,
}

/// What is known of the copies.
///
/// # Errors
/// When the daemon doesn't answer, or nothing is copied.
pub fn status(socket: &Path) -> Result<Sync, SyncError> {
    let status: Document = ask(socket, &Request::Status)?;
    status.sync.ok_or(SyncError::Off)
}

/// Orders a round, and waits for what comes of it: did it succeed, and what there is then, for people.
///
/// # Errors
/// When there is no round, or no result.
pub fn now(socket: &Path) -> Result<(bool, String), SyncError> {
    let before = status(socket)?;
    let request = |order| Request::Sync { order };
    order(socket, &request(SyncOrder::Now))?;
    let failures = |sync: &Sync| {
        sync.failing
            .as_ref()
            .map(|failing| (failing.since.clone(), failing.count))
    };
    let after = until(socket, |sync| {
        sync.fresh != before.fresh || failures(sync) != failures(&before)
    })?;
    Ok(match &after.failing {
        Some(failing) => (false, failing.why.clone()),
        None => (true, after.brief()),
    })
}

/// Has all copies checked again, or one put in place, and waits for the result.
///
/// # Errors
/// When the daemon refuses, or there is no result.
pub fn carried_out(socket: &Path, what: SyncOrder) -> Result<Ended, SyncError> {
    let before = status(socket)?.last;
    order(socket, &Request::Sync { order: what })?;
    let after = until(socket, |sync| sync.last.is_some() && sync.last != before)?;
    after.last.ok_or(SyncError::Overdue)
}

/// Has this side's state stay. What that means, for people.
///
/// # Errors
/// When the daemon refuses.
pub fn choose(socket: &Path, side: Side) -> Result<String, SyncError> {
    let what = SyncOrder::Choose { side };
    order(socket, &Request::Sync { order: what })?;
    Ok(wording::sync::chosen_means(side).to_owned())
}

fn until(socket: &Path, is_done: impl Fn(&Sync) -> bool) -> Result<Sync, SyncError> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let sync = status(socket)?;
        if is_done(&sync) {
            return Ok(sync);
        }
        thread::sleep(PACE);
    }
    Err(SyncError::Overdue)
}
