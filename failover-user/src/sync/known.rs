//! What is known of the copies, in one value: made of what workers say, and kept by nobody else. Losing it is safe: the
//! store has it, and is asked when the daemon begins.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use failover_sync::{
    generation::{Manifest, Number},
    outcome::{FailedStep, Fit, Outcome, Refused},
};

use crate::{sync::order::Task, wording};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    /// Complete generations, the newest last.
    pub(crate) generations: Vec<Manifest>,
    /// When the newest was last known to be what the primary has.
    pub(crate) fresh: Option<Timestamp>,
    /// The generation that the local tree, or what is parked, was made of.
    pub(crate) in_place: Option<Number>,
    /// Trees that were kept aside.
    pub(crate) kept: Vec<PathBuf>,
    /// Set while rounds fail.
    pub(crate) failing: Option<Failing>,
    /// How the newest that fits does.
    pub(crate) fit: Option<Fit>,
    /// Generations that don't fit the gateway that is installed here.
    pub(crate) refused: Vec<Refused>,
    /// The last generation couldn't be fed to what is parked, for this reason: it has to be parked again.
    pub(crate) park_anew: Option<String>,
    /// What only one side has, where both have changed.
    pub(crate) differences: Option<Differences>,
    /// The last task, besides rounds that went well.
    pub(crate) last: Option<Ended>,
    pub(crate) totals: Totals,
}

/// Rounds fail.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failing {
    /// Since when.
    pub(crate) since: Timestamp,
    /// How many in a row.
    pub(crate) count: u32,
    pub(crate) step: FailedStep,
    pub(crate) error: String,
}

/// What only one side has, in words.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Differences {
    pub(crate) primary: Vec<String>,
    pub(crate) local: Vec<String>,
}

/// A task that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) task: Task,
    pub(crate) at: Timestamp,
    pub(crate) outcome: Outcome,
}

impl Ended {
    /// Did it do what it was to do?
    pub(crate) fn has_succeeded(&self) -> bool {
        match &self.outcome {
            Outcome::Failed { .. } | Outcome::BothChanged { .. } | Outcome::ParkAnew { .. } => {
                false
            }
            Outcome::Verified { generations } => {
                generations.iter().all(|(_, fault)| fault.is_none())
            }
            Outcome::Copied { .. }
            | Outcome::Unchanged { .. }
            | Outcome::Store { .. }
            | Outcome::Placed { .. }
            | Outcome::NothingNewer { .. }
            | Outcome::Differences { .. }
            | Outcome::Learned { .. }
            | Outcome::Settled
            | Outcome::HandedBack { .. } => true,
        }
    }
}

/// Rounds since the daemon began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    /// Rounds that brought a generation.
    pub(crate) copied: u64,
    /// Rounds that found nothing new.
    pub(crate) unchanged: u64,
    pub(crate) failed: u64,
    /// Bytes that rounds sent and received.
    pub(crate) bytes: u64,
    /// How long rounds took, together.
    pub(crate) took: Duration,
}

impl Known {
    /// The newest generation.
    pub(crate) fn newest(&self) -> Option<&Manifest> {
        self.generations.last()
    }

    /// The generation that is in place.
    pub(crate) fn in_place(&self) -> Option<&Manifest> {
        let number = self.in_place?;
        self.generations.iter().find(|one| one.number == number)
    }

    /// How old the newest copy is. A clock that was set back makes none older than new.
    pub(crate) fn age(&self, now: Timestamp) -> Option<Duration> {
        let since = now.duration_since(self.fresh?);
        Some(Duration::try_from(since).unwrap_or_default())
    }

    /// How old this generation is: the newest is as old as the last round that went well.
    pub(crate) fn age_of(&self, manifest: Option<&Manifest>, now: Timestamp) -> Option<Duration> {
        let manifest = manifest?;
        if self
            .newest()
            .is_some_and(|newest| newest.number == manifest.number)
        {
            return self.age(now);
        }
        Some(Duration::try_from(now.duration_since(manifest.taken)).unwrap_or_default())
    }

    /// Doesn't this one fit the gateway that is installed here?
    pub(crate) fn is_refused(&self, number: Number) -> bool {
        self.refused.iter().any(|one| one.number == number)
    }

    /// May the newest fit otherwise than is known? A copy that is like the one before it does as that did.
    pub(crate) fn fit_is_in_doubt(&self) -> bool {
        let mut newest = self.generations.iter().rev();
        let versions =
            |manifest: &Manifest| (manifest.gateway_version.clone(), manifest.databases.clone());
        let (last, before) = (newest.next(), newest.next());
        let is_like_before = last.map(versions) == before.map(versions);
        !is_like_before || self.fit.is_none() || !self.refused.is_empty()
    }

