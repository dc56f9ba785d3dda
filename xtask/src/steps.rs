//! Progress of slow verbs: the step, the number of steps, and an estimate of how long
//! the rest will take.

use std::fmt;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::say;

/// Interval of reminders during a long step.
const REMINDER: Duration = Duration::from_secs(30);
/// Unexpected work is reported after this time.
const PATIENCE: Duration = Duration::from_secs(3);
/// Before this time the pace is no basis for an estimate.
const TELLING: Duration = Duration::from_secs(15);
/// A step that isn't over is at most so far.
const MOST_OF_IT: f64 = 0.9;

/// Work that takes long, the first time at least.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    /// Getting a compiler for BPF.
    Toolchain,
    /// Building bpf-linker.
    Linker,
    /// Building the kernel program.
    KernelProgram,
    /// Building the daemon, the lab and xtask with the dev profile.
    Programs,
    /// Building the tests.
    Tests,
    /// Building the file for PC-B.
    Product,
    /// Building the lab with the release profile.
    Lab,
    /// Building what makes the package.
    Packager,
}

impl Work {
    /// CPU time that it takes from nothing, on a processor of 2024, to compare one with another.
    const fn cost(self) -> Duration {
        Duration::from_secs(match self {
            Self::Toolchain => 13,
            Self::Linker => 65,
            Self::KernelProgram => 45,
            Self::Programs => 170,
            Self::Tests => 110,
            Self::Product => 270,
            Self::Lab => 160,
            Self::Packager => 60,
        })
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Toolchain => "getting a compiler for BPF",
            Self::Linker => "building bpf-linker, which links the kernel program",
            Self::KernelProgram => "building the kernel program",
            Self::Programs => "building the daemon and the two-host lab",
            Self::Tests => "building the tests",
            Self::Product => "building the daemon as for PC-B",
            Self::Lab => "building the two-host lab, optimized",
            Self::Packager => "building cargo-deb, which makes the package",
        })
    }
}

/// The steps of this run.
#[derive(Default)]
pub(crate) struct Steps {
    plan: Mutex<Plan>,
}

impl Steps {
    /// There is this work to do, in this order.
    pub(crate) fn plan(&self, work: impl IntoIterator<Item = Work>) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.steps.extend(work);
    }

    /// Does this work, and tells of it: at once if it is planned, and otherwise when it takes long.
    pub(crate) fn tell<T>(&self, work: Work, act: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let step = self.with(|plan| plan.begin(work));
        if step.is_some() {
            self.say(work, "");
        }
        let (done, is_done) = mpsc::channel::<()>();
        let result = thread::scope(|scope| {
            scope.spawn(move || {
                let mut patience = if step.is_some() { REMINDER } else { PATIENCE };
                // Ends with the work, which drops the other end.
                while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(patience) {
                    self.say(work, "still ");
                    patience = REMINDER;
                }
            });
            // Dropped at the end of this block, also where the work panics.
            let _done = done;
            act()
        });
        self.with(|plan| plan.end(step, began.elapsed()));
        result
    }

    fn say(&self, work: Work, still: &str) {
        let told = self.with(|plan| plan.told(work, parallelism()));
        say(&format!("{told}{still}{work}"));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Plan) -> T) -> T {
        act(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The steps, and their progress.
#[derive(Default)]
struct Plan {
    steps: Vec<Work>,
    /// The one that is being done, by its place in the list, and since when.
    current: Option<(usize, Instant)>,
    /// What was done, as [`Work::cost`] counts, and how long that took.
    done: Duration,
    took: Duration,
}

impl Plan {
    /// Its place in the plan, if it is there.
    fn begin(&mut self, work: Work) -> Option<usize> {
        let step = self.steps.iter().position(|step| *step == work)?;
        self.current = Some((step, Instant::now()));
        Some(step)
    }

    fn end(&mut self, step: Option<usize>, took: Duration) {
        if let Some(work) = step.and_then(|step| self.steps.get(step)) {
            self.done += work.cost();
            self.took += took;
            self.current = None;
        }
    }

    /// `3 of 5, about 4 min left: `, if this work is the planned one.
    fn told(&self, work: Work, cores: f64) -> String {
        match self.current {
            Some((step, since)) if self.steps.get(step) == Some(&work) => format!(
                "{} of {}, {} left: ",
                step + 1,
                self.steps.len(),
                rounded(self.left(step, since.elapsed(), cores))
            ),
            _ => String::new(),
        }
    }

    /// At the pace so far, before there is one at that of all processors, and in any case no faster than
    /// the current step shows.
    fn left(&self, step: usize, into: Duration, cores: f64) -> Duration {
        let cost: Duration = self.steps.iter().skip(step).map(|step| step.cost()).sum();
        let current = self
            .steps
            .get(step)
            .map_or(1.0, |step| step.cost().as_secs_f64());
        let pace = match self.took > TELLING {
            true => self.took.as_secs_f64() / self.done.as_secs_f64().max(1.0),
            false => 1.0 / cores,
        };
        let pace = pace.max(into.as_secs_f64() / current / MOST_OF_IT);
        cost.mul_f64(pace).saturating_sub(into)
    }
}

/// How many processors compilers keep busy. Near the end of a build they wait for each other.
fn parallelism() -> f64 {
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    let cores = u8::try_from(cores).unwrap_or(1);
    f64::from(cores).powf(0.9)
}

fn rounded(left: Duration) -> String {
    match left.as_secs() {
        ..45 => "less than a minute".to_owned(),
        seconds => format!("about {} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn what_is_left_is_told_in_minutes() {
        assert_eq!(rounded(seconds(5)), "less than a minute");
        assert_eq!(rounded(seconds(50)), "about 1 min");
        assert_eq!(rounded(seconds(170)), "about 3 min");
    }

    #[test]
    fn steps_are_counted_and_what_was_not_planned_is_none() {
        let mut plan = Plan {
            steps: vec![Work::Linker, Work::KernelProgram, Work::Programs],
            ..Plan::default()
        };
        assert_eq!(plan.begin(Work::Tests), None);
        assert_eq!(plan.told(Work::Tests, 2.0), "");
        let linker = plan.begin(Work::Linker);
        assert_eq!(plan.told(Work::Linker, 2.0), "1 of 3, about 2 min left: ");
        // Twice as slow as expected of two processors.
        plan.end(linker, Work::Linker.cost());
        let last = plan.begin(Work::Programs);
        assert_eq!(plan.told(Work::Programs, 2.0), "3 of 3, about 3 min left: ");
        assert_eq!(plan.told(Work::Linker, 2.0), "", "that one is over");
        plan.end(last, seconds(1));
        assert_eq!(plan.told(Work::Programs, 2.0), "");
    }

    #[test]
    fn a_slow_step_makes_those_after_it_slow() {
        let plan = Plan {
            steps: vec![Work::Linker, Work::Programs],
            ..Plan::default()
        };
        let late = plan.left(0, 3 * Work::Linker.cost(), 1.0);
        assert!(late > 3 * Work::Programs.cost(), "{late:?}");
    }

    #[test]
    fn a_step_that_takes_too_long_has_a_little_left() {
        let plan = Plan {
            steps: vec![Work::Linker],
            ..Plan::default()
        };
        let cost = Work::Linker.cost();
        assert_eq!(plan.left(0, Duration::ZERO, 1.0), cost);
        assert_eq!(plan.left(0, cost / 2, 1.0), cost / 2);
        let late = plan.left(0, 3 * cost, 1.0);
        assert!(late > cost / 4 && late < cost / 2, "{late:?}");
    }
}
