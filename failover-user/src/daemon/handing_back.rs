//! How far a hand-back is, and who waits for it. Only data.

use std::mem;

use failover_decide::Time;

use crate::control::Pending;

/// How far it is.
#[derive(Debug, Default)]
pub(in crate::daemon) enum HandBack {
    /// Nobody has asked.
    #[default]
    Idle,
    /// The local gateway has to be stopped first.
    Stopping {
        askers: Vec<Pending>,
        /// It was ordered to stop.
        is_ordered: bool,
    },
    /// A worker gives the state to PC-A.
    Copying { askers: Vec<Pending> },
    /// PC-A's gateway starts: nothing is taken over until it serves, or this time has come.
    Held { until: Time },
}

impl HandBack {
    /// Who waits for its end. Nobody does from then on.
    pub(in crate::daemon) fn take_askers(&mut self) -> Vec<Pending> {
        match mem::take(self) {
            Self::Stopping { askers, .. } | Self::Copying { askers } => askers,
            Self::Idle | Self::Held { .. } => Vec::new(),
        }
    }
}
