//! The client's side of a drill: it is ordered, watched in the status, and reported. Blocking. It must not know how a
//! gateway is parked.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use failover_decide::StateKind;

use crate::{
    control::{AskError, Request, ask, order},
    named::Value,
    standby::drill::DrillResult,
    status::document::{Document, Drill, Standby},
};

/// Between two looks at the status.
const PACE: Duration = Duration::from_millis(250);
/// Far longer than any start is given; the daemon has the limits that count.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum DrillError {
    /// The daemon doesn't answer, or refuses.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The daemon is of a version without drills.
    #[error(
        "the daemon has no drills: it is of an older version; restart it: systemctl restart failover"
    )]
    Unknown,
    /// It doesn't end.
    #[error("no result after {} h; see the daemon's log", PATIENCE.as_secs() / 3600)]
    Overdue,
    /// The daemon stopped, or forgot the drill.
    #[error("the drill ended without a result; see the daemon's log")]
    NoResult,
}

/// Orders a drill of the daemon at this socket, and waits for its result.
///
/// # Errors
/// When there is no drill, or no result.
pub fn drill(socket: &Path) -> Result<Drill, DrillError> {
    let before = standby(socket)?.last_drill;
    order(socket, &Request::Drill)?;
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let standby = standby(socket)?;
        match standby.last_drill {
            Some(drill) if before.as_ref() != Some(&drill) => return Ok(drill),
            Some(_) | None if !standby.drill_runs => return Err(DrillError::NoResult),
            Some(_) | None => thread::sleep(PACE),
        }
    }
    Err(DrillError::Overdue)
}

/// Takes over for real, and hands back. How long each took.
///
/// # Errors
/// When the daemon refuses, or doesn't get there.
pub fn full_drill(socket: &Path, yes: bool) -> Result<[Duration; 2], DrillError> {
    let takeover = Request::Takeover { force: true, yes };
    order(socket, &takeover)?;
    let taken = reached(socket, StateKind::Active)?;
    order(socket, &Request::Release { hold_seconds: None })?;
    let handed_back = reached(socket, StateKind::Standby)?;
    Ok([taken, handed_back])
}

/// Waits for this state.
fn reached(socket: &Path, state: StateKind) -> Result<Duration, DrillError> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let status: Document = ask(socket, &Request::Status)?;
        if status.state == state {
            return Ok(begun.elapsed());
        }
        thread::sleep(PACE);
    }
    Err(DrillError::Overdue)
}

fn standby(socket: &Path) -> Result<Standby, DrillError> {
    let status: Document = ask(socket, &Request::Status)?;
    status.standby.ok_or(DrillError::Unknown)
}

/// Has it shown that PC-B could take over?
#[must_use]
pub fn has_passed(drill: &Drill) -> bool {
    match &drill.result {
        Value::Known(DrillResult::Passed) => true,
        Value::Known(
            DrillResult::Sent
            | DrillResult::Uncounted
            | DrillResult::Failed
            | DrillResult::Interrupted,
        )
        | Value::Unknown(_) => false,
    }
}
