//! Ends a parked gateway without it having served, from whatever a killed command left. The kernel program stays
//! armed until nothing is left that it could have to stop.

use std::time::Duration;

use anyhow::Context as _;

use crate::gateway::parking::{
    guard,
    kernel::{self, Unit},
    manager,
    place::Place,
    proceed,
    record::{Phase, Process, Record},
};

/// Another command that is at its end, or a `park` that takes back what it began.
const LOCK: Duration = Duration::from_secs(30);

/// Ends what is parked at this place. Without anything there it is a quick success. A gateway that was continued and
/// serves keeps serving: only what held it is removed.
///
/// # Errors
/// When something is left.
pub fn discard(place: &Place) -> anyhow::Result<()> {
    if !place.record().exists() && !place.pins().exists() {
        return Ok(());
    }
    let _lock = place.lock(LOCK)?;
    match Record::read(place)? {
        Some(record) => end(place, &record),
        None => guard::remove(place),
    }
}

/// The same under the lock, for what a record says.
pub(super) fn end(place: &Place, record: &Record) -> anyhow::Result<()> {
    if !record.is_current() {
        // Nothing else outlives the machine.
        return Ok(Record::remove(place)?);
    }
    let unit = Unit::of(record)?;
    if serves(place, record, &unit) {
        return proceed::tidy(place, record, &unit);
    }
    let processes = processes(record, &unit);
    // SIGKILL first: a stop by the manager would wake a gateway whose drop-in isn't in force.
    unit.kill()?;
    let facts = manager::end(&record.unit, unit.account(), &processes)?;
    anyhow::ensure!(
        !facts.is_active(),
        "the unit is {} after its stop; `systemctl status` says more",
        facts.active_state
    );
    unit.kill().context("after the unit's stop")?;
    guard::remove(place)?;
    Ok(Record::remove(place)?)
}

/// Those of the unit, and the one that was parked, which may have ended by now.
fn processes(record: &Record, unit: &Unit) -> Vec<u32> {
    let parked = match record.phase {
        Phase::Parked { process }
        | Phase::Continuing {
            process: Some(process),
        } => Some(process.pid),
        Phase::Continuing { process: None } | Phase::Continued | Phase::Parking => None,
    };
    let mut processes = unit.processes();
    processes.extend(parked);
    processes
}

/// Was it continued, and does it listen?
fn serves(place: &Place, record: &Record, unit: &Unit) -> bool {
    match record.phase {
        Phase::Continued => true,
        Phase::Continuing {
            process: Some(Process { pid, .. }),
        } => kernel::sockets(place.port())
            .is_ok_and(|sockets| sockets.listener_of(unit, pid).is_some()),
        Phase::Continuing { process: None } | Phase::Parking | Phase::Parked { .. } => false,
    }
}
