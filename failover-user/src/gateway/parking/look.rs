//! What there is of a parked gateway, as the kernel has it: the record only says where to look.

use std::time::Duration;

use failover_linux::process::{self, ProcessKey};

use crate::gateway::parking::{
    guard,
    kernel::{self, Unit},
    place::Place,
    record::{Phase, Process, Record, time},
    situation::{Broken, Parked, Situation},
};

/// Looks. Blocking, and bounded: a handful of small files, and the sockets of one port.
#[must_use]
pub fn look(place: &Place) -> Situation {
    let record = match Record::read(place) {
        Ok(Some(record)) => record,
        Ok(None) => return Situation::Absent,
        Err(error) => return Situation::Broken(Broken::Unreadable(error.to_string())),
    };
    if !record.is_current() {
        return Situation::Broken(Broken::Stale);
    }
    match record.phase {
        Phase::Parking if place.is_busy() => Situation::Parking {
            since: time(record.times.begun),
        },
        Phase::Parking => Situation::Broken(Broken::Interrupted),
        Phase::Parked { process } => match parked(place, &record, process) {
            Ok(parked) => Situation::Parked(parked),
            Err(broken) => Situation::Broken(broken),
        },
        Phase::Continuing { .. } | Phase::Continued => Situation::Continuing,
    }
}

fn parked(place: &Place, record: &Record, process: Process) -> Result<Parked, Broken> {
    let unreadable = |error: &dyn std::fmt::Display| Broken::Unreadable(error.to_string());
    let unit = Unit::of(record).map_err(|error| unreadable(&format!("{error:#}")))?;
    let key = ProcessKey::from(process);
    if ProcessKey::of(process.pid) != Some(key) {
        return Err(Broken::Gone);
    }
    if !unit.is_frozen() {
        return Err(Broken::Thawed);
    }
    if !process::is_stopped(key) {
        return Err(Broken::Continued);
    }
    let sockets =
        kernel::sockets(place.port()).map_err(|error| unreadable(&format!("{error:#}")))?;
    if sockets.listener_of(&unit, process.pid).is_some() {
        return Err(Broken::Listening);
    }
    if !sockets.is_bound_by(&unit, process.pid) {
        return Err(Broken::Unbound);
    }
    if !guard::is_armed(place) {
        return Err(Broken::Unguarded);
    }
    let at = record.times.parked.unwrap_or(record.times.begun);
    Ok(Parked {
        since: time(at),
        took: Duration::from_millis(at.saturating_sub(record.times.begun)),
        process: key,
        sent: record.sent,
        memory: unit.memory(),
        outdated: record.read.changed(unit.account()),
    })
}
