//! A change of state: its cause, and the strikes that count.

use crate::{
    input::{
        event::{Begun, GuardObservation, PortObservation},
        evidence::Evidence,
        order::Order,
        outcome::Outcome,
    },
    known::strikes::Strike,
    output::state::State,
    step::{CommandResult, Step},
};

/// A change of state with everything that explains it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// Why it changed.
    pub reason: Reason,
    /// The failed probes that count now, oldest first.
    pub strikes: Vec<Strike>,
}

/// The event that made a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Time passed: a pause ended, strikes expired.
    Time,
    /// A probe ended.
    Probe(Outcome),
    /// A probe failed, but another program's connection showed the primary alive meanwhile.
    Vetoed(Outcome),
    /// Something happened on a connection to the primary.
    Evidence(Evidence),
    /// The local port changed.
    Port(PortObservation),
    /// A check of the local gateway ended.
    GatewayProbed(Outcome),
    /// An operator ordered something.
    Ordered(Order),
    /// The guard on the primary's host was heard, or not.
    Guard(GuardObservation),
    /// A command ended.
    CommandEnded {
        /// Which.
        command: Step,
        /// How.
        result: CommandResult,
    },
    /// The start command ended, and nothing listened within the start timeout.
    NeverListened,
    /// The local gateway listened, and didn't answer as it should within the start timeout.
    NeverAnswered,
    /// What the start command started is in this state.
    Begun(Begun),
    /// The daemon was suspended, stopped or stalled for a while.
    Absence,
    /// New settings are in force.
    Reconfigured,
    /// A round of witness queries ended.
    Witnesses {
        /// How many answered.
        answered: u32,
    },
    /// This number of witnesses counts now.
    Counting(u32),
}
