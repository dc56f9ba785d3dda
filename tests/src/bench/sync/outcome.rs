//! The figures of a way's rounds, their goals, the table and the JSON. Everything is computed from the samples.

use std::{fmt::Write as _, path::Path, process::ExitCode, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::bench::goals::{self, Goal};

use super::{Round, Way, site::Sample};

/// The default interval of failover's rounds, in milliseconds.
const INTERVAL: f64 = 30_000.0;
/// An idle round: of OpenClaw's own backup, at most.
const SHARE: f64 = 0.1;
/// A round after a turn, at most; the time on a machine that does nothing else.
const TURN_BYTES: f64 = 150_000.0;
const TURN_SECONDS: f64 = 1.5;
/// Of a core, at most, on PC-A and on PC-B, in per cent.
const CORE: [f64; 2] = [2.0, 1.0];

/// What was measured of a round: medians of its samples.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Outcome {
    way: Way,
    round: Round,
    bytes: f64,
    /// Both sides.
    cpu_ms: f64,
    cpu_ms_pc_a: f64,
    cpu_ms_pc_b: f64,
    seconds: f64,
    samples: usize,
}

impl Outcome {
    /// `None` without samples.
    pub(super) fn of(way: Way, round: Round, samples: &[Sample]) -> Option<Self> {
        let median = |of: fn(&Sample) -> f64| median(samples.iter().map(of));
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let cpu = |side: fn(&Sample) -> Duration| {
            self::median(samples.iter().map(side).map(milliseconds))
        };
        Some(Self {
            way,
            round,
            bytes: median(|sample| f64::from(u32::try_from(sample.bytes).unwrap_or(u32::MAX)))?,
            cpu_ms: cpu(|Sample { cpu: [a, b], .. }| *a + *b)?,
            cpu_ms_pc_a: cpu(|Sample { cpu: [a, _], .. }| *a)?,
            cpu_ms_pc_b: cpu(|Sample { cpu: [_, b], .. }| *b)?,
            seconds: median(|sample| sample.took.as_secs_f64())?,
            samples: samples.len(),
        })
    }

    /// Of a core, when there is one such round an interval.
    fn cores(&self) -> [Goal; 2] {
        let [most_a, most_b] = CORE;
        [
            ("PC-A", self.cpu_ms_pc_a, most_a),
            ("PC-B", self.cpu_ms_pc_b, most_b),
        ]
        .map(|(side, cpu, most)| {
            let found = cpu / INTERVAL * 100.0;
            (
                format!("under {most:.0} % of a core on {side} at 30 s ({found:.2} %)"),
                found < most,
            )
        })
    }
}

