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
    /// The time told by [`crate::Decider::next_wake`] has come. Harmless at any other time.
    Woke,
    /// A probe has ended.
    ProbeEnded {
        /// As in [`crate::Action::Probe`].
        probe: ProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// Something happened on a connection to the primary, anybody's, at this time: it may have waited
    /// for whoever hands it in.
    Evidence(Evidence, Time),
    /// The witnesses were asked.
    Witnesses {
        /// As in [`crate::Action::AskWitnesses`].
        round: RoundId,
        /// How many answered.
        answered: u32,
    },
    /// Somebody looked up the default routers. To be told before the witnesses are asked
    /// ([`crate::Decider::judges`]), and whenever the primary has answered.
    DefaultRouters(Vec<DefaultRouter>),
    /// The default routers were pinged in quiet times, and these have answered.
    RoutersPinged {
        /// None: they are silent.
        answered: Vec<RouterId>,
    },
    /// The machine was suspended: the clocks say so.
    Suspended,
    /// Somebody looked at the local port.
    Port(PortObservation),
    /// Somebody looked for a parked gateway.
    Parking(ParkingObservation),
    /// So ready the local gateway is to be kept from now on.
    Standby {
        /// As configured, and as is safe here.
        mode: StandbyMode,
        /// This machine can park this gateway: a drill can.
        can_park: bool,
    },
    /// The local gateway was asked whether it answers.
    GatewayProbed {
        /// As in [`crate::Action::ProbeGateway`].
        probe: GatewayProbeId,
        /// What it says.
        outcome: Outcome,
    },
    /// Somebody looked what the last start command began.
    Begun(Begun),
    /// The process that listens on the local port began then.
    GatewayBegan(Time),
    /// The local gateway says that it finishes what it is at, and then goes.
    GatewayDrains,
    /// The primary says (or no longer says) that it drains: somebody is stopping or restarting it in
    /// good order.
    PrimaryDrains(bool),
    /// An operator's order depends on how the primary is now: see [`crate::Decider::must_probe_first`].
    ProbeWanted,
    /// The primary was seen healthy under this configuration, as is remembered from before.
    Armed,
    /// An operator ordered something. [`crate::Decider::objection`] tells before whether it is followed.
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
    /// What is judged by something else comes after it. The port comes before everything that depends on
    /// who listens, what others saw before the end of a probe, and what the primary says of itself as well.
    /// Orders come last: they are followed or refused by how things are now.
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
    /// Somebody listens, and nobody of them is the gateway.
    Foreign,
}

/// What became of what the last start command began: the gateway that is to come up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begun {
    /// A process of it lives, or its service manager is still at it.
    Alive,
    /// Nothing of it is left, or it crashes again and again.
    Gone,
    /// It can't be seen.
    Unknown,
}
