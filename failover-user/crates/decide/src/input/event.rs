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
    /// The guard on the primary's host was heard, or not.
    Guard(GuardObservation),
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
            Self::Guard(_) => 9,
            Self::DefaultRouters(_) => 10,
            Self::RoutersPinged { .. } => 11,
            Self::Witnesses { .. } => 12,
            Self::Evidence(..) => 13,
            Self::ProbeEnded { .. } => 14,
            Self::GatewayProbed { .. } => 15,
            Self::CommandEnded { .. } => 16,
            Self::ProbeWanted => 17,
            Self::Operator(_) => 18,
            Self::Woke => 19,
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

/// What a guard on the primary's host says, or that it says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GuardObservation {
    /// There is none, or it was never heard.
    None,
    /// Its beats arrive, and say this.
    Heard(PrimaryGateway),
    /// The second beat in a row is missing.
    Missing,
    /// No beat has come until the limit: its host may be gone.
    Silent,
}

/// The primary's gateway, as the guard on its host sees it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PrimaryGateway {
    /// Nothing that matters here: it starts, for example.
    #[default]
    Unknown,
    /// It has the port.
    Serves,
    /// It still has the port, and its end is announced: it drains, or its machine is being switched off.
    Ends,
    /// It has ended by itself, and its service manager restarts it.
    Restarting,
    /// It has ended by itself, and nothing restarts it.
    Ended,
    /// It was stopped on purpose.
    Stopped,
}
