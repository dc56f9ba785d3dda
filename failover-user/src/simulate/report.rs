//! The results of a simulation, for people and programs.

use std::time::Duration;

use serde::Serialize;

use super::statistics::Statistics;

const YEAR: f64 = 365.25 * 86_400.0;
const DAY: f64 = 86_400.0;

/// All results: in total, and for each model.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The seed of all random numbers.
    pub seed: u64,
    /// Days simulated for each contender.
    pub days: u32,
    /// All models together, one for each contender.
    pub all: Vec<Summary>,
    /// Each model on its own.
    pub models: Vec<OfModel>,
}

/// One model's part.
#[derive(Clone, Debug, Serialize)]
pub struct OfModel {
    /// The model's name.
    pub model: &'static str,
    /// The source of its numbers.
    pub source: &'static str,
    /// One for each contender.
    pub contenders: Vec<Summary>,
}

/// One contender's results. Times are in seconds, a year has 365.25 days.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The contender.
    pub name: String,
    /// Simulated days.
    pub days: f64,
    /// Start commands run.
    pub takeovers: u64,
    /// Start and fence commands run while the primary served.
    pub false_takeovers: u64,
    /// Outages that needed a takeover.
    pub needed: u64,
    /// Of these, those without one.
    pub missed: u64,
    /// A year.
    pub takeovers_per_year: f64,
    /// A year.
    pub false_per_year: f64,
    /// A year.
    pub needed_per_year: f64,
    /// A year.
    pub missed_per_year: f64,
    /// Until the local gateway listens.
    pub takeover: Times,
    /// Until it is gone again.
    pub release: Times,
    /// Both serve; seconds a year.
    pub two_per_year: f64,
    /// Of this, PC-B has a network; seconds a year.
    pub two_connected_per_year: f64,
    /// Of the time with two, a stop command is running; seconds a year.
    pub two_stopping_per_year: f64,
    /// Nobody serves; seconds a year.
    pub none_per_year: f64,
    /// Of this, PC-B could not have served; seconds a year.
    pub none_helpless_per_year: f64,
    /// Seconds a year: the rest, which settings can change.
    pub none_avoidable_per_year: f64,
    /// A day.
    pub probes_per_day: f64,
    /// Number of invariant violations.
    pub violated: u64,
    /// The first violations.
    pub violations: Vec<String>,
}

/// A distribution of times, in seconds; all 0 if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// How many.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Times {
    pub(super) fn of(times: &[Duration]) -> Self {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(index).map_or(0.0, Duration::as_secs_f64)
        };
        Self {
            count: sorted.len(),
            p50: rank(50),
            p99: rank(99),
            max: rank(100),
        }
    }
}

impl Summary {
    pub(super) fn of(name: &str, statistics: &Statistics) -> Self {
        let seconds = statistics.simulated.as_secs_f64();
        let a_year = |amount: f64| amount * YEAR / seconds;
        let time_a_year = |time: Duration| a_year(time.as_secs_f64());
        let avoidable = statistics.none.saturating_sub(statistics.none_helpless);
        Self {
            name: name.to_owned(),
            days: seconds / DAY,
            takeovers: statistics.takeovers,
            false_takeovers: statistics.false_takeovers,
            needed: statistics.needed,
            missed: statistics.missed,
            takeovers_per_year: a_year(number(statistics.takeovers)),
            false_per_year: a_year(number(statistics.false_takeovers)),
            needed_per_year: a_year(number(statistics.needed)),
            missed_per_year: a_year(number(statistics.missed)),
            takeover: Times::of(&statistics.takeover_times),
            release: Times::of(&statistics.release_times),
            two_per_year: time_a_year(statistics.two),
            two_connected_per_year: time_a_year(statistics.two_connected),
            two_stopping_per_year: time_a_year(statistics.two_stopping),
            none_per_year: time_a_year(statistics.none),
            none_helpless_per_year: time_a_year(statistics.none_helpless),
            none_avoidable_per_year: time_a_year(avoidable),
            probes_per_day: number(statistics.probes) * DAY / seconds,
            violated: statistics.violated,
            violations: statistics.violations.clone(),
        }
    }
}

/// A count as a floating-point number.
pub(super) fn number(count: u64) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_time_that_was_measured() {
        let times: Vec<Duration> = (1..=200).rev().map(Duration::from_secs).collect();
        let spread = Times::of(&times);
        assert_eq!((spread.p50, spread.p99, spread.max), (100.0, 198.0, 200.0));
        assert_eq!(Times::of(&[]), Times::default());
    }
}
