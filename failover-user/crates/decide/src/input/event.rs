//! What goes into a decision: what was seen.

use crate::{
    id::{GatewayProbeId, ProbeId, RoundId, RouterId},
    input::{evidence::Evidence, order::Order, outcome::Outcome},
    known::{
        parking::{ParkingObservation, StandbyMode},
        router::DefaultRouter,
    },
    step::{CommandResult, Step},
    time::Time,
};

/// Something that was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The time of [`crate::Decider::next_wake`] has come. Harmless at any other time.
    Woke,
    /// A probe has ended.
    ProbeEnded {
        /// As in [`crate::Action::Probe`].
        probe: ProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// Something happened at this time on a connection to the primary, whichever process owns it. The event
    /// may arrive late.
    Evidence(Evidence, Time),
    /// A round of witness queries has ended.
    Witnesses {
        /// As in [`crate::Action::AskWitnesses`].
        round: RoundId,
        /// How many answered.
        answered: u32,
    },
    /// The default routers were looked up. Must be reported before the witnesses are queried
    /// ([`crate::Decider::judges`]), and whenever the primary has answered.
    DefaultRouters(Vec<DefaultRouter>),
    /// The default routers were pinged while the primary was healthy, and these have answered.
    RoutersPinged {
        /// None: they are silent.
        answered: Vec<RouterId>,
    },
    /// The machine was suspended: the clocks say so.
    Suspended,
    /// The local port was checked.
    Port(PortObservation),
    /// The machine was checked for a parked gateway.
    Parking(ParkingObservation),
    /// How ready the local gateway must be kept from now on.
    Standby {
        /// As configured, and as is safe here.
        mode: StandbyMode,
        /// This machine can park this gateway: a drill can.
        can_park: bool,
    },
    /// A check of the local gateway has ended.
    GatewayProbed {
        /// As in [`crate::Action::ProbeGateway`].
        probe: GatewayProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// What the last start command started was checked.
    Begun(Begun),
    /// The process that listens on the local port was started at this time.
    GatewayBegan(Time),
    /// The local gateway reports that it is draining: it finishes its work and exits.
    GatewayDrains,
    /// The primary reports (or no longer reports) that it is draining: it is being stopped or restarted in
    /// an orderly way.
    PrimaryDrains(bool),
    /// An operator's order depends on how the primary is now: see [`crate::Decider::must_probe_first`].
    ProbeWanted,
    /// The primary was seen healthy under this configuration, according to the saved state.
    Armed,
    /// An operator's order. [`crate::Decider::objection`] shows beforehand whether it will be followed.
    Operator(Order),
    /// The command in flight has ended.
    CommandEnded {
        /// Which.
        command: Step,
        /// How.
        result: CommandResult,
    },
}

impl Event {
    /// An event comes after those by which it is judged: the port before everything that depends on who
    /// listens; evidence, and what the primary reports about itself, before the end of a probe. Orders come
    /// last, because the present state decides whether they are followed.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Suspended => 0,
            Self::Armed => 1,
            Self::Port(_) => 2,
            Self::Parking(_) => 3,
            Self::Standby { .. } => 4,
            Self::Begun(_) => 5,
            Self::GatewayBegan(_) => 6,
            Self::GatewayDrains => 7,
            Self::PrimaryDrains(_) => 8,
            Self::DefaultRouters(_) => 9,
            Self::RoutersPinged { .. } => 10,
            Self::Witnesses { .. } => 11,
            Self::Evidence(..) => 12,
            Self::ProbeEnded { .. } => 13,
            Self::GatewayProbed { .. } => 14,
            Self::CommandEnded { .. } => 15,
            Self::ProbeWanted => 16,
            Self::Operator(_) => 17,
            Self::Woke => 18,
        }
    }
}

/// The local port, as it was seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PortObservation {
    /// Nobody listens.
    Absent,
    /// Nobody listens, and processes that held the gateway's sockets are still there.
    Terminating,
    /// At least one socket of the gateway listens.
    Listening,
    /// Only other programs listen.
    Foreign,
}

/// The state of what the last start command started: the gateway that is expected to come up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// One of its processes lives, or its service manager is still starting it.
    Alive,
    /// Nothing of it is left, or it crashes repeatedly.
    Gone,
    /// It can't be seen.
    Unknown,
}
