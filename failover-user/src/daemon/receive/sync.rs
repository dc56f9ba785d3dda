//! Copies of the primary's state: what has to be done before the local gateway starts or parks, and what follows from a
//! round.

use jiff::Timestamp;

use failover_decide::{Event, StandbyState, Step};
use failover_sync::{generation::Number, outcome::Outcome, spec::Order};

use crate::{
    control::SyncOrder,
    daemon::{Daemon, inputs::is_quiet},
    observe::occurrence::{Lacks, Occurrence, SyncCourse},
    sync::{
        lineage::{LocalTree, Side},
        operator::SyncRefusal,
        order::Task,
        rounds::{Lasting, Report},
        worker::RunningWorker,
    },
    wording,
};

impl Daemon {
    /// What has to be done before this command, and has begun. A gateway that has the newest copy already waits for
    /// nothing.
    pub(in crate::daemon) fn preparation(
        &mut self,
        command: Step,
    ) -> Option<(Task, RunningWorker)> {
        if self.executor.is_dry() {
            return None;
        }
        let order = match command {
            Step::START if self.executor.continues() => self.feed_before_continuing(),
            Step::START | Step::PARK => self.place_before_starting(),
            _ => None,
        };
        let order = order?;
        let task = Task::of(&order);
        Some((task, self.inputs.rounds.begin_before_all(order)?))
    }

    /// What can't take the newest copy is continued without it: a start in its place takes many times longer than what
    /// is newer took to happen. It is parked again whenever a round shows that, so this is rare.
    fn feed_before_continuing(&self) -> Option<Order> {
        let known = self.inputs.rounds.known();
        let is_possible = known.park_anew.is_none() && self.local_tree()? == LocalTree::Replaceable;
        is_possible.then_some(Order::Feed)
    }

    fn place_before_starting(&self) -> Option<Order> {
        let keep = match self.local_tree()? {
            LocalTree::Replaceable => false,
            LocalTree::KeptAside => true,
            LocalTree::Newest => return None,
        };
        Some(Order::Place { number: None, keep })
    }

    /// What may be done with the local tree, where there is a newer copy than what is in place.
    fn local_tree(&self) -> Option<LocalTree> {
        let known = self.inputs.rounds.known();
        let newest = known.newest()?;
        let is_newer = known.in_place < Some(newest.number) && !self.is_passed_over(newest.number);
        let lineage = self.state_dir.persisted().lineage();
        is_newer.then(|| lineage.local_tree(newest, known.in_place))
    }

    /// Why the local gateway serves without the newest copy, if it should have that.
    pub(in crate::daemon) fn lacks(&self) -> Option<Lacks> {
        if self.local_tree()? == LocalTree::Newest {
            return None;
        }
        let known = self.inputs.rounds.known();
        Some(Lacks {
            newest: known.newest()?.number,
            why: known.why_without_newest(),
        })
    }

    /// Has an operator put an older copy in place when this was the newest?
    fn is_passed_over(&self, newest: Number) -> bool {
        self.state_dir.persisted().lineage().passed_over >= Some(newest)
    }

    /// What had to be done before a command has ended: the command follows, whatever came of it.
    pub(super) fn prepared(&mut self, outcome: &Outcome) {
        let Some(prepared) = self.executor.prepared() else {
            return;
        };
        self.sync_ended(&Report {
            task: prepared.task,
            outcome: outcome.clone(),
            took: prepared.took,
        });
        let command = prepared.command;
        let result = self.run_prepared(command, prepared.environment);
        self.decide(result.map(|result| Event::CommandEnded { command, result }));
    }

    /// The local gateway begins to serve, or continues: what it changes from now on nobody else has.
    pub(in crate::daemon) fn serves(&mut self) {
        if self.executor.is_dry() || !self.inputs.rounds.are_on() {
            return;
        }
        let lacks = self.lacks();
        let known = self.inputs.rounds.known();
        let (in_place, newest) = (known.in_place().cloned(), known.newest().cloned());
        let now = Timestamp::now();
        let mut begins = false;
        self.state_dir.change_lineage(|lineage| {
            begins = lineage.serve(in_place.as_ref(), newest.as_ref(), now);
        });
        if begins {
            let age = known.age_of(in_place.as_ref(), now);
            self.observe(&Occurrence::Sync(SyncCourse::Serves {
                with: in_place.as_ref().map(|manifest| manifest.number),
                age,
                lacks: lacks.as_ref(),
            }));
        }
    }

