//! The invariants by name, and what is noted when one doesn't hold.

use std::fmt;

use crate::Time;

/// What always holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Invariant {
    /// Time never goes back.
    TimeGoesOn,
    /// The timer is not due repeatedly without a pause.
    ComesToRest,
    /// A probe is in flight, or something is due within an interval.
    DecisionDue,
    /// One probe is in flight at a time.
    OneProbe,
    /// Scheduled probes are an interval apart.
    ProbesSpaced,
    /// Early probes are a second apart.
    EarlyProbesSpaced,
    /// The local gateway is checked where that is configured, while it listens, one check at a time.
    GatewayChecks,
    /// The default routers are pinged where they are witnesses, when the primary has just answered.
    RouterPings,
    /// One command is in flight at a time.
    OneCommand,
    /// No command is run during a pause.
    Paused,
    /// Nothing is started while a release by hand holds.
    Held,
    /// Nothing is started for a primary that was never seen healthy.
    Armed,
    /// Nothing is started unless enough witnesses answered within an interval.
    Connected,
    /// Nothing is started while somebody listens on the local port.
    PortFree,
    /// Nothing is started without enough failed probes: in a row, apart, and none of them old.
    Failures,
    /// Nothing is started while the primary's own service manager restarts its gateway, and has time left.
    RestartWaits,
    /// A missing path counts if a witness has answered, and the path was still missing after that.
    PathMissing,
    /// Nothing is started before the primary is fenced, where that is configured.
    Fenced,
    /// A primary that is fenced is not fenced again.
    FencedOnce,
    /// A stop has a reason, and a foreign listener is never stopped.
    StopReason,
    /// The primary has answered as often as it has to before the local gateway is stopped for it.
    PrimaryProven,
    /// A gateway that is coming up has its whole time.
    StartTime,
    /// A local gateway that isn't needed is stopped.
    Released,
    /// A gateway is parked only for its standby mode or for a drill.
    ParkingReason,
    /// Only what is parked is discarded, and never a gateway that is needed.
    DiscardReason,
    /// A parked gateway that is no longer wanted is discarded.
    Discarded,
    /// Parking never delays a takeover.
    ParkingDelaysNothing,
    /// Every drill ends once.
    DrillEnds,
    /// Only a running command is killed, and only once.
    KillRunning,
    /// Every change of state is recorded once, from the state that was.
    ChangeRecorded,
    /// A command is withheld only during a pause.
    Withheld,
    /// An event causes at most one action of each kind.
    FewActions,
    /// Strikes are failures that happened: in a row, apart, and none of them old.
    Strikes,
    /// An operator's order doesn't raise the flap level.
    OrdersAreNoFlaps,
    /// An order to take over is refused only for a recent observation, and accepted only after a probe.
    FreshRefusal,
    /// An event without news changes nothing.
    NothingNew,
    /// The timer is never due without a reason.
    TimerMoves,
    /// No state lasts for ever: a primary that answers leads to standby, one that does not to active.
    StateLeft,
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::TimeGoesOn => "time went backwards",
            Self::ComesToRest => "the timer is due repeatedly within a second",
            Self::DecisionDue => "no decision is due within an interval",
            Self::OneProbe => "two probes are in flight",
            Self::ProbesSpaced => "two scheduled probes are too close",
            Self::EarlyProbesSpaced => "two early probes are too close",
            Self::GatewayChecks => "a check of the local gateway that is not due",
            Self::RouterPings => "a ping of the default routers that is not due",
            Self::OneCommand => "two commands are in flight",
            Self::Paused => "a command is run during a pause",
            Self::Held => "a takeover although a release holds",
            Self::Armed => "a takeover from a primary that was never seen healthy",
            Self::Connected => "a takeover without a fresh answer of enough witnesses",
            Self::PortFree => "a takeover although the local port is not free",
            Self::Failures => "a takeover without fresh failures in a row",
            Self::RestartWaits => "a takeover from a primary that is being restarted",
            Self::PathMissing => "a takeover for a missing path that no witness confirms",
            Self::Fenced => "a start without the fence",
            Self::FencedOnce => "a fence that is not needed",
            Self::StopReason => "a stop without a reason",
            Self::PrimaryProven => "a release before the primary has answered often enough",
            Self::StartTime => "a gateway that is coming up is ended",
            Self::Released => "a local gateway that is not needed is kept",
            Self::ParkingReason => "a gateway is parked without a reason",
            Self::DiscardReason => "a gateway is discarded without a reason",
            Self::Discarded => "a parked gateway outlives its reason",
            Self::ParkingDelaysNothing => "parking delays a takeover",
            Self::DrillEnds => "a drill ends that was not under way",
            Self::KillRunning => "a command is killed that is not running",
            Self::ChangeRecorded => "a change of state is not recorded once",
            Self::Withheld => "a command is withheld without a pause",
            Self::FewActions => "too many actions at once",
            Self::Strikes => "a strike that is no failure, or too close, or old",
            Self::OrdersAreNoFlaps => "an operator's order counts as a flap",
            Self::FreshRefusal => "a takeover is refused or accepted without a fresh probe",
            Self::NothingNew => "an event that says nothing new makes a difference",
            Self::TimerMoves => "the timer is due, and nothing comes of it",
            Self::StateLeft => "a state is never left",
        })
    }
}

/// An invariant that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// Which.
    pub invariant: Invariant,
    /// The values that show it.
    pub details: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            invariant,
            details,
        } = self;
        write!(
            formatter,
            "after {:.3?}: {invariant} ({details})",
            at.as_duration()
        )
    }
}

/// The violations of one decider: all are counted, and the first of each invariant is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Violations {
    pub(super) now: Time,
    pub(super) count: u64,
    pub(super) first: Vec<Violation>,
}

impl Violations {
    /// Notes a violation unless this holds.
    #[inline]
    pub(super) fn unless<D: fmt::Display>(
        &mut self,
        holds: bool,
        invariant: Invariant,
        details: impl FnOnce() -> D,
    ) {
        if !holds {
            self.note(invariant, &details());
        }
    }

    #[cold]
    fn note(&mut self, invariant: Invariant, details: &dyn fmt::Display) {
        self.count += 1;
        if !self.first.iter().any(|first| first.invariant == invariant) {
            self.first.push(Violation {
                at: self.now,
                invariant,
                details: details.to_string(),
            });
        }
    }
}
