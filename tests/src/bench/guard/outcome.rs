//! The figures of an event, their goals, the table and the JSON. Everything is computed from the samples.

use std::{fmt::Write as _, path::Path, process::ExitCode, time::Duration};

use anyhow::Result;
use serde::Serialize;

use crate::bench::goals::{self, Goal};

use super::{Event, Who};

/// Host lost to PC-B answering, at most, in seconds; and of keepalived's median.
const HOST_LOSS: f64 = 0.5;
const HOST_LOSS_SHARE: f64 = 1.1;
/// Gateway killed for good to PC-B answering, at most.
const KILLED: f64 = 0.3;
/// A planned move, at most, without state.
const SWITCHOVER: f64 = 1.0;
/// Of a core on each side, in per cent.
const CORE: f64 = 0.3;

/// One event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) event: Event,
    /// Losses: from the event to the first answer from PC-B. Planned moves: the longest time in which nobody answered.
    pub(super) nobody: Duration,
    /// How long both have served.
    pub(super) two: Duration,
}

/// CPU time that is used while nothing happens, of a core, in per cent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Idle {
    /// The guard.
    pub(super) pc_a: f64,
    /// What the daemon uses more than without a guard.
    pub(super) pc_b: f64,
}

/// In seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Range {
    min: f64,
    median: f64,
    max: f64,
}

/// What was measured of an event.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Outcome {
    who: Who,
    event: Event,
    seconds: Range,
    /// The most of all samples.
    two_seconds: f64,
    samples: usize,
}

impl Range {
    fn of(samples: impl Iterator<Item = Duration>) -> Option<Self> {
        let mut samples: Vec<f64> = samples.map(|time| time.as_secs_f64()).collect();
        samples.sort_by(f64::total_cmp);
        let upper = *samples.get(samples.len() / 2)?;
        let lower = *samples.get((samples.len() - 1) / 2)?;
        Some(Self {
            min: *samples.first()?,
            median: f64::midpoint(lower, upper),
            max: *samples.last()?,
        })
    }
}

impl Outcome {
    /// `None` without samples.
    pub(super) fn of(who: Who, event: Event, samples: &[Sample]) -> Option<Self> {
        let most_two = samples.iter().map(|sample| sample.two).max()?;
        Some(Self {
            who,
            event,
            seconds: Range::of(samples.iter().map(|sample| sample.nobody))?,
            two_seconds: most_two.as_secs_f64(),
            samples: samples.len(),
        })
    }
}

/// Each goal in words, and whether it is met.
fn goals(outcomes: &[Outcome], idle: Option<Idle>) -> Vec<Goal> {
    let of = |who: Who, event: Event| {
        outcomes
            .iter()
            .find(|outcome| outcome.who == who && outcome.event == event)
    };
    let most = |what: &str, found: f64, limit: f64| {
        let goal = format!("{what}: at most {limit} s ({found:.3})");
        (goal, found <= limit)
    };
    let mut goals = Vec::new();
    if let Some(loss) = of(Who::Failover, Event::HostLoss) {
        goals.push(most("host-loss", loss.seconds.max, HOST_LOSS));
        goals.push(match of(Who::Keepalived, Event::HostLoss) {
            Some(peer) => {
                let share = loss.seconds.median / peer.seconds.median;
                (
                    format!("host-loss: at most {HOST_LOSS_SHARE} of keepalived's ({share:.2})"),
                    share <= HOST_LOSS_SHARE,
                )
            }
            None => ("host-loss: no keepalived to compare with".to_owned(), false),
        });
    }
    if let Some(killed) = of(Who::Failover, Event::Killed) {
        goals.push(most("killed", killed.seconds.max, KILLED));
    }
    if let Some(switchover) = of(Who::Failover, Event::Switchover) {
        goals.push(most("switchover", switchover.seconds.max, SWITCHOVER));
    }
    for outcome in outcomes.iter().filter(|one| one.who == Who::Failover) {
        goals.push((
            format!(
                "{}: two serve for 0 s ({:.3})",
                outcome.event.name(),
                outcome.two_seconds
            ),
            outcome.two_seconds == 0.0,
        ));
    }
    if let Some(idle) = idle {
        for (side, found) in [("PC-A", idle.pc_a), ("PC-B", idle.pc_b)] {
            goals.push((
                format!("heartbeats: under {CORE} % of a core on {side} ({found:.2} %)"),
                found < CORE,
            ));
        }
    }
    goals
}

/// Prints the table, and writes the JSON where it is wanted. The exit code says whether every goal is met.
pub(super) fn publish(
    outcomes: &[Outcome],
    idle: Option<Idle>,
    json: Option<&Path>,
) -> Result<ExitCode> {
    goals::publish(table(outcomes, idle), &outcomes, json)
}

fn table(outcomes: &[Outcome], idle: Option<Idle>) -> (String, bool) {
    let mut table = goals::machine("Nobody answers, in seconds: least / median / most");
    let _ = writeln!(
        table,
        "{:<12}{:<12}{:>26}{:>12}{:>9}",
        "who", "event", "nobody", "two, most", "samples"
    );
    for outcome in outcomes {
        let Range { min, median, max } = outcome.seconds;
        let _ = writeln!(
            table,
            "{:<12}{:<12}{:>26}{:>12.3}{:>9}",
            outcome.who.name(),
            outcome.event.name(),
            format!("{min:.3} / {median:.3} / {max:.3}"),
            outcome.two_seconds,
            outcome.samples,
        );
    }
    let are_met = goals::judge(&mut table, goals(outcomes, idle));
    (table, are_met)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(who: Who, event: Event, milliseconds: u64, two: u64) -> Outcome {
        let sample = Sample {
            event,
            nobody: Duration::from_millis(milliseconds),
            two: Duration::from_millis(two),
        };
        Outcome::of(who, event, &[sample]).unwrap()
    }

    fn missed(outcomes: &[Outcome]) -> Vec<String> {
        let goals = goals(outcomes, None).into_iter();
        goals
            .filter(|(_, is_met)| !is_met)
            .map(|(goal, _)| goal)
            .collect()
    }

    #[test]
    fn a_lost_host_is_measured_against_the_clock_and_keepalived() {
        let peer = outcome(Who::Keepalived, Event::HostLoss, 400, 0);
        let lost = |milliseconds| outcome(Who::Failover, Event::HostLoss, milliseconds, 0);
        assert_eq!(missed(&[lost(440), peer]), Vec::<String>::new());
        assert_eq!(missed(&[lost(450), peer]).len(), 1);
        assert_eq!(missed(&[lost(501), peer]).len(), 2);
        assert_eq!(missed(&[lost(440)]).len(), 1);
    }

    #[test]
    fn two_that_serve_miss_the_goal_however_shortly() {
        assert!(missed(&[outcome(Who::Failover, Event::Return, 0, 0)]).is_empty());
        assert_eq!(
            missed(&[outcome(Who::Failover, Event::Return, 0, 1)]).len(),
            1
        );
        assert!(missed(&[outcome(Who::Keepalived, Event::Return, 0, 900)]).is_empty());
    }

    #[test]
    fn a_range_is_that_of_its_samples() {
        let range = |times: &[u64]| Range::of(times.iter().copied().map(Duration::from_millis));
        let found = range(&[3000, 1000, 8000]).unwrap();
        assert_eq!((found.min, found.median, found.max), (1.0, 3.0, 8.0));
        assert_eq!(range(&[]), None);
    }
}
