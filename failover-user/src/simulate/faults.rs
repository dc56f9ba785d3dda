//! What goes wrong in one run, and when: drawn once, the same for every contender.

use std::time::Duration;

use fastrand::Rng;

use failover_decide::Time;

use crate::simulate::{
    chance::{exponential, seconds},
    channel::there_and_back,
    model::{Fault, Kind, Model},
};

const YEAR: f64 = 365.25 * 86_400.0;
/// Median time until a laptop that wakes has its network back (association, DHCP), seconds;
/// an assumption.
const NETWORK_AFTER_SLEEP: crate::simulate::chance::Spread = crate::simulate::chance::Spread {
    median: 4.0,
    sigma: 0.6,
};

/// One change of the world.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Change {
    pub(super) at: Time,
    pub(super) part: Part,
    /// Does the fault begin, or end?
    pub(super) begins: bool,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Part {
    Process,
    Host,
    LinkA,
    CableB,
    UpstreamB,
    Fade(f64),
    Suspend,
    RebootB,
}

/// All that goes wrong within this time, in order; `hurry` times as often as the model says.
pub(super) fn draw(model: &Model, hurry: f64, length: Duration, rng: &mut Rng) -> Vec<Change> {
    let mut changes = Vec::new();
    for fault in model.faults {
        let mean = YEAR / fault.per_year / hurry;
        let mut at = Duration::ZERO;
        loop {
            at += seconds(exponential(rng, mean));
            if at >= length {
                break;
            }
            // Its next turn counts from its end: a fault doesn't overlap with itself.
            at = add(&mut changes, fault, at, rng);
        }
    }
    changes.retain(|change| change.at < Time::from_boot(length));
    // A stable sort: what was drawn first comes first.
    changes.sort_by_key(|change| change.at);
    changes
}

/// Adds one fault and returns when it ends.
fn add(changes: &mut Vec<Change>, fault: &Fault, from: Duration, rng: &mut Rng) -> Duration {
    let until = from + fault.lasts.sample(rng);
    let mut span = |part, from, until| {
        for (at, begins) in [(from, true), (until, false)] {
            let at = Time::from_boot(at);
            changes.push(Change { at, part, begins });
        }
    };
    match fault.kind {
        Kind::Process => span(Part::Process, from, until),
        Kind::Reboot => {
            // Processes are ended before the network is.
            span(Part::Process, from, until);
            let silent = from + Duration::from_secs(2);
            if silent < until {
                span(Part::Host, silent, until);
            }
        }
        Kind::Host => span(Part::Host, from, until),
        Kind::LinkA => span(Part::LinkA, from, until),
        Kind::CableB => span(Part::CableB, from, until),
        Kind::UpstreamB => span(Part::UpstreamB, from, until),
        Kind::Both => {
            span(Part::LinkA, from, until);
            span(Part::CableB, from, until);
        }
        Kind::Fade(loss) => span(Part::Fade(loss), from, until),
        Kind::CrashLoop(up, down) => {
            let mut at = from;
            while at < until {
                let back = at + seconds(exponential(rng, down));
                span(Part::Process, at, back);
                at = back + seconds(exponential(rng, up));
            }
            return at;
        }
        Kind::Suspend => {
            span(Part::CableB, from, until + NETWORK_AFTER_SLEEP.sample(rng));
            span(Part::Suspend, from, until);
        }
        Kind::RebootB => span(Part::RebootB, from, until),
    }
    until
}

/// How many faults each part has now.
#[derive(Clone, Debug, Default)]
pub(super) struct Net {
    process: u32,
    host: u32,
    link_a: u32,
    cable_b: u32,
    upstream_b: u32,
    suspended: u32,
    rebooting: u32,
    fades: u32,
    /// That a packet or its answer is lost to a fade.
    faded: f64,
}

impl Net {
    pub(super) fn apply(&mut self, change: Change) {
        let count = match change.part {
            Part::Process => &mut self.process,
            Part::Host => &mut self.host,
            Part::LinkA => &mut self.link_a,
            Part::CableB => &mut self.cable_b,
            Part::UpstreamB => &mut self.upstream_b,
            Part::Suspend => &mut self.suspended,
            Part::RebootB => &mut self.rebooting,
            Part::Fade(loss) => {
                self.faded = there_and_back(loss);
                &mut self.fades
            }
        };
        *count = if change.begins {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        if self.fades == 0 {
            self.faded = 0.0;
        }
    }

    /// Does the primary serve clients that have a network?
    pub(super) fn serves(&self) -> bool {
        self.process == 0 && self.host == 0 && self.link_a == 0
    }

    /// Does PC-A's kernel answer, whatever?
    pub(super) fn answers(&self) -> bool {
        self.host == 0 && self.link_a == 0 && self.connected()
    }

    /// Has PC-B a network?
    pub(super) fn connected(&self) -> bool {
        self.cable_b == 0 && self.upstream_b == 0
    }

    pub(super) fn has_carrier(&self) -> bool {
        self.cable_b == 0
    }

    /// Is PC-A on, and its cable in?
    pub(super) fn has_carrier_from_a(&self) -> bool {
        self.host == 0 && self.link_a == 0
    }

    /// Does PC-B run at all?
    pub(super) fn awake(&self) -> bool {
        self.suspended == 0 && self.rebooting == 0
    }

    pub(super) fn rebooting(&self) -> bool {
        self.rebooting > 0
    }

    pub(super) fn faded(&self) -> f64 {
        self.faded
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{chance::generator, model::MODELS},
        *,
    };

    const LENGTH: Duration = Duration::from_secs(400 * 86_400);

    #[test]
    fn a_seed_draws_the_same_faults() {
        for model in &MODELS {
            let draw = |seed| draw(model, 1.0, LENGTH, &mut generator(seed, 0, 0));
            assert_eq!(draw(1), draw(1), "{}", model.name);
            assert_ne!(draw(1), draw(2), "{}", model.name);
        }
    }

    #[test]
    fn faults_are_in_order_and_begin_before_they_end() {
        for model in &MODELS {
            let changes = draw(model, 1.0, LENGTH, &mut generator(3, 0, 0));
            assert!(changes.is_sorted_by_key(|change| change.at));
            let mut net = Net::default();
            for change in &changes {
                net.apply(*change);
                assert!(net.process < 10 && net.host < 10, "{net:?}");
            }
        }
    }

    #[test]
    fn faults_come_as_often_as_the_model_says() {
        let count: usize = (0..20)
            .map(|run| {
                let changes = draw(&MODELS[1], 1.0, LENGTH, &mut generator(5, run, 0));
                let cut = |change: &&Change| change.begins && change.part == Part::LinkA;
                changes.iter().filter(cut).count()
            })
            .sum();
        // 22 a year for 21.9 years.
        assert!((410..550).contains(&count), "{count}");
    }
}
