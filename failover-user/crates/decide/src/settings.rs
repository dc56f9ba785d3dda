//! The numbers that decisions depend on.

use std::{num::NonZeroU32, time::Duration};

/// The time that a service manager gets to restart its gateway: OpenClaw's takes 13 s, of which 5 s are its unit's
/// pause (measured with 2026.9.6).
const RESTART_TIME: Duration = Duration::from_secs(20);
/// The start timeout is doubled this many times at most.
const MOST_DOUBLINGS: u32 = 2;

/// The numbers that decisions depend on. The command line has the defaults.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// From the start of one probe to the start of the next, in standby and while suspect.
    pub interval: Duration,
    /// The same while the local gateway is needed or runs.
    pub recovery_interval: Duration,
    /// How long a probe may take.
    pub timeout: Duration,
    /// How many failed probes in a row make a takeover.
    pub strikes: NonZeroU32,
    /// How long a start may take, from the start of the command until the port listens, and until the first
    /// answer where the local gateway is checked.
    pub start_timeout: Duration,
    /// How long the stop command may take.
    pub stop_timeout: Duration,
    /// From one probe to the next once the first strike is there, and from one strike to the next.
    pub confirm_interval: Duration,
    /// How many witnesses have to answer before a takeover; with 0, none are queried. It is capped at the
    /// number of witnesses that count: all that are named, and the default router once it has proved itself.
    pub witness_quorum: u32,
    /// How many witnesses are named.
    pub named_witnesses: u32,
    /// Does the default router count as another witness once it has answered pings?
    pub router_is_witness: bool,
    /// What proves that the primary is gone.
    pub fence: Demand,
    /// How long the fence command may take.
    pub fence_timeout: Duration,
    /// How many failed probes in a row other connections may veto.
    pub veto_limit: u32,
    /// Is the local gateway checked while it listens?
    pub watch_gateway: bool,
    /// Is no takeover made until the primary has been seen healthy once?
    pub needs_arming: bool,
    /// Flap damping; `None`: a primary that keeps failing is treated like any other.
    pub flapping: Option<Flapping>,
    /// What a guard on the primary's host changes.
    pub guard: GuardRules,
}

/// What a guard on the primary's host changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuardRules {
    /// When a host that is silent is lost.
    pub host_loss: HostLoss,
    /// What a gateway that its own service manager restarts leads to.
    pub on_crash: OnCrash,
    /// The time that the service manager gets.
    pub restart_time: Duration,
}

impl Default for GuardRules {
    fn default() -> Self {
        Self {
            host_loss: HostLoss::default(),
            on_crash: OnCrash::default(),
            restart_time: RESTART_TIME,
        }
    }
}

/// When a host that is silent is lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HostLoss {
    /// After all strikes.
    #[default]
    Strikes,
    /// At once, if a probe has failed as well and a witness answers.
    Fast,
}

/// What a gateway that ended by itself and is being restarted leads to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnCrash {
    /// Its service manager gets its time.
    #[default]
    Wait,
    /// A takeover at once.
    TakeOver,
}

/// Is a step of a takeover taken, and must it succeed?
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
    /// After this time without a failure, the flap history is cleared.
    pub quiet: Duration,
    /// How many successes in a row a release takes: the first time, the second, and so on.
    pub successes: Vec<NonZeroU32>,
    /// From one of these to the next, where a release takes more than one.
    pub interval: Duration,
}

impl Settings {
    /// How long a strike counts: one interval and one timeout for each strike that a takeover takes.
    pub(super) fn strike_lifetime(&self) -> Duration {
        self.interval
            .saturating_add(self.timeout)
            .saturating_mul(self.strikes.get())
    }

    /// How long a start may take after this number of starts that timed out.
    pub(crate) fn start_limit(&self, overdue: u32) -> Duration {
        self.start_timeout
            .saturating_mul(1 << overdue.min(MOST_DOUBLINGS))
    }
}
