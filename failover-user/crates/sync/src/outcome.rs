//! What came of an order, as one line of JSON on standard output. The daemon bounds and checks it: the process that
//! writes it is the account's.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    generation::{Manifest, Number},
    lineage::Epoch,
};

/// What came of an order.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// A new generation is the newest.
    Copied {
        /// It.
        manifest: Manifest,
        /// What the round received and sent, in bytes, as ssh's children counted it.
        bytes: u64,
    },
    /// Nothing but leases has changed since the newest generation, which is as fresh as this answer.
    Unchanged {
        /// Which is still the newest.
        number: Number,
        /// The primary's epoch.
        epoch: Epoch,
    },
    /// What the store has.
    Store {
        /// Complete generations, the newest last.
        generations: Vec<Manifest>,
        /// The one in place of the local tree.
        in_place: Option<Number>,
        /// Trees that were kept aside.
        kept: Vec<PathBuf>,
        /// Those that a takeover won't use, and why.
        refused: Vec<Refused>,
        /// How the newest fits the gateway that is installed here.
        fit: Option<Fit>,
    },
    /// What the local gateway writes is noted.
    Learned {
        /// Its version, where it is known.
        gateway_version: Option<String>,
        /// The number of its databases.
        databases: usize,
    },
    /// Nothing is undecided.
    Settled,
    /// A generation is in place, or in the databases of a parked gateway.
    Placed {
        /// Which.
        manifest: Manifest,
        /// Newer ones that don't fit, and why.
        refused: Vec<Refused>,
        /// How it fits.
        fit: Fit,
    },
    /// There was nothing newer to put in place.
    NothingNewer {
        /// What is in place.
        in_place: Option<Number>,
        /// Newer ones that don't fit, and why.
        refused: Vec<Refused>,
    },
    /// What is parked can't take it: it has to be parked again.
    ParkAnew {
        /// Why.
        reason: String,
    },
    /// All generations were checked again.
    Verified {
        /// Each, with what is wrong with it.
        generations: Vec<(Number, Option<String>)>,
    },
    /// What only one side has, in words.
    Differences {
        /// Only the primary.
        primary: Vec<String>,
        /// Only the local gateway.
        local: Vec<String>,
        /// Conversations, messages and the like that only the primary has: 0 means that nothing of it would be lost.
        primary_turns: u64,
        /// The same of the local gateway.
        local_turns: u64,
    },
    /// The other host has the local state.
    HandedBack {
        /// When.
        at: Timestamp,
        /// Where its own tree is kept there.
        kept: Option<PathBuf>,
    },
    /// Both sides have changes: nothing was overwritten.
    BothChanged {
        /// Only the primary.
        primary: Vec<String>,
        /// Only the local gateway.
        local: Vec<String>,
    },
    /// It failed, and what there was is as it was.
    Failed {
        /// What failed.
        step: FailedStep,
        /// What, where, and what to do next.
        error: String,
    },
}

/// How a generation fits the gateway that is installed here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "fit", rename_all = "kebab-case")]
pub enum Fit {
    /// It is of the same version, with the schemas that the local gateway writes.
    Same,
    /// The local gateway is newer: it brings the databases to its own schema when it starts.
    Older {
        /// The gateway's version at the source.
        source: Option<String>,
        /// The one here.
        local: Option<String>,
    },
    /// Nothing is known yet of what the local gateway writes, or another version was installed since.
    Unknown {
        /// The gateway's version at the source.
        source: Option<String>,
        /// The one here.
        local: Option<String>,
    },
}

/// A generation that doesn't fit the gateway that is installed here.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// Which.
    pub number: Number,
    /// Why.
    pub reason: String,
}

/// What of an order failed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailedStep {
    /// The other host wasn't reached.
    Reach,
    /// The other host was reached, and refused or failed.
    Source,
    /// The copy didn't arrive whole.
    Transfer,
    /// What arrived is too much.
    Limit,
    /// What arrived is broken.
    Check,
    /// Something here: a full disk, rights, a missing program.
    Local,
}
