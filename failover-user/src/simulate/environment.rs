//! The world as every contender meets it: the faults, the channel, the local gateway.

use std::{collections::VecDeque, time::Duration};

use fastrand::Rng;

use super::{
    chance::{Spread, exponential, generator, seconds},
    channel::Channel,
    faults::{Change, Net, Part},
    model::Model,
    statistics::{Tally, View},
};
use failover_decide::{Order, Time};

/// From the start command to the listening port, seconds; an assumption (a Node.js program).
const START: Spread = Spread {
    median: 5.0,
    sigma: 0.4,
};
/// From the stop command to the port being free, seconds; an assumption.
const STOP: Spread = Spread {
    median: 1.0,
    sigma: 0.3,
};
/// That a start fails, and after how long; an assumption.
const START_FAILS: f64 = 0.01;
const START_FAILS_AFTER: Duration = Duration::from_secs(3);
/// That a start command gives up while the gateway is still coming up, after how long, and how long that
/// takes, seconds; an assumption (a slow board).
const START_GIVES_UP: f64 = 0.005;
const START_GIVES_UP_AFTER: Duration = Duration::from_secs(10);
const SLOW_START: Spread = Spread {
    median: 60.0,
    sigma: 0.4,
};
/// How long PC-A is off when it is fenced (a power switch, then a boot); an assumption.
const FENCED: Duration = Duration::from_secs(90);
/// How long the fence command takes; an assumption.
pub(super) const FENCE: Duration = Duration::from_secs(2);
/// Linux repeats a SYN after 1 s, 2 s, 4 s, ... (RFC 6298, `TCP_TIMEOUT_INIT`).
const FIRST_RETRANSMISSION: Duration = Duration::from_secs(1);

/// What an operator does, and when.
pub(super) type Orders = VecDeque<(Time, Order)>;

/// What became of a SYN.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// The connection is there after this time.
    Accepted(Duration),
    /// Nobody listens; known after this time.
    Refused(Duration),
    /// Nothing came back.
    Silence,
}

/// How a start goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Start {
    pub(super) takes: Duration,
    pub(super) works: bool,
    /// Its command says before that it failed.
    pub(super) gives_up: Option<Duration>,
}

pub(super) struct Environment<'a> {
    pub(super) now: Time,
    pub(super) net: Net,
    pub(super) listens: bool,
    pub(super) stopping: bool,
    pub(super) tally: Tally,
    pub(super) rng: Rng,
    model: &'a Model,
    faults: std::slice::Iter<'a, Change>,
    next: Option<Change>,
    /// PC-A comes back from being fenced.
    unfenced: Option<Time>,
    end: Time,
    channel: Channel,
}

impl<'a> Environment<'a> {
    pub(super) fn new(
        model: &'a Model,
        faults: &'a [Change],
        length: Duration,
        mut rng: Rng,
    ) -> Self {
        let mut faults = faults.iter();
        let next = faults.next().copied();
        let channel = Channel::new(&model.bursts, &mut rng);
        let mut environment = Self {
            now: Time::default(),
            net: Net::default(),
            listens: false,
            stopping: false,
            tally: Tally::default(),
            rng,
            model,
            faults,
            next,
            unfenced: None,
            end: Time::from_boot(length),
            channel,
        };
        environment.note();
        environment
    }

    /// When something breaks or recovers next, or the run ends.
    pub(super) fn next_change(&self) -> Time {
        let next = self.next.map_or(self.end, |change| change.at);
        self.unfenced.map_or(next, |unfenced| unfenced.min(next))
    }

    /// Lets the next change happen; none are left when the run is over.
    pub(super) fn change(&mut self) -> Option<Change> {
        let at = self.next_change();
        self.now = self.now.max(at);
        let change = match self.unfenced.take_if(|unfenced| *unfenced <= at) {
            Some(_) => Some(Change {
                at,
                part: Part::Host,
                begins: false,
            }),
            None => std::mem::replace(&mut self.next, self.faults.next().copied()),
        };
        match change {
            Some(change) => self.apply(change),
            None => self.tally.end(self.now),
        }
        change
    }

