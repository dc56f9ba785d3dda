//! What the daemon orders, as JSON on the standard input of a process of the gateway's account.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{generation::Number, lineage::Epoch};

/// An order, and everything that it needs: nothing is read from any other place.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Spec {
    /// What to do.
    pub order: Order,
    /// What is copied.
    pub state: StateSpec,
    /// Where generations are kept: on the file system of what is copied, so that it can be renamed into place.
    pub store: PathBuf,
    /// How the other host is reached; `None`: nothing is asked there.
    pub source: Option<SourceSpec>,
    /// What is too much.
    pub limits: Limits,
    /// The unit file of the local gateway, where OpenClaw notes its version; `None`: its version isn't known.
    #[serde(default)]
    pub unit_file: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
pub enum Order {
    /// Copies what has changed at the source, as a new generation.
    Round,
    /// Says what the store has, and what is in place.
    Look,
    /// Puts the newest generation that fits in place of the local tree, before a start. No gateway may run.
    Place {
        /// This one, not the newest.
        number: Option<Number>,
        /// The local gateway has served with the tree that is there, and nobody else has its changes: it is kept aside.
        keep: bool,
    },
    /// Puts the newest generation into the databases and files of a gateway that is parked.
    Feed,
    /// The local gateway has opened its databases, now or just before: notes the schema numbers that it writes, so that
    /// generations of newer ones are refused.
    Learn,
    /// The operator has decided which side counts: the trees that were kept until then may be removed.
    Settle,
    /// Checks all generations again.
    Verify,
    /// Says what only one side has.
    Differences,
    /// Gives the local state to the other host, as the epoch that is given. No gateway may run on either.
    HandBack {
        /// What the local gateway has served as.
        epoch: Epoch,
        /// When it began to: what the other host has changed since then isn't overwritten.
        since: Timestamp,
        /// Also if both sides have changes: the operator has chosen this side.
        chosen: bool,
    },
}

/// What belongs to the state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StateSpec {
    /// Absolute paths of trees and files, the same on both hosts.
    pub paths: Vec<PathBuf>,
    /// What is left out of them: patterns as rsync(1) has them; one that begins with `/` starts at the path that it is in.
    pub exclude: Vec<String>,
    /// SQLite databases below them, in the same patterns: copied through SQLite, never as files, whatever is left out.
    pub databases: Vec<String>,
    /// The state is OpenClaw's: its leases are removed, its versions are compared.
    pub is_openclaw: bool,
}

/// How the other host is reached.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SourceSpec {
    /// `alice@pc-a`, as ssh(1) takes it.
    pub destination: String,
    /// `None`: what ssh_config(5) says.
    pub port: Option<u16>,
    /// The private key, which may do one thing there.
    pub key: PathBuf,
    /// The keys of the host, from when the way was set up.
    pub known_hosts: PathBuf,
}

/// What is too much: all of it bounds what a hostile source can cost.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Of a whole order.
    pub within: Duration,
    /// All files of a generation, in bytes.
    pub bytes: u64,
    /// One file, in bytes.
    pub file_bytes: u64,
    /// The number of files of a generation.
    pub files: u64,
    /// What must stay free on the file system of the store, in bytes.
    pub free_bytes: u64,
}
