//! The tripwire: what the connection of the last good probe notices, and when. It must not know who waits for that.

use std::time::Duration;

use failover_decide::{Evidence, Time};

use crate::simulate::{
    environment::Environment,
    faults::{Change, Part},
};

/// The tripwire's keepalives: one a second, and this many in a row may be lost (primary/tripwire.rs).
const KEEPALIVE: Duration = Duration::from_secs(1);
const KEEPALIVES: u32 = 3;

/// The connection of the last good probe.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tripwire {
    connection: Connection,
    /// When it notices something, and what.
    trip: Option<(Time, Evidence)>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Connection {
    #[default]
    None,
    Live,
    /// The other end is gone, and couldn't say so.
    Dead,
}

impl Tripwire {
    /// A probe was answered, and its connection is kept until the next one.
    pub(super) fn connected(&mut self, environment: &mut Environment, interval: Duration) {
        self.connection = Connection::Live;
        self.fade(environment, interval);
    }

    /// When it notices something.
    pub(super) fn ends(&self) -> Option<Time> {
        self.trip.map(|(at, _)| at)
    }

    /// What it has noticed by then.
    pub(super) fn ended(&mut self, at: Time) -> Option<Evidence> {
        let (_, evidence) = self.trip.take_if(|(trip, _)| *trip <= at)?;
        self.connection = Connection::None;
        Some(evidence)
    }

    /// Timers stood still for this time.
    pub(super) fn slept(&mut self, slept: Duration) {
        if let Some((at, _)) = &mut self.trip {
            *at = *at + slept;
        }
    }

    /// The world has changed: what does the connection notice?
    pub(super) fn changed(
        &mut self,
        change: Change,
        environment: &mut Environment,
        interval: Duration,
    ) {
        if self.connection == Connection::None {
            return;
        }
        let now = environment.now;
        if change.begins && matches!(change.part, Part::Process | Part::Host) {
            self.connection = Connection::Dead;
            if environment.net.answers() {
                self.trip = Some((now, Evidence::Closed));
                return;
            }
        }
        if !environment.net.answers() {
            // Some part of the second until the next keepalive, which is the first to be lost.
            let first = KEEPALIVE.mul_f64(environment.rng.f64());
            let dies = now + first + KEEPALIVE * KEEPALIVES;
            self.trip.get_or_insert((dies, Evidence::TimedOut));
        } else if self.connection == Connection::Dead {
            let next = now + KEEPALIVE.mul_f64(environment.rng.f64());
            self.trip = Some((next, Evidence::Reset));
        } else {
            self.trip = None;
            self.fade(environment, interval);
        }
    }

    /// While packets are lost, keepalives are, too. Looks ahead until the next probe.
    fn fade(&mut self, environment: &mut Environment, interval: Duration) {
        let faded = environment.net.faded();
        if faded == 0.0 {
            return;
        }
        let mut lost = 0;
        let mut at = environment.now + KEEPALIVE;
        let until = at + interval;
        while at < until {
            lost = if environment.rng.f64() < faded {
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
