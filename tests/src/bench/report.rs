//! The figures: one row a measure, one column a contestant, as a table and as JSON. Everything here
//! is computed from the samples; less is always better.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    io::Write as _,
    num::NonZeroUsize,
    path::Path,
    process::ExitCode,
    thread,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::monitor::Monitor;

/// All rows, and what they were measured on.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Seed of the random phases: the same seed, the same phases.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Kernel release of the machine.
    kernel: String,
    processors: usize,
    rows: Vec<Row>,
}

/// Whose figures they are, in the order of the columns.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Contestant {
    Loop,
    Keepalived,
    Bpftrace,
    Tcpstates,
    /// The machine with nobody watching.
    Nobody,
    /// A kernel program that does nothing. Not a peer: there is nothing to be gained over it.
    Empty,
    Failover,
}

impl Contestant {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Loop => "loop",
            Self::Keepalived => "keepalived",
            Self::Bpftrace => "bpftrace",
            Self::Tcpstates => "tcpstates",
            Self::Nobody => "nobody",
            Self::Empty => "empty program",
            Self::Failover => "failover",
        }
    }
}

impl From<Monitor> for Contestant {
    fn from(monitor: Monitor) -> Self {
        match monitor {
            Monitor::Loop => Self::Loop,
            Monitor::Keepalived => Self::Keepalived,
            Monitor::Failover => Self::Failover,
        }
    }
}

/// A measure, taken of each contestant that has it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Interval, timeout and strikes, or the load; empty where there is none.
    timing: &'static str,
    measure: &'static str,
    unit: &'static str,
    goal: Goal,
    met: bool,
    /// The better peer's median divided by failover's.
    ratio: Option<f64>,
    #[serde(skip)]
    shown: Shown,
    #[serde(rename = "monitors")]
    contestants: BTreeMap<Contestant, Figures>,
}

/// Which three of the figures are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shown {
    /// Least, median and most.
    Range,
    /// Median, 99th percentile and most.
    Tail,
    /// The median between the limits that it lies between in 95 of 100 measurements.
    Interval,
}

/// What failover is to stay under.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Goal {
    /// The worst sample.
    Most(f64),
    /// The one in the middle.
    Median(f64),
    /// The one in the middle, and the one that 99 of 100 don't exceed.
    MedianAnd99(f64, f64),
    /// The one in the middle, and every peer's.
    MedianAndPeers(f64),
    /// The one in the middle, for all that chance may have done to it: see [`Figures::high`].
    Surely(f64),
    /// Nothing: it is only shown.
    Shown,
}

impl Goal {
    /// What wasn't measured meets no goal.
    fn met(self, ours: Option<&Figures>, ratio: Option<f64>) -> bool {
        let Some(ours) = ours else { return false };
        match self {
            Self::Most(limit) => ours.most <= limit,
            Self::Median(limit) => ours.median <= limit,
            Self::Surely(limit) => ours.high <= limit,
            Self::MedianAnd99(median, percentile99) => {
                ours.median <= median && ours.percentile99 <= percentile99
            }
            Self::MedianAndPeers(limit) => {
                ours.median <= limit && ratio.is_some_and(|ratio| ratio > 1.0)
            }
            Self::Shown => true,
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Self::Most(limit) => Some(format!("most under {limit}")),
            Self::Median(limit) => Some(format!("median under {limit}")),
            Self::Surely(limit) => Some(format!("all of the interval under {limit}")),
            Self::MedianAnd99(median, percentile99) => {
                Some(format!("median under {median}, p99 under {percentile99}"))
            }
            Self::MedianAndPeers(limit) => Some(format!("median under {limit}, ratio above 1")),
            Self::Shown => None,
        }
    }
}