    /// Somebody switches PC-A off; a boot later it is back.
    pub(super) fn fence(&mut self) -> Change {
        let back = self.now + FENCED;
        let change = Change {
            at: self.now,
            part: Part::Host,
            begins: true,
        };
        if self.unfenced.replace(back).is_none() {
            self.apply(change);
        }
        change
    }

    fn apply(&mut self, change: Change) {
        self.net.apply(change);
        if self.net.rebooting() {
            self.listens = false;
            self.stopping = false;
        }
        self.note();
    }

    pub(super) fn set_listens(&mut self, listens: bool) {
        self.listens = listens;
        self.note();
    }

    pub(super) fn set_stopping(&mut self, stopping: bool) {
        self.stopping = stopping;
        self.note();
    }

    /// Sends a SYN.
    pub(super) fn ask(&mut self) -> Answer {
        if !self.net.answers() || self.lost(self.now) {
            return Answer::Silence;
        }
        let took = self.round_trip();
        if self.net.serves() {
            Answer::Accepted(took)
        } else {
            Answer::Refused(took)
        }
    }

    /// Has PC-B a carrier towards PC-A?
    pub(super) fn has_carrier(&self) -> bool {
        self.net.has_carrier() && (!self.model.direct || self.net.has_carrier_from_a())
    }

    /// Asks a third host; after how long does it answer? None later than this timeout.
    pub(super) fn ask_witness(&mut self, timeout: Duration) -> Option<Duration> {
        let mut sent = 0;
        let mut sent_at = Duration::ZERO;
        while self.net.connected() && sent_at < timeout {
            if !self.lost(self.now + sent_at) {
                let took = sent_at + self.round_trip();
                return (took < timeout).then_some(took);
            }
            sent += 1;
            sent_at = retransmission(sent);
        }
        None
    }

    /// Would a packet or its answer be lost then?
    fn lost(&mut self, at: Time) -> bool {
        let faded = self.net.faded();
        self.channel.loses(at, &mut self.rng) || (faded > 0.0 && self.rng.f64() < faded)
    }

    fn round_trip(&mut self) -> Duration {
        seconds(self.model.round_trip + exponential(&mut self.rng, self.model.jitter))
    }

    pub(super) fn draw_start(&mut self) -> Start {
        let how = self.rng.f64();
        if how < START_FAILS {
            Start {
                takes: START_FAILS_AFTER,
                works: false,
                gives_up: None,
            }
        } else if how < START_FAILS + START_GIVES_UP {
            Start {
                takes: SLOW_START
                    .sample(&mut self.rng)
                    .max(START_GIVES_UP_AFTER + Duration::from_secs(1)),
                works: true,
                gives_up: Some(START_GIVES_UP_AFTER),
            }
        } else {
            Start {
                takes: START.sample(&mut self.rng),
                works: true,
                gives_up: None,
            }
        }
    }

    pub(super) fn draw_stop(&mut self) -> Duration {
        STOP.sample(&mut self.rng)
    }

    fn note(&mut self) {
        let awake = self.net.awake();
        self.tally.note(
            self.now,
            View {
                primary: self.net.serves(),
                local: self.listens,
                connected: awake && self.net.connected(),
                awake,
                stopping: self.stopping,
            },
        );
    }
}

/// When a SYN is retransmitted, by the number of SYNs sent (from 1), counted from the first.
pub(super) fn retransmission(sent: u32) -> Duration {
    FIRST_RETRANSMISSION.saturating_mul((1 << sent.min(16)) - 1)
}

/// One run's environment, the same for every contender.
pub(super) fn environment<'a>(
    model: &'a Model,
    faults: &'a [Change],
    length: Duration,
    seed: u64,
    run: u64,
) -> Environment<'a> {
    Environment::new(model, faults, length, generator(seed, run, 1))
}
