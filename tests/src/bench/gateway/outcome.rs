//! The figures of a mode, their goals, the table and the JSON. Everything is computed from the samples.

use std::{fmt::Write as _, path::Path, process::ExitCode, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::bench::goals::{self, Goal};

use super::{
    Mode,
    site::{Sample, StandBy},
};

/// So long a hot gateway has to be parked for its goals to count.
const HOT_FOR: Duration = Duration::from_secs(600);
/// LISTEN, at most, in milliseconds.
const LISTEN: f64 = 100.0;
/// LISTEN: the cold time divided by this, at most.
const LISTEN_SHARE: f64 = 50.0;
/// `/healthz`, at most.
const WARM_HEALTHZ: f64 = 250.0;
const HOT_HEALTHZ: f64 = 1000.0;
/// `/readyz`: the cold time divided by this, at most.
const READY_SHARE: f64 = 3.0;

/// In milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Range {
    min: f64,
    median: f64,
    max: f64,
}

/// What was measured of a mode.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Outcome {
    mode: Mode,
    strike_to_listen_ms: Range,
    strike_to_healthz_ms: Range,
    strike_to_ready_ms: Range,
    /// Until the command was run that starts the gateway or lets it go on.
    strike_to_start_ms: Range,
    samples: usize,
    standby: StandBy,
}

impl Range {
    fn of(samples: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.map(|time| time.as_secs_f64() * 1e3).collect();
        samples.sort_by(f64::total_cmp);
        let upper = *samples.get(samples.len() / 2)?;
        let lower = *samples.get((samples.len() - 1) / 2)?;
        Some(Self {
            min: *samples.first()?,
            median: f64::midpoint(lower, upper),
            max: *samples.last()?,
        })
    }

    fn text(self) -> String {
        format!("{:.0} / {:.0} / {:.0}", self.min, self.median, self.max)
    }
}

impl Outcome {
    /// `None` without samples.
    pub(super) fn of(mode: Mode, samples: &[Sample], standby: StandBy) -> Option<Self> {
        let range = |of: fn(&Sample) -> Duration| Range::of(samples.iter().map(of));
        Some(Self {
            mode,
            strike_to_listen_ms: range(|sample| sample.listens)?,
            strike_to_healthz_ms: range(|sample| sample.live)?,
            strike_to_ready_ms: range(|sample| sample.ready)?,
            strike_to_start_ms: range(|sample| sample.start)?,
            samples: samples.len(),
            standby,
        })
    }

    /// Each goal of it in words, and whether it is met. `cold`: what it is compared with.
    fn goals(&self, cold: Option<&Self>) -> Vec<Goal> {
        let healthz = match self.mode {
            Mode::Plain | Mode::Cold | Mode::ColdDroppedCache => return Vec::new(),
            Mode::Warm => WARM_HEALTHZ,
            Mode::Hot => HOT_HEALTHZ,
        };
        let most = |what: &str, found: Range, limit: f64| {
            (
                format!("{what} within {limit:.0} ms ({:.0})", found.max),
                found.max <= limit,
            )
        };
        let mut goals = vec![
            most("LISTEN", self.strike_to_listen_ms, LISTEN),
            most("/healthz", self.strike_to_healthz_ms, healthz),
        ];
        let Some(cold) = cold else {
            goals.push(("no cold start to compare with".to_owned(), false));
            return goals;
        };
        for (what, found, cold, share) in [
            (
                "LISTEN",
                self.strike_to_listen_ms,
                cold.strike_to_listen_ms,
                LISTEN_SHARE,
            ),
            (
                "/readyz",
                self.strike_to_ready_ms,
                cold.strike_to_ready_ms,
                READY_SHARE,
            ),
        ] {
            let found = cold.median / found.median;
            goals.push((
                format!("{what} at most 1/{share:.0} of cold (1/{found:.1})"),
                found >= share,
            ));
        }
        goals
    }

    /// The phases of a takeover, by their medians.
    fn phases(&self) -> String {
        let [start, listens, live, ready] = [
            self.strike_to_start_ms,
            self.strike_to_listen_ms,
            self.strike_to_healthz_ms,
            self.strike_to_ready_ms,
        ]
        .map(|range| range.median);
        format!(
            "strike to command {start:.0} ms, command to LISTEN {:.0} ms, LISTEN to /healthz {:.0} ms, /healthz to \
             /readyz {:.0} ms",
            listens - start,
            live - listens,
            ready - live
        )
    }
}

