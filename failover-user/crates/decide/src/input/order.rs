//! The operator's orders: a pause, a takeover, a release or a drill. This file only keeps them; `output`
//! decides what follows from them.

use crate::time::{Time, earliest};

/// What an operator may order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Observe and report, run nothing.
    Pause {
        /// Until then; `None`: until it is resumed.
        until: Option<Time>,
    },
    /// End the pause, and the hold of a release.
    Resume,
    /// Take over now, without waiting for the strikes.
    TakeOver {
        /// Even if the primary answers, was never seen healthy, or no witness answers. The local gateway then
        /// serves until a release is ordered.
        force: bool,
    },
    /// Park the local gateway and end it again, to show that it could serve.
    Drill,
    /// Stop the local gateway, even if the primary doesn't answer. A new takeover needs new strikes.
    Release {
        /// No takeover before this time; `None`: as soon as there are enough strikes.
        hold_until: Option<Time>,
    },
}

/// Why an order isn't followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// Nothing is run during a pause.
    Paused,
    /// The primary answers.
    PrimaryAnswers,
    /// The primary was never probed, and its first probe has not ended in time.
    NotAsked,
    /// The primary's last answer is out of date, and probes since then were inconclusive.
    CannotTell,
    /// The last probe failed, but other connections to the primary work.
    OthersAnswered,
    /// The primary was never seen healthy.
    Unarmed,
    /// A foreign listener has the port.
    ForeignListener,
    /// The local gateway serves already.
    AlreadyActive,
    /// There is nothing to stop.
    NothingToRelease,
    /// The primary fails: a takeover may be near.
    PrimaryFails,
    /// A drill is in progress.
    DrillRuns,
    /// A local gateway can't be parked here.
    CannotPark,
}

/// The standing orders, which hold until their time is over or another order ends them: they are part of the
/// persistent state.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Nothing is run.
    pub pause: Option<Pause>,
    /// No takeover before this time.
    pub hold_until: Option<Time>,
    /// The local gateway serves, whatever the primary does.
    pub forced: bool,
}

/// The orders in force.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Orders {
    pause: Option<Pause>,
    takeover: Option<Takeover>,
    release: bool,
    hold_until: Option<Time>,
}

/// A pause, and until when.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pause {
    /// `None`: until it is resumed.
    pub until: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Takeover {
    force: bool,
}

impl Orders {
    pub(crate) fn of(standing: Standing) -> Self {
        Self {
            pause: standing.pause,
            takeover: standing.forced.then_some(Takeover { force: true }),
            release: false,
            hold_until: standing.hold_until,
        }
    }

    pub(crate) fn standing(&self) -> Standing {
        Standing {
            pause: self.pause,
            hold_until: self.hold_until,
            forced: self.forces(),
        }
    }

    pub(crate) fn follow(&mut self, order: Order) {
        match order {
            Order::Pause { until } => self.pause = Some(Pause { until }),
            Order::Drill => {}
            Order::Resume => {
                self.pause = None;
                self.hold_until = None;
            }
            Order::TakeOver { force } => {
                self.takeover = Some(Takeover { force });
                self.release = false;
                self.hold_until = None;
            }
            Order::Release { hold_until } => {
                self.takeover = None;
                self.release = true;
                self.hold_until = hold_until;
            }
        }
    }

    /// Removes the orders whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        self.hold_until.take_if(|until| *until <= now);
        self.pause
            .take_if(|pause| pause.until.is_some_and(|until| until <= now));
    }

    /// When the next order expires.
    pub(crate) fn next(&self) -> Option<Time> {
        let pause = self.pause.and_then(|pause| pause.until);
        earliest(&[pause, self.hold_until])
    }

    /// Nothing is left of the local gateway, so the release is done.
    pub(crate) fn released(&mut self) {
        self.release = false;
    }

    /// The primary is trusted: an ordered takeover is over, unless it was forced.
    pub(crate) fn primary_is_back(&mut self) {
        self.takeover.take_if(|takeover| !takeover.force);
    }

    pub(crate) fn pause(&self) -> Option<Pause> {
        self.pause
    }

    pub(crate) fn takes_over(&self) -> bool {
        self.takeover.is_some()
    }

    pub(crate) fn forces(&self) -> bool {
        self.takeover.is_some_and(|takeover| takeover.force)
    }

    pub(crate) fn releases(&self) -> bool {
        self.release
    }

    pub(crate) fn hold_until(&self) -> Option<Time> {
        self.hold_until
    }
}