    /// The local gateway has opened its databases: what it writes says which copies it can read.
    pub(in crate::daemon) fn learn(&mut self) {
        if !self.executor.is_dry() {
            self.inputs.rounds.ask(Order::Learn);
        }
    }

    /// Something was done beside the loop.
    pub(in crate::daemon) fn synced(&mut self, report: &Report) {
        self.sync_ended(report);
        self.handed_back(report);
        self.look_what_fits(report);
        self.feed_what_is_parked(report);
        self.compare_sides(report);
    }

    /// Versions that differ are said as long as they do: whenever a copy, or the local gateway, is another.
    fn look_what_fits(&mut self, report: &Report) {
        let is_due = match &report.outcome {
            Outcome::Copied { .. } => self.inputs.rounds.known().fit_is_in_doubt(),
            Outcome::Learned { .. } => true,
            Outcome::Unchanged { .. }
            | Outcome::Store { .. }
            | Outcome::Settled
            | Outcome::Placed { .. }
            | Outcome::NothingNewer { .. }
            | Outcome::ParkAnew { .. }
            | Outcome::Verified { .. }
            | Outcome::Differences { .. }
            | Outcome::HandedBack { .. }
            | Outcome::BothChanged { .. }
            | Outcome::Failed { .. } => false,
        };
        if is_due {
            self.inputs.rounds.ask(Order::Look);
        }
    }

    /// An operator wants something done with the copies.
    pub(in crate::daemon) fn follow_sync(
        &mut self,
        order: SyncOrder,
        by: &str,
    ) -> Result<(), SyncRefusal> {
        if !self.inputs.rounds.are_on() {
            return Err(SyncRefusal::Off);
        }
        match order {
            SyncOrder::Now if is_quiet(&self.decider, &self.executor) => {
                self.inputs.rounds.hurry();
                Ok(())
            }
            SyncOrder::Now => Err(SyncRefusal::NotQuiet),
            SyncOrder::Verify => self.ask(Order::Verify),
            SyncOrder::Restore { generation } => self.restore(Number(generation)),
            SyncOrder::Choose { side } => self.choose(side, by),
        }
    }

    fn ask(&mut self, order: Order) -> Result<(), SyncRefusal> {
        match self.inputs.rounds.ask(order) {
            true => Ok(()),
            false => Err(SyncRefusal::Busy),
        }
    }

    /// An older copy: the newer ones are passed over until there is one that they are not.
    fn restore(&mut self, number: Number) -> Result<(), SyncRefusal> {
        let is_free = self.decider.standby_state() == StandbyState::Cold
            && !self.decider.is_listening()
            && !self.executor.is_busy();
        if !is_free {
            return Err(SyncRefusal::Serves);
        }
        let known = self.inputs.rounds.known();
        if !known.generations.iter().any(|one| one.number == number) {
            return Err(SyncRefusal::NoSuchCopy);
        }
        let newest = known.newest().map(|newest| newest.number);
        self.ask(Order::Place {
            number: Some(number),
            keep: true,
        })?;
        self.state_dir.change_lineage(|lineage| {
            lineage.passed_over = newest.filter(|newest| *newest > number);
        });
        Ok(())
    }

    fn choose(&mut self, side: Side, by: &str) -> Result<(), SyncRefusal> {
        let newest = self.inputs.rounds.known().newest();
        if !self.state_dir.persisted().lineage().is_split(newest) {
            return Err(SyncRefusal::NotSplit);
        }
        self.stays(side, Some(by));
        self.report_what_lasts();
        Ok(())
    }

