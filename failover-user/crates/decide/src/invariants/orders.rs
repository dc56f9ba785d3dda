//! The operator's orders in force.

use crate::{Order, Time};

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    /// Until when; `None`: until it is resumed.
    pub(super) pause: Option<Option<Time>>,
    pub(super) hold: Option<Time>,
    /// Whether it is forced.
    pub(super) takeover: Option<bool>,
    /// A release may be in force: something may be left to stop.
    pub(super) release: bool,
    /// A release is certainly in force: ever since the order there has been something to stop.
    pub(super) must_release: bool,
}

impl Orders {
    pub(super) fn follow(&mut self, order: Order) {
        match order {
            Order::Pause { until } => self.pause = Some(until),
            Order::Drill => {}
            Order::Resume => {
                self.pause = None;
                self.hold = None;
            }
            Order::TakeOver { force } => {
                self.takeover = Some(force);
                self.end_release();
                self.hold = None;
            }
            Order::Release { hold_until } => {
                self.takeover = None;
                self.release = true;
                self.must_release = true;
                self.hold = hold_until;
            }
        }
    }

    pub(super) fn expire(&mut self, now: Time) {
        self.pause
            .take_if(|until| until.is_some_and(|until| until <= now));
        self.hold.take_if(|until| *until <= now);
    }

    /// PC-B has booted: only standing orders survive.
    pub(super) fn boot(&mut self) {
        self.primary_is_back();
        self.end_release();
    }

    /// Nothing is left that a release could stop.
    pub(super) fn end_release(&mut self) {
        self.release = false;
        self.must_release = false;
    }

    /// The primary is trusted: an ordered takeover is over, unless it was forced.
    pub(super) fn primary_is_back(&mut self) {
        self.takeover.take_if(|force| !*force);
    }

    pub(super) fn forces(&self) -> bool {
        self.takeover == Some(true)
    }

    /// Does the primary's health alone decide which gateway serves?
    pub(super) fn leave_it_to_the_primary(&self) -> bool {
        self.pause.is_none() && self.hold.is_none() && self.takeover.is_none() && !self.release
    }
}
