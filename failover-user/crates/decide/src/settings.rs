//! The numbers that decisions depend on.

use std::{num::NonZeroU32, time::Duration};

/// After so many starts that had all their time, the next has no more than the last.
const MOST_DOUBLINGS: u32 = 2;

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
    /// How long a start may take, from the command's start to the port's LISTEN, and for a gateway that is
    /// asked to its first answer.
    pub start_timeout: Duration,
    /// How long the stop command may take.
    pub stop_timeout: Duration,
    /// From one probe to the next once the first strike is there, and from one strike to the next.
    pub confirm_interval: Duration,
    /// How many witnesses have to answer before a takeover; where it is 0 none are asked. Where fewer
    /// count, no more than those: all that are named, and the default router where it has proved itself.
    pub witness_quorum: u32,
    /// How many witnesses are named.
    pub named_witnesses: u32,
    /// Is the default router one more, once it has answered pings?
    pub router_is_witness: bool,
    /// What proves that the primary is gone.
    pub fence: Demand,
    /// How long the fence command may take.
    pub fence_timeout: Duration,
    /// How many failed probes in a row others' connections may gainsay.
    pub veto_limit: u32,
    /// Is the local gateway asked whether it answers, while it listens?
    pub watch_gateway: bool,
    /// Is no takeover made until the primary has been seen healthy once?
    pub needs_arming: bool,
    /// How a primary that keeps failing is met; `None`: like any other.
    pub flapping: Option<Flapping>,
}

/// Is a step of a takeover taken, and has it to succeed?
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Demand {
    /// It isn't taken.
    None,
    /// It is tried once.
    Optional,
    /// It has to succeed.
    Required,
}

/// A primary that fails again soon after it was back has to prove itself for longer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flapping {
    /// A failure this soon after it was back makes the next release harder.
    pub window: Duration,
    /// When it has been well for so long, everything is forgotten.
    pub quiet: Duration,
    /// How many successes in a row a release takes: the first time, the second, and so on.
    pub successes: Vec<NonZeroU32>,
    /// From one of these to the next, where a release takes more than one.
    pub interval: Duration,
}

impl Settings {
    /// How long a strike counts: as many intervals and timeouts as there are strikes.
    pub(super) fn strike_lifetime(&self) -> Duration {
        self.interval
            .saturating_add(self.timeout)
            .saturating_mul(self.strikes.get())
    }

    /// How long a start may take after so many that had all their time.
    pub(crate) fn start_limit(&self, overdue: u32) -> Duration {
        self.start_timeout
            .saturating_mul(1 << overdue.min(MOST_DOUBLINGS))
    }
}
