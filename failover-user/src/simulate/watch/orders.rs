//! The orders in force, as the watch keeps its own books of them.

use failover_decide::{Command, Order, Time};

/// Until when; `None`: until another order ends it.
type Until = Option<Time>;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Orders {
    pause: Option<Until>,
    hold: Until,
    /// Whether by force.
    takeover: Option<bool>,
    release: bool,
}

impl Orders {
    pub(super) fn given(&mut self, order: Order) {
        match order {
            Order::Pause { until } => self.pause = Some(until),
            Order::Resume => {
                self.pause = None;
                self.hold = None;
            }
            Order::TakeOver { force } => {
                self.takeover = Some(force);
                self.release = false;
                self.hold = None;
            }
            Order::Release { hold_until: hold } => {
                self.takeover = None;
                self.release = true;
                self.hold = hold;
            }
        }
    }

    /// PC-B has booted: what doesn't stand for good is over.
    pub(super) fn boot(&mut self) {
        self.primary_is_back();
        self.release = false;
    }

    /// The primary is believed, as far as anybody can ask.
    pub(super) fn primary_is_back(&mut self) {
        self.takeover.take_if(|force| !*force);
    }

    /// Why this command must not be run now.
    pub(super) fn forbid(&self, now: Time, command: Command) -> Option<&'static str> {
        let is_held = self.hold.is_some_and(|until| now < until);
        if self.is_paused(now) {
            Some("a command is run during a pause")
        } else if is_held && command != Command::Stop {
            Some("a start after a release that holds")
        } else {
            None
        }
    }

    fn is_paused(&self, now: Time) -> bool {
        self.pause
            .is_some_and(|until| until.is_none_or(|until| now < until))
    }

    pub(super) fn takes_over(&self) -> bool {
        self.takeover.is_some()
    }

    pub(super) fn forces(&self) -> bool {
        self.takeover == Some(true)
    }

    /// Does what the primary does alone decide who serves?
    pub(super) fn leave_it_to_the_primary(&self, now: Time) -> bool {
        !self.is_paused(now)
            && self.hold.is_none_or(|until| until <= now)
            && self.takeover.is_none()
            && !self.release
    }

    /// Nobody listens: there is nothing that a release could stop.
    pub(super) fn released(&mut self) {
        self.release = false;
    }
}