fn median(samples: impl Iterator<Item = f64>) -> Option<f64> {
    let mut samples: Vec<f64> = samples.collect();
    samples.sort_by(f64::total_cmp);
    let upper = *samples.get(samples.len() / 2)?;
    let lower = *samples.get(samples.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// Those of failover's rounds.
fn goals(outcomes: &[Outcome]) -> Vec<Goal> {
    let of = |way: Way, round: Round| {
        outcomes
            .iter()
            .find(|outcome| outcome.way == way && outcome.round == round)
    };
    let mut goals = Vec::new();
    if let Some(idle) = of(Way::Failover, Round::Idle) {
        match of(Way::OpenclawBackup, Round::Idle) {
            Some(backup) => goals.extend(
                [
                    ("bytes", idle.bytes, backup.bytes),
                    ("CPU", idle.cpu_ms, backup.cpu_ms),
                ]
                .map(|(what, found, of)| {
                    (
                        format!(
                            "idle: at most 1/10 of the {what} of openclaw-backup (1/{:.0})",
                            of / found
                        ),
                        found <= of * SHARE,
                    )
                }),
            ),
            None => goals.push(("idle: no openclaw-backup to compare with".to_owned(), false)),
        }
        goals.extend(
            idle.cores()
                .map(|(goal, met)| (format!("idle: {goal}"), met)),
        );
    }
    if let Some(turn) = of(Way::Failover, Round::Turn) {
        goals.push((
            format!("turn: under 150 KB ({:.0} KB)", turn.bytes / 1e3),
            turn.bytes < TURN_BYTES,
        ));
        goals.push((
            format!(
                "turn: under {TURN_SECONDS} s on a quiet machine ({:.2} s)",
                turn.seconds
            ),
            turn.seconds < TURN_SECONDS,
        ));
        goals.extend(
            turn.cores()
                .map(|(goal, met)| (format!("turn: {goal}"), met)),
        );
    }
    goals
}

/// What may be lost of finished turns when PC-A dies, at worst.
fn loss_window(turn: &Outcome) -> String {
    match turn.way {
        Way::Failover => format!("{:.1} s (30 s and a round)", INTERVAL / 1e3 + turn.seconds),
        Way::OpenclawBackup => format!("the interval and {:.1} s", turn.seconds),
        Way::RsyncStopped => format!("the interval and {:.1} s, each with a stop", turn.seconds),
        Way::Litestream => format!("{:.1} s, of databases only", turn.seconds),
    }
}

/// Prints the table, and writes the JSON where it is wanted. The exit code says whether every goal is met.
pub(super) fn publish(outcomes: &[Outcome], json: Option<&Path>) -> Result<ExitCode> {
    goals::publish(table(outcomes), &outcomes, json)
}

fn table(outcomes: &[Outcome]) -> (String, bool) {
    let mut table = goals::machine("Medians of a copy; Litestream's idle one is 30 s of it");
    let _ = writeln!(
        table,
        "{:<18}{:<8}{:>12}{:>14}{:>14}{:>10}{:>9}",
        "way", "round", "KB", "CPU ms PC-A", "CPU ms PC-B", "seconds", "samples"
    );
    for outcome in outcomes {
        let _ = writeln!(
            table,
            "{:<18}{:<8}{:>12.1}{:>14.0}{:>14.0}{:>10.2}{:>9}",
            outcome.way.name(),
            outcome.round.name(),
            outcome.bytes / 1e3,
            outcome.cpu_ms_pc_a,
            outcome.cpu_ms_pc_b,
            outcome.seconds,
            outcome.samples,
        );
    }
    for turn in outcomes.iter().filter(|one| one.round == Round::Turn) {
        let _ = writeln!(
            table,
            "loss window of {}: {}",
            turn.way.name(),
            loss_window(turn)
        );
    }
    let are_met = goals::judge(&mut table, goals(outcomes));
    (table, are_met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(way: Way, round: Round, bytes: u64, cpu: [u64; 2], took: u64) -> Outcome {
        let sample = Sample {
            bytes,
            cpu: cpu.map(Duration::from_millis),
            took: Duration::from_millis(took),
        };
        Outcome::of(way, round, &[sample]).unwrap()
    }

    fn missed(outcomes: &[Outcome]) -> Vec<String> {
        let goals = goals(outcomes).into_iter();
        goals
            .filter(|(_, met)| !met)
            .map(|(goal, _)| goal)
            .collect()
    }

    #[test]
    fn a_rounds_figures_are_medians() {
        let sample = |bytes, took| Sample {
            bytes,
            cpu: [Duration::from_millis(bytes), Duration::from_millis(2)],
            took: Duration::from_secs(took),
        };
        let samples = [sample(30, 1), sample(10, 9), sample(20, 2)];
        let found = Outcome::of(Way::Failover, Round::Idle, &samples).unwrap();
        assert_eq!((found.bytes, found.seconds), (20.0, 2.0));
        assert_eq!((found.cpu_ms, found.cpu_ms_pc_a), (22.0, 20.0));
        assert!(Outcome::of(Way::Failover, Round::Idle, &[]).is_none());
    }

    #[test]
    fn an_idle_round_is_measured_against_openclaws_backup() {
        let backup = outcome(Way::OpenclawBackup, Round::Idle, 100_000, [3000, 100], 6000);
        let idle = |bytes, cpu| outcome(Way::Failover, Round::Idle, bytes, [cpu, 10], 400);
        assert!(missed(&[idle(10_000, 300), backup]).is_empty());
        assert_eq!(missed(&[idle(10_001, 300), backup]).len(), 1);
        assert_eq!(missed(&[idle(10_000, 301), backup]).len(), 1);
        assert_eq!(missed(&[idle(10_000, 300)]).len(), 1);
    }

    #[test]
    fn a_round_after_a_turn_is_measured_in_bytes_time_and_cores() {
        let turn = |bytes, cpu, took| outcome(Way::Failover, Round::Turn, bytes, cpu, took);
        assert!(missed(&[turn(149_000, [599, 299], 1499)]).is_empty());
        for (one, goal) in [
            (turn(150_000, [599, 299], 1499), "turn: under 150 KB"),
            (
                turn(149_000, [600, 299], 1499),
                "turn: under 2 % of a core on PC-A",
            ),
            (
                turn(149_000, [599, 300], 1499),
                "turn: under 1 % of a core on PC-B",
            ),
            (turn(149_000, [599, 299], 1500), "turn: under 1.5 s"),
        ] {
            let missed = missed(&[one]);
            assert_eq!(missed.len(), 1, "{missed:?}");
            assert!(missed.first().unwrap().starts_with(goal), "{missed:?}");
        }
    }
}