    /// This side's state stays.
    fn stays(&mut self, side: Side, by: Option<&str>) {
        self.state_dir
            .change_lineage(|lineage| lineage.choose(side));
        self.inputs.rounds.forget_differences();
        match side {
            Side::PcA => {
                self.inputs.rounds.ask(Order::Settle);
            }
            // The tree that was kept aside until now may be what the primary gets: see `sync_ended`.
            Side::PcB => {}
        }
        self.observe(&Occurrence::Sync(SyncCourse::Chosen { side, by }));
    }

    fn sync_ended(&mut self, report: &Report) {
        self.inputs.rounds.ended(report, Timestamp::now());
        let is_undecided = self.state_dir.persisted().lineage().undecided.is_some();
        if let (Outcome::HandedBack { .. }, false) = (&report.outcome, is_undecided) {
            // What was kept aside until then.
            self.inputs.rounds.ask(Order::Settle);
        }
        let known = self.inputs.rounds.known();
        if let Some(newest) = known.newest() {
            let (newest, in_place, now) = (newest.clone(), known.in_place, Timestamp::now());
            let mut is_done = false;
            self.state_dir
                .change_lineage(|lineage| is_done = lineage.seen(&newest, in_place, now));
            if is_done {
                self.inputs.rounds.ask(Order::Settle);
            }
        }
        self.observe(&Occurrence::Sync(SyncCourse::Ended(report)));
        self.report_what_lasts();
    }

    fn report_what_lasts(&mut self) {
        let rounds = &self.inputs.rounds;
        let stale = rounds
            .stale(Timestamp::now())
            .map(|(age, failing)| (age, wording::sync::failed(failing.step, &failing.error)));
        let lineage = self.state_dir.persisted().lineage();
        let now = Lasting {
            is_stale: stale.is_some(),
            is_split: lineage.is_split(rounds.known().newest()),
        };
        let before = self.inputs.rounds.report(now);
        match &stale {
            Some((age, why)) if !before.is_stale => {
                self.observe(&Occurrence::Sync(SyncCourse::Stale { age: *age, why }));
            }
            None if before.is_stale => self.observe(&Occurrence::Sync(SyncCourse::Fresh)),
            Some(_) | None => {}
        }
        if now.is_split && !before.is_split {
            self.observe(&Occurrence::Sync(SyncCourse::Split));
        }
    }

    /// A gateway that is kept parked has what the primary has.
    fn feed_what_is_parked(&mut self, report: &Report) {
        let is_parked = self.decider.standby_state() == StandbyState::Parked;
        let known = self.inputs.rounds.known();
        let is_due = self.local_tree() == Some(LocalTree::Replaceable)
            && known
                .newest()
                .is_some_and(|newest| !known.is_refused(newest.number));
        let must_park_anew = known.park_anew.is_some();
        if is_parked && !must_park_anew && self.local_tree() == Some(LocalTree::KeptAside) {
            self.inputs.rounds.park_anew(
                "it has what changed on PC-B, which is kept aside before a copy is put in its place",
            );
            self.inputs.standby.hurry();
            return;
        }
        if report.task == Task::Round && is_parked && is_due && !must_park_anew {
            self.inputs.rounds.ask(Order::Feed);
        }
        if report.task == Task::Feed && must_park_anew {
            self.inputs.standby.hurry();
        }
    }

    /// Where both sides have changed, what only one of them has is found out. If one has no conversation of its own, there
    /// is nothing to choose.
    fn compare_sides(&mut self, report: &Report) {
        let known = self.inputs.rounds.known();
        let lineage = self.state_dir.persisted().lineage();
        if !lineage.is_split(known.newest()) {
            self.inputs.rounds.forget_differences();
            return;
        }
        match (report.task, &report.outcome) {
            (Task::Differences, Outcome::Differences { local_turns: 0, .. }) => {
                self.stays(Side::PcA, None);
            }
            (
                Task::Differences,
                Outcome::Differences {
                    primary_turns: 0, ..
                },
            ) => self.stays(Side::PcB, None),
            (Task::Round, _) if known.differences.is_none() => {
                self.inputs.rounds.ask(Order::Differences);
            }
            _ => {}
        }
    }
}
