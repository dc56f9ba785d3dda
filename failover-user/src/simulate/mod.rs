//! `failover simulate`: the daemon's state machine in virtual time, against modelled networks.
//!
//! Simulates years in seconds, with any settings, compared with
//! the plain shell loop that failover replaces:
//!
//! ```text
//! failover simulate --baseline --config today.toml --config tomorrow.toml --svg chart.svg
//! ```
//!
//! # What is simulated
//!
//! The days are cut into runs of up to 25 days, and the runs are shared out evenly among the
//! [`MODELS`], which define the rate of each fault, and cite the study. Each run has
//! one set of faults (crashes, reboots, crash loops, cut cables, suspends) that every contender meets; what
//! is drawn on the way (single packets, how long a command takes) comes from equal generators. All of
//! it depends only on the seed, not on the number of threads or on the other contenders.
//!
//! - A probe is a TCP connect: SYNs after 0 s, 1 s, 3 s, 7 s, ... within the timeout, each lost or not
//!   by a Gilbert-Elliott channel. So random loss rarely fails a probe; bursts and outages do.
//! - A failed probe of the daemon is unknown where PC-B has no carrier, unless witnesses answer. The loop
//!   doesn't know carriers.
//! - The tripwire reports a dead process at once, and silence after 3 to 4 s.
//! - Witnesses are third hosts that answer unless PC-B has no network; their packets are lost like
//!   others. The default router is one of them once it has answered while the primary did.
//! - A fence takes 2 s, works while PC-B has a network, and switches PC-A off for 90 s, whether PC-A
//!   was healthy or not.
//! - The local gateway takes about 5 s to start and 1 s to stop, and one start in a hundred fails:
//!   assumptions, the same for all.
//! - While PC-B sleeps nothing happens and timers stand still; after a reboot everything starts again, except
//!   the daemon's persisted state: that the router has answered, and how the primary flaps.
//!
//! # What is counted
//!
//! - *needed*: outages of the primary, with PC-B there and connected, of 120 s at least. *Missed* are
//!   those in which the local gateway never listened.
//! - *false*: start or fence commands that were run while the primary served clients with a network.
//! - *time to takeover*: from the primary's loss, or from PC-B's being there if that is later, to the
//!   local gateway listening. *Time to release*: from the primary's being back within PC-B's reach to
//!   the local gateway's end.
//! - *two gateways*: the primary serves and the local gateway listens. *No gateway*: the primary
//!   doesn't serve, and the local gateway doesn't listen or PC-B has no network.
//!
//! # Invariants
//!
//! The [invariants](failover_decide::invariants) are checked at every event, as in the decider's own tests:
//! when a command may run and when it may not, how often the primary is asked, that a local gateway that
//! nobody needs is stopped, and that every state is left. A violation makes `failover simulate` fail.
//!
//! Each run is followed by a stress run, in which far more goes wrong, an operator gives orders, and nobody
//! has seen the primary yet. It is checked alike, and counts in no statistic.
//!
//! # What it finds
//!
//! At 30 s / 5 s / 3, for 20,000 days with seed 1, a year in PC-B's life looks like this:
//!
//! | | no witness | another host | defaults | and no flap damping | or confirmed every 10 s | the loop |
//! | --- | ---: | ---: | ---: | ---: | ---: | ---: |
//! | false takeovers | 11.5 | 1.0 | 1.0 | 1.2 | 3.4 | 17.6 |
//! | time to takeover, p50 | 69 s | 69 s | 69 s | 67 s | 28 s | 86 s |
//! | no gateway, and PC-B could help | 89 min | 89 min | 89 min | 132 min | 42 min | 142 min |
//! | two gateways | 6.4 h | 43 min | 43 min | 2.2 min | 49 min | 9.4 h |
//! | two gateways, both with a network | 45 min | 43 min | 43 min | 2.2 min | 49 min | 28 min |
//!
//! So it is a witness that prevents false takeovers, by default the router; the confirm-interval that
//! shortens outages; and flap damping that keeps the local gateway beside a primary that crashes in a
//! loop: it costs time with two gateways and saves time with none.
//!
//! # What is not modelled
//!
//! Others' connections to the primary, hence evidence from them; name resolution; ICMP and ARP errors,
//! which end a probe sooner than its timeout; a router that dies by itself, or together with the
//! primary, or leaves pings unanswered; keepalives lost in short bursts; a local gateway that dies by
//! itself.

mod baseline;
mod chance;
mod channel;
mod chart;
mod environment;
mod faults;
mod model;
mod options;
mod report;
mod statistics;
mod stress;
mod table;
mod world;

#[cfg(test)]
mod tests;

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use chart::outage;
use environment::environment;
use statistics::{Statistics, View};
use stress::stress;

use failover_decide::{Settings, Time};

pub use baseline::Loop;
pub use chance::Spread;
pub use channel::GilbertElliott;
pub use chart::chart;
pub use model::{Fault, Kind, MODELS, Model};
pub use options::{Options, Output, run};
pub use report::{OfModel, Report, Summary, Times};
pub use table::table;