    /// The newest that fits, as far as is known.
    pub(crate) fn newest_that_fits(&self) -> Option<&Manifest> {
        let mut newest = self.generations.iter().rev();
        newest.find(|one| !self.is_refused(one.number))
    }

    /// Why the newest isn't in place although it should be, for people.
    pub(crate) fn why_without_newest(&self) -> String {
        let newest = self.newest().map(|newest| newest.number);
        if let Some(refused) = self.refused.iter().find(|one| Some(one.number) == newest) {
            return refused.reason.clone();
        }
        if let Some(reason) = &self.park_anew {
            return format!("the parked gateway cannot take it: {reason}");
        }
        match &self.last {
            Some(Ended {
                outcome: Outcome::Failed { step, error },
                ..
            }) => wording::sync::failed(*step, error),
            Some(_) | None => "nothing has put it in place".to_owned(),
        }
    }

    /// A task has ended like this.
    pub(crate) fn ended(&mut self, task: Task, outcome: &Outcome, took: Duration, now: Timestamp) {
        let is_round = task == Task::Round;
        if is_round {
            self.totals.took = self.totals.took.saturating_add(took);
        }
        self.apply(task, outcome, now);
        let is_routine = matches!(
            (task, outcome),
            (
                Task::Round,
                Outcome::Copied { .. } | Outcome::Unchanged { .. }
            ) | (Task::Look, Outcome::Store { .. })
                | (Task::Learn, Outcome::Learned { .. })
        );
        if !is_routine {
            self.last = Some(Ended {
                task,
                at: now,
                outcome: outcome.clone(),
            });
        }
    }

    fn apply(&mut self, task: Task, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Copied { manifest, bytes } => {
                self.totals.copied += 1;
                self.totals.bytes = self.totals.bytes.saturating_add(*bytes);
                self.add(manifest.clone());
                self.is_fresh(now);
            }
            Outcome::Unchanged { number, epoch } => {
                self.totals.unchanged += 1;
                if let Some(newest) = self
                    .generations
                    .last_mut()
                    .filter(|one| one.number == *number)
                {
                    newest.epoch = epoch.clone();
                    self.is_fresh(now);
                }
            }
            Outcome::Store {
                generations,
                in_place,
                kept,
                refused,
                fit,
            } => {
                self.refused.clone_from(refused);
                self.fit.clone_from(fit);
                self.generations.clone_from(generations);
                self.in_place = *in_place;
                self.kept.clone_from(kept);
                if self.fresh.is_none() {
                    self.fresh = self.newest().map(|newest| newest.taken);
                }
            }
            Outcome::Placed {
                manifest,
                refused,
                fit,
            } => {
                self.fit = Some(fit.clone());
                self.in_place = Some(manifest.number);
                self.refused.clone_from(refused);
                self.park_anew = None;
                if !self
                    .generations
                    .iter()
                    .any(|one| one.number == manifest.number)
                {
                    self.add(manifest.clone());
                }
            }
            Outcome::NothingNewer { in_place, refused } => {
                self.in_place = *in_place;
                self.refused.clone_from(refused);
                self.park_anew = None;
            }
            Outcome::ParkAnew { reason } => self.park_anew = Some(reason.clone()),
            Outcome::Differences { primary, local, .. }
            | Outcome::BothChanged { primary, local } => {
                self.differences = Some(Differences {
                    primary: primary.clone(),
                    local: local.clone(),
                });
            }
            Outcome::Failed { step, error } if task == Task::Round => {
                self.totals.failed += 1;
                let before = self.failing.take();
                self.failing = Some(Failing {
                    since: before.as_ref().map_or(now, |before| before.since),
                    count: before.map_or(0, |before| before.count).saturating_add(1),
                    step: *step,
                    error: error.clone(),
                });
            }
            Outcome::Failed { .. }
            | Outcome::Verified { .. }
            | Outcome::HandedBack { .. }
            | Outcome::Learned { .. }
            | Outcome::Settled => {}
        }
    }

    fn is_fresh(&mut self, now: Timestamp) {
        self.fresh = Some(now);
        self.failing = None;
    }

    /// The store keeps two good ones and what is in place; the next look says which.
    fn add(&mut self, manifest: Manifest) {
        self.generations.retain(|one| one.number != manifest.number);
        self.generations.push(manifest);
        self.generations.sort_by_key(|one| one.number);
        let in_place = self.in_place;
        let surplus = self.generations.len().saturating_sub(KEPT);
        let mut index = 0;
        self.generations.retain(|one| {
            index += 1;
            index > surplus || Some(one.number) == in_place
        });
    }
}