/// Samples of one contestant.
#[derive(Clone, Debug, Serialize)]
struct Figures {
    least: f64,
    /// With `high`, the limits between which the true median lies in 95 of 100 measurements, whatever
    /// the samples' distribution: by their ranks. Of fewer than six samples, least and most.
    low: f64,
    median: f64,
    high: f64,
    percentile99: f64,
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
        let percentile99 = samples.get((count * 99).div_ceil(100).saturating_sub(1))?;
        let outside = outside_interval(count);
        Some(Self {
            least: *samples.first()?,
            low: *samples.get(outside)?,
            median: f64::midpoint(*lower, *upper),
            high: *samples.get(count - 1 - outside)?,
            percentile99: *percentile99,
            most: *samples.last()?,
            samples: count,
        })
    }
}

/// How many of the samples lie on either side of the median's 95 % interval. The number of samples below
/// the true median is binomial, so within 1.96 standard deviations of half of them.
fn outside_interval(count: usize) -> usize {
    let count = f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let rank = f64::midpoint(count, 1.0) - 0.98 * count.sqrt();
    (2..).take_while(|whole| f64::from(*whole) <= rank).count()
}

impl Row {
    pub(super) fn new(
        timing: &'static str,
        measure: &'static str,
        unit: &'static str,
        goal: Goal,
        samples: impl IntoIterator<Item = (impl Into<Contestant>, Vec<f64>)>,
    ) -> Self {
        let contestants: BTreeMap<Contestant, Figures> = samples
            .into_iter()
            .filter_map(|(contestant, samples)| Some((contestant.into(), Figures::of(samples)?)))
            .collect();
        let ours = contestants.get(&Contestant::Failover);
        let peers = contestants.iter().filter(|(contestant, _)| {
            !matches!(contestant, Contestant::Failover | Contestant::Empty)
        });
        let best = peers
            .map(|(_, figures)| figures.median)
            .min_by(f64::total_cmp);
        let ratio = best.zip(ours).map(|(best, ours)| best / ours.median);
        Self {
            timing,
            measure,
            unit,
            goal,
            met: goal.met(ours, ratio),
            ratio,
            shown: Shown::Range,
            contestants,
        }
    }

    /// Shows the 99th percentile. The least of a thousand samples tells nothing.
    pub(super) fn with_tail(mut self) -> Self {
        self.shown = Shown::Tail;
        self
    }

    /// Shows how sure the median is.
    pub(super) fn with_interval(mut self) -> Self {
        self.shown = Shown::Interval;
        self
    }

    fn title(&self) -> String {
        let shown = match self.shown {
            Shown::Range => "",
            Shown::Tail => " (with p99)",
            Shown::Interval => " (95 %)",
        };
        let unit = if self.unit.is_empty() { "" } else { ", " };
        format!("{}{unit}{}{shown}", self.measure, self.unit)
    }

    fn figures(&self, contestant: Contestant) -> String {
        let Some(it) = self.contestants.get(&contestant) else {
            return "-".to_owned();
        };
        let three = match self.shown {
            Shown::Range => [it.least, it.median, it.most],
            Shown::Tail => [it.median, it.percentile99, it.most],
            Shown::Interval => [it.low, it.median, it.high],
        };
        three.map(short).join(" / ")
    }
}

impl Report {
    pub(super) fn new(seed: Option<u64>, rows: Vec<Row>) -> Self {
        Self {
            seed,
            kernel: rustix::system::uname()
                .release()
                .to_string_lossy()
                .into_owned(),
            processors: thread::available_parallelism().map_or(1, NonZeroUsize::get),
            rows,
        }
    }

