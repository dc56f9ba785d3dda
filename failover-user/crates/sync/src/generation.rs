//! A generation: one consistent copy of the other host's state, numbered, and what is known of it.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::lineage::Epoch;

/// Which copy: each is one higher than the one before it.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct Number(pub u64);

impl Number {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// What a generation's folder says of it, beside the copied files.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Manifest {
    /// Which it is.
    pub number: Number,
    /// When the copy was complete, by the clock of the host that keeps it.
    pub taken: Timestamp,
    /// When the state changed last at the source, by the clock of the host that keeps the copy; `None`: not known.
    #[serde(default)]
    pub changed: Option<Timestamp>,
    /// The line of changes that it belongs to on the host that it is from.
    pub epoch: Epoch,
    /// What the source says of its state without leases: an equal one means that nothing has changed. Opaque.
    pub token: String,
    /// The gateway's version there, where it is known.
    pub gateway_version: Option<String>,
    /// Each database, by its path on both hosts, with its schema number (`PRAGMA user_version`).
    pub databases: BTreeMap<PathBuf, i64>,
    /// The number of files, databases included.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}
