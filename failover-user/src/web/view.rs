//! All that the page and the metrics show, at one moment, and the request for it.

use tokio::sync::oneshot;

use failover_decide::Time;

use crate::{
    runtime::waiting::Ticket,
    status::snapshot::Snapshot,
    web::{metrics::Probes, timeline::Timeline},
};

/// All that is shown, at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// When it was made.
    pub(crate) now: Time,
    /// The daemon.
    pub(crate) snapshot: Snapshot,
    /// The last hours.
    pub(crate) timeline: Timeline,
    /// How long probes took.
    pub(crate) probes: Probes,
}

/// Somebody looks, and waits for what there is to see.
#[derive(Debug)]
pub struct ViewRequest {
    pub(crate) answer: oneshot::Sender<View>,
    /// Until the daemon has taken it.
    pub(crate) _ticket: Option<Ticket>,
}

impl ViewRequest {
    /// Shows it. A client that has left is ignored.
    pub fn answer(self, view: View) {
        let _ = self.answer.send(view);
    }
}
