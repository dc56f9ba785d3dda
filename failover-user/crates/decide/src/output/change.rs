//! What a change of state says: what made it so, and by which strikes.

use crate::{
    input::{
        event::{Begun, PortObservation},
        evidence::Evidence,
        order::Order,
        outcome::Outcome,
    },
    known::strikes::Strike,
    output::state::State,
    step::{CommandResult, Step},
};

/// A change of state with all that a person asks about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Before.
    pub from: State,
    /// After.
    pub to: State,
    /// What made it so.
    pub reason: Reason,
    /// The failed probes that count now, oldest first.
    pub strikes: Vec<Strike>,
}

/// The event that made a change.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// Time went by: a pause ended, strikes grew too old.
    Time,
    /// A probe ended.
    Probe(Outcome),
    /// A probe failed, and somebody else's connection showed the primary alive meanwhile.
    Vetoed(Outcome),
    /// Something happened on a connection to the primary.
    Evidence(Evidence),
    /// The local port changed.
    Port(PortObservation),
    /// The local gateway was asked whether it answers.
    GatewayProbed(Outcome),
    /// An operator ordered something.
    Ordered(Order),
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
    /// What the start command began came to this.
    Begun(Begun),
    /// The daemon was not there for a while: suspended, stopped or stalled.
    Absence,
    /// Other settings are in force.
    Reconfigured,
    /// The witnesses were asked.
    Witnesses {
        /// How many answered.
        answered: u32,
    },
    /// So many of the witnesses count now.
    Counting(u32),
}
