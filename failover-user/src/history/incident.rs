//! One incident, as it grows: whatever is added is bounded, so that one of years stays small. It must not
//! know when an incident begins or ends.

use std::time::Duration;

use jiff::{RoundMode, Timestamp, TimestampRound, Unit};

use failover_decide::{Change, CommandResult, Outcome, StandbyState, StateKind, Step, Time};
use failover_linux::clock;
use failover_sync::generation::Number;

use crate::{
    history,
    history::{
        Counting, Ending, How, Incident, Layer, Note, Phase, Probe, Round, ServedWith, Uptime,
    },
    wording,
};

/// Limit for each list of an incident: its first and its last entries are kept.
const MOST_KEPT: usize = 32;
/// Longer texts are cut.
const LONGEST_TEXT: usize = 400;

/// What is known of an incident so far; before it begins, what it may begin with.
#[derive(Debug)]
pub(crate) struct IncidentBuilder(Incident);

/// What a change of state added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Added {
    Nothing,
    Attempt,
    State,
}

impl IncidentBuilder {
    pub(crate) const fn new(primary: String, dry_run: bool) -> Self {
        Self(Incident::blank(primary, dry_run))
    }

    pub(crate) fn reconfigure(&mut self, primary: String, dry_run: bool) {
        self.0.primary = primary;
        self.0.dry_run = dry_run;
    }

