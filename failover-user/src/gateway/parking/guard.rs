//! The kernel program that stops a gateway in its bind, and outlives this process by its pins: where they are, and
//! what it is armed with.

use std::{num::NonZeroU16, os::unix::fs::MetadataExt as _, path::Path, time::Instant};

use anyhow::{Context as _, bail};
use failover_linux::bpf::{
    sent::SentCounter,
    stopper::{Caught, GroupPath, MainProcess, StopEvent, Stopper, StopperError, Target},
};

use crate::gateway::parking::{group, kernel::Unit, place::Place};

/// See the module.
pub(super) struct Guard(Stopper);

/// Counts what the unit sends.
pub(super) struct Counter(SentCounter);

impl Guard {
    /// That of a place, where nothing is parked; a new one if what is there can't be used.
    pub(super) fn open(place: &Place) -> anyhow::Result<Self> {
        let pins = place.pins();
        match Stopper::open(&pins) {
            Ok(stopper) => Ok(Self(stopper)),
            Err(StopperError::OtherVersion { .. } | StopperError::Damaged { .. }) => {
                Stopper::remove(&pins)?;
                Ok(Self(Stopper::open(&pins)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Stops this manager's child in that unit from now on, in its bind of the port.
    pub(super) fn arm(&mut self, port: NonZeroU16, path: &str, manager: u32) -> anyhow::Result<()> {
        let netns = std::fs::metadata("/proc/self/ns/net").context("reading /proc/self/ns/net")?;
        self.0.arm(&Target {
            port,
            // Namespace inodes are 32 bits wide (include/linux/ns_common.h, 6.18).
            netns: u32::try_from(netns.ino()).ok(),
            control_group: GroupPath::below(&group::root()?, Path::new(path))?,
            main: MainProcess::ChildOf(manager),
        })?;
        Ok(())
    }

    /// Waits until it has been stopped; `None`: not by then.
    pub(super) fn wait(&mut self, deadline: Instant) -> anyhow::Result<Option<StopEvent>> {
        let Some(event) = self.0.wait_for_stop(deadline)? else {
            return Ok(None);
        };
        match (event.caught, event.signal) {
            (Caught::Bound, Ok(())) => Ok(Some(event)),
            (Caught::Bound, Err(errno)) => {
                let why = failover_linux::errno::describe(errno);
                bail!(
                    "process {} couldn't be stopped in its bind ({why})",
                    event.pid
                )
            }
            (Caught::Listened, _) => bail!(
                "process {} came to listen without a bind that could be seen, and was killed; this gateway can't be parked",
                event.pid
            ),
        }
    }
}

impl Counter {
    /// Counts from now on.
    pub(super) fn begin() -> anyhow::Result<Self> {
        Ok(Self(SentCounter::attach()?))
    }

    /// What the unit has sent; `None`: not known.
    pub(super) fn of(&self, unit: &Unit) -> Option<u64> {
        self.0.sent(unit.id()?).ok().flatten()
    }
}

/// Stops nobody any longer. Who is stopped stays so.
pub(super) fn disarm(place: &Place) -> anyhow::Result<()> {
    match Stopper::find(&place.pins()) {
        Ok(Some(mut stopper)) => Ok(stopper.disarm()?),
        Ok(None) => Ok(()),
        // Of another version, say.
        Err(_) => remove(place),
    }
}

/// Waits until nobody is being stopped any longer.
pub(super) fn settle(place: &Place) {
    if let Ok(Some(stopper)) = Stopper::find(&place.pins()) {
        stopper.settle();
    }
}

/// Is it there, and armed?
pub(super) fn is_armed(place: &Place) -> bool {
    let stopper = Stopper::find(&place.pins()).ok().flatten();
    stopper.is_some_and(|stopper| stopper.armed().ok().flatten() == Some(place.port()))
}

/// Takes it away.
pub(super) fn remove(place: &Place) -> anyhow::Result<()> {
    Ok(Stopper::remove(&place.pins())?)
}
