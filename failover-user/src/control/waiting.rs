//! Orders that wait until the primary was probed, and until when at the latest. Their number is bounded by
//! the control socket's.

use std::{mem, time::Duration};

use failover_decide::{Order, Time};
use failover_linux::clock;

use crate::control::Pending;

#[derive(Debug, Default)]
pub(crate) struct WaitingOrders(Vec<(Pending, Order, Time)>);

impl WaitingOrders {
    pub(crate) fn push(&mut self, pending: Pending, order: Order, until: Time) {
        self.0.push((pending, order, until));
    }

    /// All of them, and they wait no longer.
    pub(crate) fn all(&mut self) -> Vec<(Pending, Order)> {
        let waiting = mem::take(&mut self.0).into_iter();
        waiting
            .map(|(pending, order, _)| (pending, order))
            .collect()
    }

    /// Those whose time is over, and they wait no longer.
    pub(crate) fn overdue(&mut self, now: Time) -> Vec<(Pending, Order)> {
        let overdue = self.0.extract_if(.., |(.., until)| *until <= now);
        overdue
            .map(|(pending, order, _)| (pending, order))
            .collect()
    }

    /// When the first of them has waited for long enough.
    pub(crate) fn next(&self) -> Option<Duration> {
        let first = self.0.iter().map(|(.., until)| *until).min()?;
        Some(first.since(clock::now()))
    }
}
