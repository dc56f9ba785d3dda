//! Continues a parked gateway, so that it listens: every check first, then as little as possible up to its SIGCONT, and then
//! what held it is removed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use failover_linux::process::ProcessKey;
use rustix::process::Signal;

use crate::gateway::parking::{
    guard,
    kernel::{self, InTheWay, Unit},
    manager::{self, ManagerVerb},
    place::Place,
    record::{Phase, Record},
};

/// A `park` that was killed is at its end.
const LOCK: Duration = Duration::from_secs(2);

/// Continues the gateway of this place, so that it serves; one that doesn't run is started.
///
/// # Errors
/// When another socket is in its way, its process has ended, or it can't be continued. Then discard it.
pub fn proceed(place: &Place) -> anyhow::Result<()> {
    let began = Instant::now();
    let _lock = place.lock(LOCK)?;
    let record = Record::read(place)?
        .with_context(|| format!("port {} has no parked gateway", place.port()))?;
    ensure!(
        record.is_current(),
        "the machine was restarted since; `failover parking discard` removes the record"
    );
    let unit = Unit::of(&record)?;
    match record.phase {
        Phase::Parked { process }
        | Phase::Continuing {
            process: Some(process),
        } => {
            let record = release(place, record, &unit, process.into())?;
            println!("continued after {:.1} ms", milliseconds(began.elapsed()));
            remove_hold(place, &record, &unit);
            Ok(())
        }
        Phase::Parking | Phase::Continuing { process: None } => start(place, record, &unit),
        Phase::Continued => {
            remove_hold(place, &record, &unit);
            start_if_ended(&record, &unit)
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The path that a takeover waits for.
fn release(
    place: &Place,
    record: Record,
    unit: &Unit,
    process: ProcessKey,
) -> anyhow::Result<Record> {
    refuse_if_taken(place, unit, process.pid)?;
    ensure!(
        ProcessKey::of(process.pid) == Some(process),
        "process {} has ended while it was parked",
        process.pid
    );
    // From here on it may serve, even if this command is killed.
    let record = record.in_phase(Phase::Continuing {
        process: Some(process.into()),
    });
    record.write(place)?;
    // First, or its next bind would be stopped as well: loopback means two.
    guard::disarm(place)?;
    unit.thaw()?;
    kernel::signal(process, Signal::CONT)?;
    Ok(record)
}

/// Another program's socket on the port: the parked bind keeps nobody out who sets SO_REUSEADDR.
fn refuse_if_taken(place: &Place, unit: &Unit, pid: u32) -> anyhow::Result<()> {
    match kernel::sockets(place.port())?.in_the_way_of(unit, pid) {
        Some(InTheWay::Listening(socket)) => bail!(
            "another program (uid {}) listens on {}; the gateway stays parked",
            socket.uid,
            socket.address
        ),
        Some(InTheWay::Bound(socket)) => bail!(
            "another program (uid {}) has bound {}, and could listen there first; the gateway stays parked",
            socket.uid,
            socket.address
        ),
        None => Ok(()),
    }
}

/// A gateway that isn't known to be stopped yet continues as an ordinary start; a missing one is started.
fn start(place: &Place, record: Record, unit: &Unit) -> anyhow::Result<()> {
    let facts = manager::call(&record.unit, unit.account(), ManagerVerb::Look)?;
    refuse_if_taken(place, unit, facts.main_process)?;
    let record = record.in_phase(Phase::Continuing { process: None });
    record.write(place)?;
    guard::disarm(place)?;
    unit.thaw()?;
    if facts.is_active()
        && let Some(process) = ProcessKey::of(facts.main_process)
        && unit.holds(process.pid)
    {
        // By then a stop signal that was just sent has arrived. SIGCONT doesn't change a process that is running.
        guard::settle(place);
        kernel::signal(process, Signal::CONT)?;
        println!("the start continues");
    }
    remove_hold(place, &record, unit);
    start_if_ended(&record, unit)
}

fn start_if_ended(record: &Record, unit: &Unit) -> anyhow::Result<()> {
    let facts = manager::call(&record.unit, unit.account(), ManagerVerb::Look)?;
    if !facts.is_active() {
        manager::call(&record.unit, unit.account(), ManagerVerb::Start)?;
        println!("it didn't run, and was started");
    }
    Ok(())
}

/// A gateway that serves isn't given up because something of this fails: the next command tries again.
fn remove_hold(place: &Place, record: &Record, unit: &Unit) {
    let removed = (|| {
        let record = record.clone().in_phase(Phase::Continued);
        record.write(place)?;
        tidy(place, &record, unit)
    })();
    if let Err(error) = removed {
        eprintln!(
            "failover: it serves, but what held it isn't all removed: {error:#}; `failover parking discard` tries again"
        );
    }
}

/// Removes what held a gateway that serves: the drop-in, the kernel program, the record.
pub(super) fn tidy(place: &Place, record: &Record, unit: &Unit) -> anyhow::Result<()> {
    manager::call(&record.unit, unit.account(), ManagerVerb::Free)?;
    guard::remove(place)?;
    Ok(Record::remove(place)?)
}