const DAY: Duration = Duration::from_secs(86_400);
/// A run's length at most, days: long enough that few outages are cut off by its end, and short enough
/// that all threads have work until the end.
const LONGEST_RUN: u32 = 25;

/// A contender of the simulation.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Its name in the report.
    pub name: String,
    /// Its algorithm.
    pub how: How,
}

/// The algorithm of a contender.
#[derive(Clone, Debug)]
pub enum How {
    /// The state machine, with these settings.
    Daemon(Settings),
    /// The plain shell loop.
    Loop(Loop),
}

/// The result of one run of one contender.
struct Played {
    statistics: Statistics,
    story: Vec<(Time, View)>,
}

/// All runs, ready for a report and a chart.
pub struct Simulation {
    seed: u64,
    days: u32,
    names: Vec<String>,
    /// For each contender, for each model.
    statistics: Vec<Vec<Statistics>>,
    /// The timeline of the first run with an outage to draw, for each contender.
    stories: Vec<Vec<(Time, View)>>,
}

impl Simulation {
    /// Simulates this number of days for each contender, on this number of threads; `None`: the number of
    /// processors.
    #[must_use]
    pub fn of(contenders: &[Contender], days: u32, seed: u64, threads: Option<usize>) -> Self {
        let models = u32::try_from(MODELS.len()).unwrap_or(u32::MAX);
        let rounds = days.div_ceil(LONGEST_RUN * models).max(1);
        let runs = u64::from(rounds * models);
        let length = DAY * days / (rounds * models);
        let threads = threads
            .or_else(|| thread::available_parallelism().ok().map(NonZero::get))
            .unwrap_or(1);
        let next = AtomicU64::new(0);
        let work = || {
            let mut played = Vec::new();
            loop {
                let run = next.fetch_add(1, Ordering::Relaxed);
                if run >= runs {
                    return played;
                }
                played.push((run, play(contenders, length, seed, run)));
            }
        };
        let mut played: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
                .collect()
        });
        played.sort_by_key(|(run, _)| *run);
        let mut simulation = Self {
            seed,
            days,
            names: contenders.iter().map(|of| of.name.clone()).collect(),
            statistics: vec![vec![Statistics::default(); MODELS.len()]; contenders.len()],
            stories: Vec::new(),
        };
        for (run, contenders) in played {
            simulation.add(run, contenders);
        }
        simulation
    }

    fn add(&mut self, run: u64, played: Vec<Played>) {
        let model = number_of_model(run);
        let worth_drawing =
            self.stories.is_empty() && played.first().is_some_and(|of| outage(&of.story).is_some());
        for (sums, Played { statistics, story }) in self.statistics.iter_mut().zip(played) {
            if worth_drawing {
                self.stories.push(story);
            }
            if let Some(sum) = sums.get_mut(model) {
                sum.add(statistics);
            }
        }
    }

    /// The statistics of all models together, for each contender.
    fn all(&self) -> impl Iterator<Item = (&str, Statistics)> {
        self.names
            .iter()
            .zip(&self.statistics)
            .map(|(name, models)| {
                let mut sum = Statistics::default();
                for model in models {
                    sum.add(model.clone());
                }
                (name.as_str(), sum)
            })
    }

    /// Its report.
    #[must_use]
    pub fn report(&self) -> Report {
        let of_model = |(index, model): (usize, &Model)| OfModel {
            model: model.name,
            source: model.source,
            contenders: self
                .names
                .iter()
                .zip(&self.statistics)
                .filter_map(|(name, models)| Some(Summary::of(name, models.get(index)?)))
                .collect(),
        };
        Report {
            seed: self.seed,
            days: self.days,
            all: self
                .all()
                .map(|(name, sum)| Summary::of(name, &sum))
                .collect(),
            models: MODELS.iter().enumerate().map(of_model).collect(),
        }
    }
}

fn number_of_model(run: u64) -> usize {
    usize::try_from(run).unwrap_or(0) % MODELS.len()
}

/// One run, for each contender.
fn play(contenders: &[Contender], length: Duration, seed: u64, run: u64) -> Vec<Played> {
    let Some(model) = MODELS.get(number_of_model(run)) else {
        return Vec::new();
    };
    let faults = faults::draw(model, 1.0, length, &mut chance::generator(seed, run, 0));
    contenders
        .iter()
        .map(|contender| {
            let mut environment = environment(model, &faults, length, seed, run);
            match &contender.how {
                How::Daemon(settings) => {
                    world::World::new(&mut environment, settings).play();
                }
                How::Loop(plain) => plain.play(&mut environment),
            }
            let mut statistics = environment.tally.statistics;
            if let How::Daemon(settings) = &contender.how {
                stress(model, settings, length, seed, run, &mut statistics);
            }
            Played {
                statistics,
                story: environment.tally.story,
            }
        })
        .collect()
}
