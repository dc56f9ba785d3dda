//! The figures: one row a measure, one column a monitor, as a table and as JSON. Everything here is
//! computed from the samples.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;

use super::monitor::Monitor;

/// All rows, and what they were measured on.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Seed of the random phases: the same seed, the same phases.
    pub(super) seed: u64,
    /// Kernel release of the machine.
    pub(super) kernel: String,
    pub(super) processors: usize,
    pub(super) rows: Vec<Row>,
}

/// A measure, taken of each monitor that has it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Interval, timeout and strikes; empty where they don't matter.
    timing: &'static str,
    measure: &'static str,
    unit: &'static str,
    goal: Goal,
    met: bool,
    /// The better peer's median divided by failover's.
    ratio: Option<f64>,
    monitors: BTreeMap<Monitor, Figures>,
}

/// What failover is to stay under.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    /// The worst sample.
    Most(f64),
    /// The one in the middle.
    Median(f64),
}

/// Samples of one monitor.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    least: f64,
    median: f64,
    most: f64,
    samples: usize,
}

impl Figures {
    /// `None` without samples.
    fn of(mut samples: Vec<f64>) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let count = samples.len();
        let upper = samples.get(count / 2)?;
        let lower = samples.get((count - 1) / 2)?;
        Some(Self {
            least: *samples.first()?,
            median: f64::midpoint(*lower, *upper),
            most: *samples.last()?,
            samples: count,
        })
    }
}

impl Row {
    pub(super) fn new(
        timing: &'static str,
        measure: &'static str,
        unit: &'static str,
        goal: Goal,
        samples: impl IntoIterator<Item = (Monitor, Vec<f64>)>,
    ) -> Self {
        let monitors: BTreeMap<Monitor, Figures> = samples
            .into_iter()
            .filter_map(|(monitor, samples)| Some((monitor, Figures::of(samples)?)))
            .collect();
        let ours = monitors.get(&Monitor::Failover);
        let peers = monitors
            .iter()
            .filter(|(monitor, _)| **monitor != Monitor::Failover);
        let best = peers
            .map(|(_, figures)| figures.median)
            .min_by(f64::total_cmp);
        Self {
            timing,
            measure,
            unit,
            goal,
            // What wasn't measured isn't met.
            met: ours.is_some_and(|ours| match goal {
                Goal::Most(limit) => ours.most <= limit,
                Goal::Median(limit) => ours.median <= limit,
            }),
            ratio: best.zip(ours).map(|(best, ours)| best / ours.median),
            monitors,
        }
    }
}

impl Report {
    pub(super) fn met(&self) -> bool {
        self.rows.iter().all(|row| row.met)
    }

    pub(super) fn table(&self) -> String {
        let mut table = format!(
            "Linux {}, {} processors, seed {}. Each: least / median / most.\n\
             {:<10}{:<34}{:>24}{:>24}{:>24}{:>8}  goal\n",
            self.kernel,
            self.processors,
            self.seed,
            "timing",
            "measure",
            Monitor::Loop.name(),
            Monitor::Keepalived.name(),
            Monitor::Failover.name(),
            "ratio"
        );
        for row in &self.rows {
            let measure = format!("{}, {}", row.measure, row.unit);
            let _ = write!(table, "{:<10}{measure:<34}", row.timing);
            for monitor in Monitor::ALL {
                let figures = row.monitors.get(&monitor).map_or("-".to_owned(), |it| {
                    format!(
                        "{} / {} / {}",
                        short(it.least),
                        short(it.median),
                        short(it.most)
                    )
                });
                let _ = write!(table, "{figures:>24}");
            }
            let ratio = row.ratio.map_or("-".to_owned(), short);
            let goal = match row.goal {
                Goal::Most(limit) => format!("most under {limit}"),
                Goal::Median(limit) => format!("median under {limit}"),
            };
            let verdict = if row.met { "met" } else { "MISSED" };
            let _ = writeln!(table, "{ratio:>8}  {goal}: {verdict}");
        }
        table.push_str("ratio: the better peer's median, divided by failover's\n");
        table
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        value if value >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ours: &[f64]) -> Row {
        let samples = [
            (Monitor::Loop, vec![9.0, 4.0, 8.0]),
            (Monitor::Keepalived, vec![6.0, 2.0]),
            (Monitor::Failover, ours.to_vec()),
        ];
        Row::new("", "time", "s", Goal::Most(2.5), samples)
    }

    #[test]
    fn least_median_and_most_are_those_of_the_samples() {
        let row = row(&[2.0, 1.0, 3.0]);
        let figures = |monitor| {
            let it: &Figures = row.monitors.get(&monitor).unwrap();
            (it.least, it.median, it.most)
        };
        assert_eq!(figures(Monitor::Loop), (4.0, 8.0, 9.0));
        assert_eq!(figures(Monitor::Keepalived), (2.0, 4.0, 6.0));
        assert_eq!(figures(Monitor::Failover), (1.0, 2.0, 3.0));
    }

    #[test]
    fn the_ratio_is_to_the_better_peer() {
        assert_eq!(row(&[2.0]).ratio, Some(2.0));
    }

    #[test]
    fn a_goal_for_the_most_is_missed_by_one_sample() {
        assert!(row(&[1.0, 2.0]).met);
        assert!(!row(&[1.0, 1.0, 1.0, 3.0]).met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        assert!(!row(&[]).met);
    }
}
