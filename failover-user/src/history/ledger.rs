//! Totals since the daemon started: how long no gateway served although the primary had failed, how long two served, and
//! the takeovers, releases and commands. For the metrics and the page.
//!
//! No clock, no I/O. It must not know who reports to it or who reads it.

use std::time::Duration;

use failover_decide::{Change, CommandResult, State, Step, Time};

use crate::{history::Counting, named::Named, standby::drill::DrillResult};

/// How a command ended, without its data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ResultKind {
    /// With exit code 0.
    Succeeded,
    /// With another exit code.
    Failed,
    /// By a signal.
    Signalled,
    /// It could not be run.
    NotRun,
    /// It was killed and did not go away.
    Abandoned,
}

impl ResultKind {
    const fn of(result: &CommandResult) -> Self {
        match result {
            CommandResult::Succeeded => Self::Succeeded,
            CommandResult::Failed { .. } => Self::Failed,
            CommandResult::Signalled { .. } => Self::Signalled,
            CommandResult::NotRun { .. } => Self::NotRun,
            CommandResult::Abandoned => Self::Abandoned,
        }
    }
}

impl Named for ResultKind {
    const ALL: &'static [Self] = &[
        Self::Succeeded,
        Self::Failed,
        Self::Signalled,
        Self::NotRun,
        Self::Abandoned,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Signalled => "signalled",
            Self::NotRun => "not-run",
            Self::Abandoned => "abandoned",
        }
    }
}

/// What was counted so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Totals {
    /// How long the primary had failed and nobody listened here: from what the kernel saw, if that is
    /// what brought the failed probe forward, or else from when the first failed probe began.
    pub(crate) no_gateway: Duration,
    /// How long the primary answered and the local gateway listened.
    pub(crate) dual_active: Duration,
    /// How long nobody listened here and nobody could tell whether the primary answered.
    pub(crate) unknown: Duration,
    /// How often the local gateway came up because it was started here.
    pub(crate) takeovers: u64,
    /// How often it served, and was stopped because the primary was back or an operator said so.
    pub(crate) releases: u64,
    /// How often drills ended in each way, as far as they did.
    drills: Vec<(DrillResult, u64)>,
    /// How often each command ended in each way, as far as it did.
    commands: Vec<(Step, ResultKind, u64)>,
}

impl Totals {
    /// How often each command ended in each way, those that never did included.
    pub(crate) fn commands(&self) -> impl Iterator<Item = (Step, ResultKind, u64)> {
        let all = Step::ALL.iter();
        let all = all.flat_map(|command| ResultKind::ALL.iter().map(|result| (*command, *result)));
        all.map(|(command, result)| (command, result, self.count(command, result)))
    }

    /// How often drills ended in each way, those that never happened included.
    pub(crate) fn drills(&self) -> impl Iterator<Item = (DrillResult, u64)> {
        DrillResult::ALL.iter().map(|result| {
            let mut counts = self.drills.iter();
            let found = counts.find(|(one, _)| one == result);
            (*result, found.map_or(0, |(_, count)| *count))
        })
    }

    fn count(&self, command: Step, result: ResultKind) -> u64 {
        let mut counts = self.commands.iter();
        let found = counts.find(|(one, how, _)| (*one, *how) == (command, result));
        found.map_or(0, |(_, _, count)| *count)
    }
}

/// The totals. Reports must come in chronological order.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    totals: Totals,
    primary: Primary,
    listening: bool,
    /// Since when both are so; what came before is in the totals.
    since: Time,
    /// The time of the last report.
    last: Time,
    /// Something bad was seen on a connection to the primary, and no probe has said yet what it means:
    /// what to count if it has failed, and if it hasn't.
    doubt: Option<Doubt>,
    /// The local gateway has served since the last release.
    served: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Primary {
    Healthy,
    Failing,
    Unknown,
}

#[derive(Clone, Copy, Debug, Default)]
struct Doubt {
    nobody: Duration,
    both: Duration,
}

impl Ledger {
    /// One that begins now, and knows nothing of the primary.
    pub(crate) fn new(now: Time) -> Self {
        Self {
            totals: Totals::default(),
            primary: Primary::Unknown,
            listening: false,
            since: now,
            last: now,
            doubt: None,
            served: false,
        }
    }

    /// The totals until now.
    pub(crate) fn totals(&self, now: Time) -> Totals {
        let mut until_now = self.clone();
        until_now.settle(now);
        until_now.totals
    }

    /// Which of the totals grows now.
    pub(crate) fn counting(&self) -> Option<Counting> {
        match (&self.doubt, self.primary, self.listening) {
            (None, Primary::Failing, false) => Some(Counting::NoGateway),
            (None, Primary::Healthy, true) => Some(Counting::DualActive),
            _ => None,
        }
    }