    /// What was seen belongs to nothing.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(std::mem::take(&mut self.0.primary), self.0.dry_run);
    }

    /// It is over, and another one may begin.
    pub(crate) fn take(&mut self) -> Self {
        let next = Self::new(self.0.primary.clone(), self.0.dry_run);
        std::mem::replace(self, next)
    }

    // --- what happens ------------------------------------------------------------------------

    pub(crate) fn note(&mut self, now: Time, what: &str) {
        let what = bounded(what);
        // Often the same is seen again and again.
        let last = self.0.events.last();
        if last.is_none_or(|last| last.what != what) {
            let at = wall(now);
            self.keep(|incident| &mut incident.events, Note { at, what });
        }
    }

    pub(crate) fn witnesses(&mut self, now: Time, answered: u32, needed: u32, answers: &str) {
        let round = Round {
            at: wall(now),
            answered,
            needed,
            answers: bounded(answers),
        };
        self.keep(|incident| &mut incident.witnesses, round);
    }

    /// A probe that failed; what fails once that is no news is counted alone.
    pub(crate) fn failed(&mut self) {
        self.0.failed_probes += 1;
    }

    /// One that wasn't answered well.
    pub(crate) fn probe(&mut self, began: Time, now: Time, outcome: &Outcome) {
        let probe = Probe {
            began: wall(began),
            outcome: bounded(&wording::probe::outcome(outcome)),
            layer: layer(outcome).into(),
            took_ms: milliseconds(now.since(began)),
            strike: false,
        };
        self.keep(|incident| &mut incident.probes, probe);
    }

    /// The last one counts.
    pub(crate) fn strike(&mut self) {
        if let Some(probe) = self.0.probes.last_mut() {
            probe.strike = true;
        }
    }

    pub(crate) fn run(&mut self, now: Time, command: Step) {
        let command = history::Command {
            command: command.into(),
            began: wall(now),
            took_ms: None,
            result: None,
            said: String::new(),
        };
        self.keep(|incident| &mut incident.commands, command);
    }

    /// The local gateway begins to serve with this copy of the primary's state, which is so old.
    pub(crate) fn serves(&mut self, with: Option<Number>, age: Option<Duration>) {
        self.0.served_with = Some(ServedWith {
            generation: with.map(|number| number.0),
            age_ms: age.map(milliseconds),
        });
    }

    /// The last command has ended.
    pub(crate) fn ended(&mut self, took: Duration, result: &CommandResult, said: &str) {
        let Some(command) = self.0.commands.last_mut() else {
            return;
        };
        command.took_ms = Some(milliseconds(took));
        command.result = Some(bounded(&wording::command::result(result)));
        if !result.is_success() {
            command.said = bounded(said);
        }
    }

    /// Does its last command run?
    pub(crate) fn runs(&self) -> bool {
        let last = self.0.commands.last();
        last.is_some_and(|command| command.result.is_none())
    }

    // --- its course --------------------------------------------------------------------------

    pub(crate) fn begin(&mut self, now: Time, reason: &str) {
        let began = wall(now);
        let day = began.strftime("%Y%m%dT%H%M%S");
        self.0.id = format!("{day}-{:04x}", fastrand::u16(..));
        self.0.began = began;
        self.0.reason = bounded(reason);
    }

    /// Another reason for all of it is known.
    pub(crate) fn because(&mut self, reason: &str) {
        self.0.reason = bounded(reason);
    }

    /// The state changed; the local gateway was this ready until then.
    pub(crate) fn enter(&mut self, now: Time, change: &Change, standby: StandbyState) -> Added {
        let is_start = change.to.kind() == StateKind::Starting;
        let phase = Phase {
            state: change.to.kind().into(),
            attempt: change.to.attempt(),
            began: wall(now),
            took_ms: 0,
            reason: bounded(&wording::reason::change(change)),
            standby: is_start.then(|| standby.into()),
        };
        let added = match self.0.phases.last() {
            Some(last) if last.state == phase.state && last.attempt == phase.attempt => {
                Added::Nothing
            }
            Some(last) if last.state == phase.state => Added::Attempt,
            _ => Added::State,
        };
        if added != Added::Nothing {
            self.keep(|incident| &mut incident.phases, phase);
        }
        added
    }

    /// The last state has lasted so long by now.
    pub(crate) fn lasted(&mut self, took: Duration) {
        if let Some(last) = self.0.phases.last_mut() {
            last.took_ms = milliseconds(took);
        }
    }

    pub(crate) fn end(&mut self, now: Time, how: How, reason: &str) {
        self.0.ended = Some(Ending {
            at: wall(now),
            how: how.into(),
            reason: bounded(reason),
        });
    }

    /// All that is known until now.
    pub(crate) fn write(
        &mut self,
        now: Time,
        lasted: Duration,
        no_gateway: Duration,
        dual_active: Duration,
        counting: Option<Counting>,
    ) -> Incident {
        self.0.written = wall(now);
        self.0.written_at = Uptime::of(now.as_duration());
        self.0.lasted_ms = Some(milliseconds(lasted));
        self.0.no_gateway_ms = milliseconds(no_gateway);
        self.0.dual_active_ms = milliseconds(dual_active);
        self.0.counting = counting.map(Into::into);
        self.0.clone()
    }

    /// The incident as last written, with later changes.
    pub(crate) fn into_written(self) -> Incident {
        self.0
    }

    /// How the beginning came about and how it ended is worth more than what was in between.
    fn keep<T>(&mut self, list: impl FnOnce(&mut Incident) -> &mut Vec<T>, entry: T) {
        let list = list(&mut self.0);
        let is_full = list.len() == MOST_KEPT;
        if is_full {
            list.remove(MOST_KEPT / 2);
        }
        list.push(entry);
        self.0.left_out += u64::from(is_full);
    }
}

const fn layer(outcome: &Outcome) -> Layer {
    match outcome {
        Outcome::Failed { failure, .. } if failure.is_above_tcp() => Layer::Answer,
        Outcome::Failed { .. } => Layer::Connect,
        Outcome::Connected { .. } | Outcome::Unknown { .. } => Layer::Unknown,
    }
}

pub(crate) fn bounded(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Rounded to milliseconds, like [`clock::rfc3339`].
pub(crate) fn wall(time: Time) -> Timestamp {
    let wall = clock::wall(time);
    let whole = TimestampRound::new()
        .smallest(Unit::Millisecond)
        .mode(RoundMode::Trunc);
    wall.round(whole).unwrap_or(wall)
}