/// Prints the table, and writes the JSON where it is wanted. The exit code says whether every goal is met.
pub(super) fn publish(
    outcomes: &[Outcome],
    parked_for: Duration,
    json: Option<&Path>,
) -> Result<ExitCode> {
    goals::publish(table(outcomes, parked_for), &outcomes, json)
}

fn table(outcomes: &[Outcome], parked_for: Duration) -> (String, bool) {
    let mut table = goals::machine("From the third strike, in ms: least / median / most");
    let _ = writeln!(
        table,
        "{:<20}{:>24}{:>24}{:>24}   in standby: CPU a minute, memory (daemon; gateway)",
        "mode", "LISTEN", "/healthz", "/readyz"
    );
    for outcome in outcomes {
        let use_ = &outcome.standby;
        let _ = writeln!(
            table,
            "{:<20}{:>24}{:>24}{:>24}   {:.0} ms, {:.1} MB; {:.0} ms, {:.0} MB",
            outcome.mode.name(),
            outcome.strike_to_listen_ms.text(),
            outcome.strike_to_healthz_ms.text(),
            outcome.strike_to_ready_ms.text(),
            use_.daemon_cpu_ms_a_minute,
            use_.daemon_memory_mb,
            use_.gateway_cpu_ms_a_minute,
            use_.gateway_memory_mb,
        );
    }
    let cold = outcomes.iter().find(|outcome| outcome.mode == Mode::Cold);
    let mut are_met = true;
    for outcome in outcomes {
        let _ = writeln!(table, "{}: {}", outcome.mode.name(), outcome.phases());
        are_met &= goals::judge(&mut table, outcome.goals(cold));
        if outcome.mode == Mode::Hot {
            let asked = HOT_FOR.as_secs() / 60;
            let enough = if parked_for >= HOT_FOR {
                String::new()
            } else {
                format!("; the goals are for {asked} minutes: --parked-for {asked}m")
            };
            let _ = writeln!(table, "  parked for {parked_for:?} or more{enough}");
        }
    }
    (table, are_met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(mode: Mode, milliseconds: [u64; 3]) -> Outcome {
        let [listens, live, ready] = milliseconds.map(Duration::from_millis);
        let sample = Sample {
            start: Duration::ZERO,
            listens,
            live,
            ready,
        };
        Outcome::of(mode, &[sample], StandBy::default()).unwrap()
    }

    fn missed(outcome: Outcome) -> Vec<String> {
        let cold = self::outcome(Mode::Cold, [10_000, 10_100, 12_000]);
        let goals = outcome.goals(Some(&cold)).into_iter();
        goals
            .filter(|(_, is_met)| !is_met)
            .map(|(goal, _)| goal)
            .collect()
    }

    #[test]
    fn a_range_is_that_of_its_samples() {
        let range = |times: &[u64]| Range::of(times.iter().copied().map(Duration::from_millis));
        let found = range(&[30, 10, 80]).unwrap();
        assert_eq!((found.min, found.median, found.max), (10.0, 30.0, 80.0));
        assert_eq!(range(&[10, 20]).unwrap().median, 15.0);
        assert_eq!(range(&[]), None);
    }

    #[test]
    fn a_warm_takeover_is_measured_against_the_clock_and_against_a_cold_one() {
        assert!(missed(outcome(Mode::Warm, [100, 250, 4000])).is_empty());
        for (times, goal) in [
            ([101, 250, 4000], "LISTEN within 100 ms"),
            ([100, 251, 4000], "/healthz within 250 ms"),
            ([100, 250, 4001], "/readyz at most 1/3 of cold"),
        ] {
            let missed = missed(outcome(Mode::Warm, times));
            assert_eq!(missed.len(), 1, "{missed:?}");
            assert!(missed.first().unwrap().starts_with(goal), "{missed:?}");
        }
        assert_eq!(missed(outcome(Mode::Warm, [201, 250, 4000])).len(), 2);
        assert!(missed(outcome(Mode::Hot, [100, 1000, 4000])).is_empty());
    }

    #[test]
    fn without_a_cold_takeover_a_share_of_it_is_not_met() {
        let goals = outcome(Mode::Warm, [1, 2, 3]).goals(None);
        assert!(goals.iter().any(|(_, is_met)| !is_met));
        assert!(outcome(Mode::Plain, [1, 2, 3]).goals(None).is_empty());
    }
}
