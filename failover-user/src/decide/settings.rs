//! The numbers that decisions depend on.

use std::{num::NonZeroU32, time::Duration};

/// The numbers that decisions depend on. The defaults of the command line are the mission's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// From the start of one probe to the start of the next, in standby and while suspect.
    pub interval: Duration,
    /// The same while the local gateway is wanted or runs.
    pub recovery_interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// How many failed probes in a row make a takeover.
    pub strikes: NonZeroU32,
    /// How long a start may take, from the command's start to the port's LISTEN.
    pub start_timeout: Duration,
    /// How long the stop command may take.
    pub stop_timeout: Duration,
}

impl Settings {
    /// How long a strike counts: as many intervals and timeouts as there are strikes.
    pub(super) fn strike_lifetime(&self) -> Duration {
        self.interval
            .saturating_add(self.timeout)
            .saturating_mul(self.strikes.get())
    }
}
