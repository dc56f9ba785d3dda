//! Runs: every contender meets the same faults, and each run's results are added up.

use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use failover_decide::{Settings, StandbyMode, Time};

use crate::simulate::{
    baseline::Loop,
    chance::generator,
    environment::environment,
    faults::draw,
    model::{MODELS, Model},
    report::{OfModel, Report, Summary},
    statistics::{Statistics, View},
    story::outage,
    stress::stress,
    world::World,
};

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
    /// The state machine, with these settings, and the local gateway kept so ready.
    Daemon(Settings, StandbyMode),
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
    pub(super) stories: Vec<Vec<(Time, View)>>,
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
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Statistics)> {
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
    let faults = draw(model, 1.0, length, &mut generator(seed, run, 0));
    contenders
        .iter()
        .map(|contender| {
            let mut environment = environment(model, &faults, length, seed, run);
            match &contender.how {
                How::Daemon(settings, mode) => {
                    World::new(&mut environment, settings, *mode).play();
                }
                How::Loop(plain) => plain.play(&mut environment),
            }
            let mut statistics = environment.tally.statistics;
            if let How::Daemon(settings, mode) = &contender.how {
                stress(model, settings, *mode, length, (seed, run), &mut statistics);
            }
            Played {
                statistics,
                story: environment.tally.story,
            }
        })
        .collect()
}
