//! How far a hand-back is, and who waits for it. Only data.

use std::mem;

use failover_decide::Time;
use failover_guard::ask::{AskId, How, Reason};

use crate::control::Pending;

/// How far it is.
#[derive(Debug, Default)]
pub(in crate::daemon) enum HandBack {
    /// Nobody has asked.
    #[default]
    Idle,
    /// The local gateway has to be stopped first.
    Stopping {
        askers: Vec<Asker>,
        /// It was ordered to stop.
        is_ordered: bool,
    },
    /// A worker gives the state to PC-A.
    Copying { askers: Vec<Asker> },
    /// PC-A's gateway starts: nothing is taken over until it serves, or this time has come.
    Held { until: Time },
}

impl HandBack {
    /// Who waits for its end. Nobody does from then on.
    pub(in crate::daemon) fn take_askers(&mut self) -> Vec<Asker> {
        match mem::take(self) {
            Self::Stopping { askers, .. } | Self::Copying { askers } => askers,
            Self::Idle | Self::Held { .. } => Vec::new(),
        }
    }
}

/// Who waits for a hand-back.
#[derive(Debug)]
pub(in crate::daemon) enum Asker {
    /// A client of the control socket, which gets an answer.
    Client(Pending),
    /// PC-A's guard, whose ask is answered by heartbeats.
    Guard(AskId),
}

/// What PC-A's guard asks for, and how that ended, if it has.
#[derive(Debug)]
pub(in crate::daemon) struct GuardAsk {
    pub(in crate::daemon) id: AskId,
    pub(in crate::daemon) ended: Option<(How, Option<Reason>)>,
}
