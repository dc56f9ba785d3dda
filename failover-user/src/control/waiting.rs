//! Orders that wait until the primary was probed, and until when at the latest. Their number is bounded by
//! the control socket's.

use std::{mem, time::Duration};

use failover_decide::{Order, Time};
use failover_linux::clock;

use crate::control::Question;

#[derive(Debug, Default)]
pub(crate) struct WaitingOrders(Vec<(Question, Order, Time)>);

impl WaitingOrders {
    pub(crate) fn push(&mut self, question: Question, order: Order, until: Time) {
        self.0.push((question, order, until));
    }

    /// All of them, and they wait no longer.
    pub(crate) fn all(&mut self) -> Vec<(Question, Order)> {
        let waiting = mem::take(&mut self.0).into_iter();
        waiting
            .map(|(question, order, _)| (question, order))
            .collect()
    }

    /// Those whose time is over, and they wait no longer.
    pub(crate) fn overdue(&mut self, now: Time) -> Vec<(Question, Order)> {
        let overdue = self.0.extract_if(.., |(.., until)| *until <= now);
        overdue
            .map(|(question, order, _)| (question, order))
            .collect()
    }

    /// When the first of them has waited for long enough.
    pub(crate) fn next(&self) -> Option<Duration> {
        let first = self.0.iter().map(|(.., until)| *until).min()?;
        Some(first.since(clock::now()))
    }
}
