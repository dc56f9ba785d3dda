//! The tripwire: what the connection of the last good probe notices, and when.

use std::time::Duration;

use super::{
    super::faults::{Change, Part},
    World,
};
use failover_decide::Evidence;

/// The tripwire's keepalives: one a second, and this many in a row may be lost (probe/tripwire.rs).
const KEEPALIVE: Duration = Duration::from_secs(1);
const KEEPALIVES: u32 = 3;

/// The connection of the last good probe.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tripwire {
    None,
    Live,
    /// The other end is gone, and couldn't say so.
    Dead,
}

impl World<'_, '_> {
    /// The world has changed: what does the connection notice?
    pub(super) fn mind_the_tripwire(&mut self, change: Change) {
        if self.tripwire == Tripwire::None {
            return;
        }
        let now = self.environment.now;
        if change.begins && matches!(change.part, Part::Process | Part::Host) {
            self.tripwire = Tripwire::Dead;
            if self.environment.net.answers() {
                self.trip = Some((now, Evidence::Closed));
                return;
            }
        }
        if !self.environment.net.answers() {
            // Some part of the second until the next keepalive, which is the first to be lost.
            let first = KEEPALIVE.mul_f64(self.environment.rng.f64());
            let dies = now + first + KEEPALIVE * KEEPALIVES;
            self.trip.get_or_insert((dies, Evidence::TimedOut));
        } else if self.tripwire == Tripwire::Dead {
            let next = now + KEEPALIVE.mul_f64(self.environment.rng.f64());
            self.trip = Some((next, Evidence::Reset));
        } else {
            self.trip = None;
            self.fade();
        }
    }

    /// While packets are lost, keepalives are, too. Looks ahead until the next probe.
    pub(super) fn fade(&mut self) {
        let faded = self.environment.net.faded();
        if faded == 0.0 {
            return;
        }
        let mut lost = 0;
        let mut at = self.environment.now + KEEPALIVE;
        let until = at + self.settings.interval;
        while at < until {
            lost = if self.environment.rng.f64() < faded {
                lost + 1
            } else {
                0
            };
            at = at + KEEPALIVE;
            if lost == KEEPALIVES {
                self.trip = Some((at, Evidence::TimedOut));
                return;
            }
        }
    }
}