    /// The primary answered.
    pub(crate) fn answered(&mut self, now: Time) {
        self.settle(now);
        if let Some(doubt) = self.doubt.take() {
            self.totals.dual_active += doubt.both;
        }
        self.primary = Primary::Healthy;
    }

    /// A connection to the primary broke.
    pub(crate) fn broke(&mut self, now: Time) {
        if self.primary != Primary::Failing && self.doubt.is_none() {
            self.settle(now);
            self.doubt = Some(Doubt::default());
        }
    }

    /// A probe failed that counts, and that began then.
    pub(crate) fn failed(&mut self, now: Time, began: Time) {
        if self.primary != Primary::Failing && self.doubt.is_none() {
            // Until it began, all was as before.
            self.settle(began.min(now));
        }
        if self.doubt.is_some() {
            self.settle(now);
        }
        if let Some(doubt) = self.doubt.take() {
            self.totals.no_gateway += doubt.nobody;
        }
        self.primary = Primary::Failing;
        self.last = now;
    }

    /// What was known of the primary isn't true any longer.
    pub(crate) fn unknown(&mut self, now: Time) {
        if self.primary != Primary::Unknown {
            self.settle(now);
            self.primary = Primary::Unknown;
        }
        self.doubt = None;
        self.last = now;
    }

    /// The daemon was suspended: the time since the last report counts as unknown.
    pub(crate) fn absent(&mut self, now: Time) {
        self.settle(self.last);
        self.doubt = None;
        self.primary = Primary::Unknown;
        self.since = now;
        self.last = now;
    }

    /// Whether the local gateway listens.
    pub(crate) fn listens(&mut self, now: Time, listening: bool) {
        if listening != self.listening {
            self.settle(now);
            self.listening = listening;
        }
        self.last = now;
    }

    /// The state changed.
    pub(crate) fn changed(&mut self, change: &Change) {
        match (change.from, change.to) {
            (State::Starting { .. }, State::Active) if !self.served => {
                self.totals.takeovers += 1;
                self.served = true;
            }
            (_, State::Active) => self.served = true,
            (
                State::Stopping { .. },
                State::Standby | State::Suspect { .. } | State::Inhibited(_),
            ) if self.served => {
                self.totals.releases += 1;
                self.served = false;
            }
            _ => {}
        }
    }

    /// A command ended.
    pub(crate) fn ended(&mut self, command: Step, result: &CommandResult) {
        let result = ResultKind::of(result);
        let mut counts = self.totals.commands.iter_mut();
        match counts.find(|(one, how, _)| (*one, *how) == (command, result)) {
            Some((_, _, count)) => *count = count.saturating_add(1),
            None => self.totals.commands.push((command, result, 1)),
        }
    }