    /// Prints the table, and writes the JSON where it is wanted. The exit code says whether every
    /// goal is met.
    pub(super) fn publish(&self, json: Option<&Path>) -> Result<ExitCode> {
        write!(std::io::stdout(), "\n{}", self.table()).context("printing the table")?;
        if let Some(file) = json {
            let json = serde_json::to_string_pretty(self).context("making JSON")?;
            fs::write(file, json).with_context(|| format!("writing {}", file.display()))?;
        }
        Ok(if self.rows.iter().all(|row| row.met) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn table(&self) -> String {
        let columns: BTreeSet<Contestant> = self
            .rows
            .iter()
            .flat_map(|row| row.contestants.keys().copied())
            .collect();
        let width = self
            .rows
            .iter()
            .map(|row| row.title().chars().count() + 2)
            .fold(34, usize::max);
        let seed = self
            .seed
            .map_or(String::new(), |seed| format!(", seed {seed}"));
        let mut table = format!(
            "Linux {}, {} processors{seed}. Each: least / median / most",
            self.kernel, self.processors
        );
        for (shown, explained) in [
            (Shown::Tail, "; with p99: median / p99 / most"),
            (Shown::Interval, "; 95 %: the median between its limits"),
        ] {
            if self.rows.iter().any(|row| row.shown == shown) {
                table.push_str(explained);
            }
        }
        let _ = write!(table, ".\n{:<10}{:<width$}", "timing", "measure");
        for column in &columns {
            let _ = write!(table, "{:>24}", column.name());
        }
        let _ = writeln!(table, "{:>8}  goal", "ratio");
        for row in &self.rows {
            let _ = write!(table, "{:<10}{:<width$}", row.timing, row.title());
            for column in &columns {
                let _ = write!(table, "{:>24}", row.figures(*column));
            }
            let ratio = row.ratio.map_or("-".to_owned(), short);
            let goal = match row.goal.text() {
                Some(goal) if row.met => format!("{goal}: met"),
                Some(goal) => format!("{goal}: MISSED"),
                None => "-".to_owned(),
            };
            let _ = writeln!(table, "{ratio:>8}  {goal}");
        }
        table.push_str("ratio: the better peer's median, divided by failover's\n");
        table
    }
}

/// Three digits that count.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        0.0 => 0,
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
            let it: &Figures = row.contestants.get(&monitor).unwrap();
            (it.least, it.median, it.most)
        };
        assert_eq!(figures(Contestant::Loop), (4.0, 8.0, 9.0));
        assert_eq!(figures(Contestant::Keepalived), (2.0, 4.0, 6.0));
        assert_eq!(figures(Contestant::Failover), (1.0, 2.0, 3.0));
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

    #[test]
    fn a_hundredth_of_the_samples_may_exceed_the_99th_percentile() {
        let met = |slow: usize| {
            let ours = [vec![1.0; 1000 - slow], vec![9.0; slow]].concat();
            let samples = [(Contestant::Failover, ours)];
            Row::new("", "delay", "µs", Goal::MedianAnd99(1.0, 2.0), samples).met
        };
        assert!(met(10));
        assert!(!met(11));
    }

    #[test]
    fn the_medians_interval_is_that_of_the_binomial_distribution() {
        // The ranks of the 95 % interval, as tables have them: 2 to 9 of 10, and so on.
        for (count, rank) in [
            (1, 1),
            (5, 1),
            (6, 1),
            (10, 2),
            (20, 6),
            (30, 10),
            (100, 40),
        ] {
            assert_eq!(outside_interval(count), rank - 1, "{count}");
        }
    }

    #[test]
    fn what_chance_may_have_done_misses_a_goal() {
        let met = |high: f64| {
            let ours = [vec![0.5; 59], vec![high; 41]].concat();
            let samples = [(Contestant::Failover, ours)];
            Row::new("", "added", "%", Goal::Surely(1.0), samples).met
        };
        assert!(met(0.9));
        assert!(!met(1.1));
    }

    #[test]
    fn goals_against_peers_need_peers() {
        let met = |goal, peer: &[f64]| {
            let samples = [
                (Contestant::Nobody, peer.to_vec()),
                (Contestant::Failover, vec![100.0]),
            ];
            Row::new("", "time", "µs", goal, samples).met
        };
        assert!(met(Goal::MedianAndPeers(100.0), &[101.0]));
        assert!(!met(Goal::MedianAndPeers(100.0), &[99.0]));
        assert!(!met(Goal::MedianAndPeers(99.0), &[101.0]));
        assert!(!met(Goal::MedianAndPeers(100.0), &[]));
    }

    #[test]
    fn only_columns_with_figures_are_shown() {
        let samples = [(Contestant::Tcpstates, vec![1.0])];
        let row = Row::new("", "time", "µs", Goal::Shown, samples);
        let table = Report::new(None, vec![row]).table();
        assert!(table.contains("tcpstates") && !table.contains("keepalived"));
    }
}
