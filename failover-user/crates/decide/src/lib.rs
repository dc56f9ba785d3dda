//! The deciding core: what was seen and when goes in, what to do comes out.
//!
//! No clock, no I/O, no async: the daemon, the tests and a simulator drive the very same code, with
//! [`Decider::handle`] and [`Decider::next_wake`]. It must not know of sockets, processes, eBPF or
//! log formats.
//!
//! Every rule is a function of what was observed last. Nothing is remembered that can be observed
//! again, so a daemon that was killed and restarted decides like one that never stopped. What can't be
//! observed again is saved and restored as data: [`PersistentState`].
//!
//! Data flows one way: an event (`input`) changes what is known (`known`), and from that follow the
//! steps to take and the state that people see (`output`).

#![forbid(unsafe_code)]

mod decider;
mod gate;
mod id;
mod input;
pub mod invariants;
mod known;
mod output;
mod settings;
mod step;
mod time;

#[cfg(test)]
mod tests;

pub use decider::Decider;
pub use id::{GatewayProbeId, ProbeId, RoundId, RouterId};
pub use input::{
    event::{Begun, Event, GuardObservation, PortObservation, PrimaryGateway},
    evidence::Evidence,
    order::{Order, Pause, Refusal, Standing},
    outcome::{AnswerFault, Failure, Gone, NoAnswer, Outcome},
    reconfigure::Probing,
};
pub use known::{
    flap_damping::{Back, FlapHistory},
    isolation::Judges,
    parking::{DrillEnd, ParkingObservation, StandbyMode, StandbyState},
    persistent::PersistentState,
    router::DefaultRouter,
    strikes::Strike,
};
pub use output::{
    action::{Action, Cause},
    change::{Change, Reason},
    state::{Inhibitor, State, StateKind},
};
pub use settings::{Demand, Flapping, GuardRules, HostLoss, OnCrash, Settings};
pub use step::{CommandResult, Step};
pub use time::Time;
