//! When a round is made and what else workers are ordered beside the loop, one at a time. It must not know why the local
//! gateway starts: who starts it takes the worker's place.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::time::sleep_until;

use failover_sync::{outcome::Outcome, spec::Order};

use crate::{
    config::{Configuration, Sync},
    sync::{
        known::{Failing, Known},
        order::{Task, spec},
        worker::{RunningWorker, Worker},
    },
};

/// More than operators type while a round runs.
const MOST_WAITING: usize = 8;

/// See the module.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// `None`: nothing is copied.
    options: Option<Sync>,
    worker: Worker,
    running: Option<Running>,
    waiting: VecDeque<Order>,
    /// When the next round is due.
    due: Instant,
    known: Known,
    /// What lasts, as it was reported last.
    reported: Lasting,
}

/// What lasts, and is reported when it changes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Lasting {
    pub(crate) is_stale: bool,
    pub(crate) is_split: bool,
}

/// What a worker is at beside the loop.
#[derive(Debug)]
struct Running {
    order: Order,
    since: Instant,
    worker: RunningWorker,
}

/// A task has ended beside the loop.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) task: Task,
    pub(crate) outcome: Outcome,
    pub(crate) took: Duration,
}

/// How much a report matters to people.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Weight {
    /// There are thousands like it.
    Routine,
    /// It says something new.
    News,
    /// Something failed.
    Trouble,
}

impl Report {
    pub(crate) const fn weight(&self) -> Weight {
        match &self.outcome {
            Outcome::Unchanged { .. }
            | Outcome::Store { .. }
            | Outcome::Copied { .. }
            | Outcome::Learned { .. } => Weight::Routine,
            Outcome::Placed { .. }
            | Outcome::NothingNewer { .. }
            | Outcome::ParkAnew { .. }
            | Outcome::Verified { .. }
            | Outcome::Differences { .. }
            | Outcome::Settled
            | Outcome::HandedBack { .. } => Weight::News,
            Outcome::BothChanged { .. } | Outcome::Failed { .. } => Weight::Trouble,
        }
    }

    /// Are there thousands like it?
    pub(crate) fn is_routine(&self) -> bool {
        self.weight() == Weight::Routine
    }
}

impl Rounds {
    /// As it is configured, with this program's own worker.
    pub(crate) fn of(configuration: &Configuration) -> Self {
        let worker = Worker::of(configuration.gateway.user.as_ref());
        let options = configuration.sync.clone();
        Self::new(options.filter(|_| !configuration.dry_run), worker)
    }

    /// With this worker.
    pub(crate) fn new(options: Option<Sync>, worker: Worker) -> Self {
        let mut rounds = Self {
            options,
            worker,
            running: None,
            waiting: VecDeque::new(),
            due: Instant::now(),
            known: Known::default(),
            reported: Lasting::default(),
        };
        rounds.ask(Order::Look);
        rounds
    }

    /// Is anything copied?
    pub(crate) const fn are_on(&self) -> bool {
        self.options.is_some()
    }

    /// What is known of the copies.
    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    /// What a worker is at beside the loop.
    pub(crate) fn runs(&self) -> Option<Task> {
        self.running
            .as_ref()
            .map(|running| Task::of(&running.order))
    }

    /// The next round is due now. Is one under way, it says nothing of what changed since: another one follows.
    pub(crate) fn hurry(&mut self) {
        self.due = Instant::now();
    }

    /// Has this carried out once nothing else runs. Is there room for it?
    pub(crate) fn ask(&mut self, order: Order) -> bool {
        if self.options.is_none() || self.waiting.len() == MOST_WAITING {
            return false;
        }
        self.waiting.push_back(order);
        true
    }

    /// Has this carried out before all that waits: whatever runs is killed, and begun again later unless it is a round.
    /// Can it be?
    pub(crate) fn ask_before_all(&mut self, order: Order) -> bool {
        if self.options.is_none() {
            return false;
        }
        self.interrupt();
        self.waiting.push_front(order);
        true
    }

    /// Does this run beside the loop, or wait for that?
    pub(crate) fn has(&self, task: Task) -> bool {
        self.runs() == Some(task) || self.waiting.iter().any(|order| Task::of(order) == task)
    }

    /// Nobody wants this any longer.
    pub(crate) fn abandon(&mut self, task: Task) {
        self.waiting.retain(|order| Task::of(order) != task);
        if self.runs() == Some(task) {
            self.running = None;
        }
    }

    /// Begins an order that something waits for: whatever runs beside is killed, which costs a round.
    pub(crate) fn begin_before_all(&mut self, order: Order) -> Option<RunningWorker> {
        self.interrupt();
        let options = self.options.as_ref()?;
        Some(self.worker.begin(&spec(options, order)))
    }

    /// What is parked has to be parked again before it can have the newest copy, for this reason.
    pub(crate) fn park_anew(&mut self, reason: &str) {
        self.known.park_anew = Some(reason.to_owned());
    }

    /// Kills what runs beside the loop. It is begun again later, unless that would be of no use.
    fn interrupt(&mut self) {
        let Some(killed) = self.running.take() else {
            return;
        };
        match Task::of(&killed.order) {
            // The next one is due soon; and what is handed back must not change meanwhile.
            Task::Round | Task::HandBack => {}
            Task::Look
            | Task::Place
            | Task::Feed
            | Task::Learn
            | Task::Settle
            | Task::Verify
            | Task::Differences => self.waiting.push_front(killed.order),
        }
    }

    /// A task has ended, here or in the command slot.
    pub(crate) fn ended(&mut self, report: &Report, now: Timestamp) {
        let Report {
            task,
            outcome,
            took,
        } = report;
        self.known.ended(*task, outcome, *took, now);
    }

    /// Is the newest copy older than it may be, as rounds fail? Then with how old it is, and why.
    pub(crate) fn stale(&self, now: Timestamp) -> Option<(Option<Duration>, &Failing)> {
        let failing = self.known.failing.as_ref()?;
        let max_age = self.options.as_ref()?.max_age;
        let age = self.known.age(now);
        let is_stale = age.is_none_or(|age| age > max_age);
        is_stale.then_some((age, failing))
    }

    /// This is reported from now on. What was reported before.
    pub(crate) const fn report(&mut self, now: Lasting) -> Lasting {
        std::mem::replace(&mut self.reported, now)
    }

    /// Both sides are the same again, or an operator has chosen.
    pub(crate) fn forget_differences(&mut self) {
        self.known.differences = None;
    }

    /// Waits until a task has ended beside the loop. `is_quiet`: the primary serves and nothing is about to start.
    /// Cancel-safe.
    pub(crate) async fn next(&mut self, is_quiet: bool) -> Report {
        loop {
            if let Some(running) = &mut self.running {
                let outcome = running.worker.ended().await;
                let report = Report {
                    task: Task::of(&running.order),
                    outcome,
                    took: running.since.elapsed(),
                };
                self.running = None;
                return report;
            }
            let order = match self.waiting.pop_front() {
                Some(order) => order,
                None if is_quiet && self.options.is_some() => {
                    sleep_until(self.due.into()).await;
                    Order::Round
                }
                None => std::future::pending().await,
            };
            self.begin(order);
        }
    }

    fn begin(&mut self, order: Order) {
        let Some(options) = &self.options else {
            return;
        };
        let since = Instant::now();
        if Task::of(&order) == Task::Round {
            self.due = since + options.every;
        }
        self.running = Some(Running {
            worker: self.worker.begin(&spec(options, order.clone())),
            order,
            since,
        });
    }
}

#[cfg(test)]
mod tests;