    /// A drill ended.
    pub(crate) fn drilled(&mut self, result: DrillResult) {
        let mut counts = self.totals.drills.iter_mut();
        match counts.find(|(one, _)| *one == result) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.totals.drills.push((result, 1)),
        }
    }

    /// Counts what was so until this time.
    fn settle(&mut self, until: Time) {
        let span = until.since(self.since);
        self.since = self.since.max(until);
        self.last = self.last.max(until);
        match (&mut self.doubt, self.primary, self.listening) {
            (Some(doubt), _, false) => doubt.nobody += span,
            // What is failing already is in no doubt.
            (Some(doubt), Primary::Healthy, true) => doubt.both += span,
            (None, Primary::Failing, false) => self.totals.no_gateway += span,
            (None, Primary::Healthy, true) => self.totals.dual_active += span,
            (None, Primary::Unknown, false) => self.totals.unknown += span,
            (None, Primary::Healthy, false) | (_, Primary::Failing | Primary::Unknown, true) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_decide::Reason;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    fn seconds(duration: Duration) -> u64 {
        duration.as_secs()
    }

    /// One that has seen the primary answer at second 0.
    fn healthy() -> Ledger {
        let mut ledger = Ledger::new(at(0));
        ledger.answered(at(0));
        ledger
    }

    fn change(from: State, to: State) -> Change {
        Change {
            from,
            to,
            reason: Reason::Time,
            strikes: Vec::new(),
        }
    }

    #[test]
    fn nobody_serves_from_the_beginning_of_the_first_failed_probe_until_somebody_listens() {
        let mut ledger = healthy();
        // It timed out after five seconds.
        ledger.failed(at(35), at(30));
        assert_eq!(seconds(ledger.totals(at(36)).no_gateway), 6);
        ledger.failed(at(65), at(60));
        ledger.listens(at(100), true);
        let totals = ledger.totals(at(1000));
        assert_eq!(seconds(totals.no_gateway), 70);
        assert_eq!(totals.dual_active, Duration::ZERO);
        assert_eq!(totals.unknown, Duration::ZERO);
    }

    #[test]
    fn what_the_kernel_saw_counts_once_a_probe_has_confirmed_it() {
        let mut ledger = healthy();
        ledger.broke(at(10));
        ledger.broke(at(11));
        assert_eq!(ledger.totals(at(12)).no_gateway, Duration::ZERO);
        ledger.failed(at(15), at(14));
        assert_eq!(seconds(ledger.totals(at(20)).no_gateway), 10);
        // And nothing where a probe gainsays it.
        let mut ledger = healthy();
        ledger.broke(at(10));
        ledger.answered(at(15));
        ledger.failed(at(30), at(30));
        assert_eq!(seconds(ledger.totals(at(31)).no_gateway), 1);
    }

    #[test]
    fn two_serve_while_the_primary_answers_and_the_local_gateway_listens() {
        let mut ledger = healthy();
        ledger.failed(at(10), at(10));
        ledger.listens(at(20), true);
        ledger.answered(at(50));
        ledger.listens(at(53), false);
        let totals = ledger.totals(at(1000));
        assert_eq!(seconds(totals.dual_active), 3);
        assert_eq!(seconds(totals.no_gateway), 10);
        // A connection that broke takes none of it back, unless a probe fails.
        let mut ledger = healthy();
        ledger.listens(at(0), true);
        ledger.broke(at(5));
        ledger.answered(at(6));
        assert_eq!(seconds(ledger.totals(at(6)).dual_active), 6);
        ledger.broke(at(7));
        ledger.failed(at(9), at(8));
        assert_eq!(seconds(ledger.totals(at(100)).dual_active), 7);
    }

    #[test]
    fn what_nobody_could_see_is_counted_as_unknown_and_an_absence_not_at_all() {
        let mut ledger = Ledger::new(at(0));
        assert_eq!(seconds(ledger.totals(at(4)).unknown), 4);
        ledger.answered(at(4));
        ledger.failed(at(10), at(10));
        ledger.listens(at(20), false);
        ledger.absent(at(1000));
        let totals = ledger.totals(at(1005));
        assert_eq!(seconds(totals.no_gateway), 10);
        assert_eq!(seconds(totals.unknown), 9);
        ledger.failed(at(1010), at(1008));
        ledger.unknown(at(1011));
        assert_eq!(seconds(ledger.totals(at(1020)).no_gateway), 13);
    }

    #[test]
    fn a_takeover_counts_once_however_often_the_gateway_is_started_and_a_release_if_it_served() {
        let (starting, stopping) = (
            State::Starting { attempt: 1 },
            State::Stopping { attempt: 1 },
        );
        let mut ledger = healthy();
        // Cut short before it served.
        ledger.changed(&change(starting, stopping));
        ledger.changed(&change(stopping, State::Standby));
        assert_eq!(ledger.totals(at(0)).releases, 0);
        ledger.changed(&change(starting, State::Active));
        ledger.changed(&change(State::Active, State::Restarting { attempt: 1 }));
        ledger.changed(&change(State::Restarting { attempt: 1 }, starting));
        ledger.changed(&change(starting, State::Active));
        ledger.changed(&change(State::Active, stopping));
        ledger.changed(&change(stopping, State::Standby));
        // Found serving after a restart of the daemon.
        ledger.changed(&change(State::Standby, State::Active));
        ledger.changed(&change(State::Active, stopping));
        ledger.changed(&change(stopping, State::Suspect { strikes: 1 }));
        let totals = ledger.totals(at(0));
        assert_eq!((totals.takeovers, totals.releases), (1, 2));
    }

    #[test]
    fn drills_are_counted_by_result() {
        let mut ledger = healthy();
        ledger.drilled(DrillResult::Sent);
        ledger.drilled(DrillResult::Sent);
        let counted: Vec<_> = ledger.totals(at(0)).drills().collect();
        assert_eq!(
            counted,
            [
                (DrillResult::Passed, 0),
                (DrillResult::Sent, 2),
                (DrillResult::Uncounted, 0),
                (DrillResult::Failed, 0),
                (DrillResult::Interrupted, 0),
            ]
        );
    }

    #[test]
    fn every_result_of_every_command_is_counted_apart() {
        let mut ledger = healthy();
        ledger.ended(Step::START, &CommandResult::Failed { code: 1 });
        ledger.ended(Step::START, &CommandResult::Failed { code: 2 });
        ledger.ended(Step::FENCE, &CommandResult::Abandoned);
        let counted: Vec<_> = ledger.totals(at(0)).commands().collect();
        assert_eq!(counted.len(), Step::ALL.len() * ResultKind::ALL.len());
        let some: Vec<_> = counted.into_iter().filter(|one| one.2 > 0).collect();
        assert_eq!(
            some,
            [
                (Step::START, ResultKind::Failed, 2),
                (Step::FENCE, ResultKind::Abandoned, 1)
            ]
        );
    }
}