/// Good generations in the store.
const KEPT: usize = 2;

/// One of which only this is known.
#[cfg(test)]
pub(crate) fn generation(number: u64, token: &str) -> Manifest {
    Manifest {
        number: Number(number),
        taken: Timestamp::UNIX_EPOCH,
        changed: None,
        epoch: failover_sync::lineage::Epoch {
            id: "a".repeat(32),
            ancestors: Vec::new(),
        },
        token: token.to_owned(),
        gateway_version: Some("2026.9.6".to_owned()),
        databases: std::collections::BTreeMap::new(),
        files: 12,
        bytes: 21_000_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ended(known: &mut Known, task: Task, outcome: &Outcome, second: i64) {
        known.ended(task, outcome, Duration::from_secs(1), at(second));
    }

    fn copied(number: u64) -> Outcome {
        Outcome::Copied {
            manifest: generation(number, "a"),
            bytes: 100,
        }
    }

    fn failed(error: &str) -> Outcome {
        Outcome::Failed {
            step: FailedStep::Reach,
            error: error.to_owned(),
        }
    }

    #[test]
    fn a_copy_is_as_old_as_the_last_round_that_went_well() {
        let mut known = Known::default();
        assert_eq!(known.age(at(100)), None);
        ended(&mut known, Task::Round, &copied(1), 100);
        ended(&mut known, Task::Round, &failed("no route"), 130);
        assert_eq!(known.age(at(160)), Some(Duration::from_secs(60)));
        assert_eq!(known.failing.as_ref().map(|failing| failing.count), Some(1));
        let unchanged = Outcome::Unchanged {
            number: Number(1),
            epoch: generation(1, "a").epoch,
        };
        ended(&mut known, Task::Round, &unchanged, 160);
        assert_eq!(known.age(at(160)), Some(Duration::ZERO));
        assert_eq!(known.failing, None);
        // The clock was set back.
        assert_eq!(known.age(at(50)), Some(Duration::ZERO));
        assert_eq!(known.totals.bytes, 100);
    }

    #[test]
    fn an_answer_about_another_generation_makes_none_fresh() {
        let mut known = Known::default();
        ended(&mut known, Task::Round, &copied(1), 100);
        let unchanged = Outcome::Unchanged {
            number: Number(7),
            epoch: generation(1, "a").epoch,
        };
        ended(&mut known, Task::Round, &unchanged, 200);
        assert_eq!(known.age(at(200)), Some(Duration::from_secs(100)));
    }

    #[test]
    fn why_the_newest_copy_is_not_in_place_is_known() {
        let mut known = Known::default();
        ended(&mut known, Task::Round, &copied(2), 1);
        ended(&mut known, Task::Feed, &failed("the disk is full"), 2);
        assert!(known.why_without_newest().ends_with("the disk is full"));
        let reason = "a database is new".to_owned();
        ended(&mut known, Task::Feed, &Outcome::ParkAnew { reason }, 3);
        assert!(known.why_without_newest().ends_with("a database is new"));
        known.refused.push(Refused {
            number: Number(2),
            reason: "its schema is newer".to_owned(),
        });
        assert_eq!(known.why_without_newest(), "its schema is newer");
    }

    #[test]
    fn what_is_in_place_stays_known_however_many_come_after_it() {
        let mut known = Known::default();
        ended(&mut known, Task::Round, &copied(1), 1);
        let placed = Outcome::Placed {
            manifest: generation(1, "a"),
            refused: Vec::new(),
            fit: Fit::Same,
        };
        ended(&mut known, Task::Place, &placed, 2);
        for number in 2..6 {
            ended(&mut known, Task::Round, &copied(number), 3);
        }
        let numbers: Vec<u64> = known.generations.iter().map(|one| one.number.0).collect();
        assert_eq!(numbers, [1, 4, 5]);
        assert_eq!(known.in_place().map(|one| one.number), Some(Number(1)));
    }

    #[test]
    fn after_a_restart_the_newest_copy_is_as_old_as_its_manifest_says() {
        let mut known = Known::default();
        let store = Outcome::Store {
            generations: vec![generation(3, "a")],
            in_place: Some(Number(3)),
            kept: Vec::new(),
            refused: Vec::new(),
            fit: None,
        };
        ended(&mut known, Task::Look, &store, 90);
        assert_eq!(known.age(at(90)), Some(Duration::from_secs(90)));
        assert_eq!(known.last, None);
    }
}
