//! The events of the last hours, in little memory: for charts and lists. No clock, no I/O: events come
//! with their times. It must not know where they come from or who shows them.

use std::{collections::VecDeque, time::Duration};

use failover_decide::{Change, Outcome, StateKind, Time};

use crate::{named::Named, wording};

/// How far back it goes.
pub const REACH: Duration = Duration::from_secs(6 * 3600);
/// Events within this time are one mark in a chart.
pub const SLOT: Duration = Duration::from_secs(10);
/// Changes of state, and what people look for first: too few of them to be lost among the others.
const MOST_CHANGES: usize = 128;
/// Others may cause kernel events as fast as they please.
const MOST_OTHERS: usize = 64;
/// A repeated event becomes one note with a count, if at most this number of others lie between, and no
/// change of state.
const LOOK_BACK: usize = 4;
/// A note is a line.
const LONGEST: usize = 200;

/// The last hours.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    slots: VecDeque<Slot>,
    states: VecDeque<(Time, StateKind)>,
    changes: VecDeque<Note>,
    others: VecDeque<Note>,
    strikes: usize,
}

/// What happened within a [`SLOT`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Slot {
    /// Its number, counted from boot.
    number: u64,
    /// Probes that were answered.
    pub answered: u16,
    /// Probes that failed.
    pub failed: u16,
    /// Probes that said nothing.
    pub unknown: u16,
    /// Strikes.
    pub strikes: u16,
    /// Kernel events worth a note.
    pub kernel: u16,
    /// The longest probe.
    pub slowest: Duration,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A probe of the primary ended.
    Probe,
    /// A kernel event.
    Kernel,
    /// The state changed.
    State,
    /// A command began or ended.
    Command,
}

impl Named for Kind {
    const ALL: &'static [Self] = &[Self::Probe, Self::Kernel, Self::State, Self::Command];

    fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Kernel => "kernel",
            Self::State => "state",
            Self::Command => "command",
        }
    }
}

/// Something that happened, perhaps more than once.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    /// When it happened first.
    pub(crate) first: Time,
    /// When it happened last.
    pub(crate) last: Time,
    /// How often.
    pub(crate) count: u64,
    pub(crate) kind: Kind,
    /// What, for people; without control characters.
    pub(crate) text: String,
}

impl Slot {
    /// When it began.
    #[must_use]
    pub fn begin(&self) -> Time {
        let seconds = self.number.saturating_mul(SLOT.as_secs());
        Time::from_boot(Duration::from_secs(seconds))
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            number: self.number,
            answered: self.answered.saturating_add(other.answered),
            failed: self.failed.saturating_add(other.failed),
            unknown: self.unknown.saturating_add(other.unknown),
            strikes: self.strikes.saturating_add(other.strikes),
            kernel: self.kernel.saturating_add(other.kernel),
            slowest: self.slowest.max(other.slowest),
        }
    }
}

impl Timeline {
    /// A probe of the primary has ended.
    pub fn probe(&mut self, now: Time, outcome: &Outcome) {
        let (answered, failed, unknown, slowest) = match outcome {
            Outcome::Connected { took } => (1, 0, 0, *took),
            Outcome::Failed { took, .. } => (0, 1, 0, *took),
            Outcome::Unknown { .. } => (0, 0, 1, Duration::ZERO),
        };
        self.mark(
            now,
            Slot {
                answered,
                failed,
                unknown,
                slowest,
                ..Slot::default()
            },
        );
        // Without the time that it took: the same again is one note.
        self.note(now, Kind::Probe, &wording::probe::happened(outcome));
    }

    /// A kernel event.
    pub fn kernel(&mut self, now: Time, text: &str) {
        self.mark(
            now,
            Slot {
                kernel: 1,
                ..Slot::default()
            },
        );
        self.note(now, Kind::Kernel, text);
    }

    /// A command began or ended.
    pub fn command(&mut self, now: Time, text: &str) {
        self.note(now, Kind::Command, text);
    }

    /// The state changed, or another strike or attempt came, for this reason.
    pub fn change(&mut self, now: Time, change: &Change, why: &str) {
        if change.strikes.len() > self.strikes {
            self.mark(
                now,
                Slot {
                    strikes: 1,
                    ..Slot::default()
                },
            );
        }
        self.strikes = change.strikes.len();
        let (from, to) = (change.from.kind(), change.to.kind());
        let text = match from == to {
            true => format!("{}: {why}", to.name()),
            false => {
                self.state(now, to);
                format!("{} to {}: {why}", from.name(), to.name())
            }
        };
        self.note(now, Kind::State, &text);
    }

    /// It is in this state from now on.
    pub fn state(&mut self, now: Time, state: StateKind) {
        push(&mut self.states, MOST_CHANGES, (now, state));
    }

    /// What happened since `begin`, oldest first; empty slots are left out.
    pub fn slots(&self, begin: Time) -> impl Iterator<Item = Slot> {
        let slots = self.slots.iter().copied();
        slots.skip_while(move |slot| slot.begin() + SLOT < begin)
    }

    /// The states and when each began, oldest first.
    pub fn states(&self) -> impl Iterator<Item = (Time, StateKind)> {
        self.states.iter().copied()
    }

    /// The last notes, oldest first.
    pub(crate) fn recent(&self, most: usize) -> Vec<Note> {
        let mut notes: Vec<&Note> = self.changes.iter().chain(&self.others).collect();
        notes.sort_by_key(|note| note.last);
        let skipped = notes.len().saturating_sub(most);
        notes.into_iter().skip(skipped).cloned().collect()
    }

    fn mark(&mut self, now: Time, mark: Slot) {
        let number = now.as_duration().as_secs() / SLOT.as_secs();
        let reach = REACH.as_secs() / SLOT.as_secs();
        while let Some(first) = self.slots.front()
            && first.number.saturating_add(reach) < number
        {
            self.slots.pop_front();
        }
        match self.slots.back_mut() {
            Some(last) if last.number == number => *last = last.and(mark),
            _ => self.slots.push_back(Slot { number, ..mark }),
        }
    }

    fn note(&mut self, now: Time, kind: Kind, text: &str) {
        let text: String = text.chars().take(LONGEST).collect();
        let changed = self.changes.back().map(|change| change.last);
        let (notes, most, look_back) = match kind {
            Kind::Probe | Kind::Kernel => (&mut self.others, MOST_OTHERS, LOOK_BACK),
            Kind::State | Kind::Command => (&mut self.changes, MOST_CHANGES, 1),
        };
        let near = notes.iter().rev().take(look_back).enumerate();
        let same = near
            .take_while(|(_, note)| changed.is_none_or(|changed| note.last >= changed))
            .find(|(_, note)| note.kind == kind && note.text == text)
            .map(|(back, _)| notes.len() - 1 - back);
        let note = match same.and_then(|place| notes.remove(place)) {
            Some(note) => Note {
                last: now,
                count: note.count.saturating_add(1),
                ..note
            },
            None => Note {
                first: now,
                last: now,
                count: 1,
                kind,
                text,
            },
        };
        push(notes, most, note);
    }
}

fn push<T>(list: &mut VecDeque<T>, most: usize, item: T) {
    while list.len() >= most {
        list.pop_front();
    }
    list.push_back(item);
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_decide::{Failure, Reason, State};

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    fn recent(timeline: &Timeline) -> Vec<Note> {
        timeline.recent(1000)
    }

    fn refused() -> Outcome {
        Outcome::Failed {
            failure: Failure::Refused,
            took: Duration::from_millis(1),
        }
    }

    #[test]
    fn a_week_of_probes_each_second_takes_no_more_than_the_last_hours() {
        let mut timeline = Timeline::default();
        for second in 0..7 * 24 * 3600 {
            timeline.probe(at(second), &refused());
        }
        let most = REACH.as_secs() / SLOT.as_secs() + 1;
        assert_eq!(timeline.slots.len() as u64, most);
        assert_eq!(timeline.slots.back().unwrap().failed, 10);
        let recent = recent(&timeline);
        assert_eq!(recent.len(), 1);
        assert_eq!(recent[0].count, 7 * 24 * 3600);
    }

    #[test]
    fn a_flood_of_kernel_events_pushes_no_takeover_out() {
        let mut timeline = Timeline::default();
        let change = Change {
            from: State::Starting { attempt: 1 },
            to: State::Active,
            reason: Reason::Time,
            strikes: Vec::new(),
        };
        timeline.change(at(1), &change, "it listens");
        for number in 0..100_000 {
            timeline.kernel(at(2), &format!("{number}{}", "x".repeat(10_000)));
        }
        assert_eq!(timeline.others.len(), MOST_OTHERS);
        assert!(
            timeline
                .others
                .iter()
                .all(|note| note.text.len() <= LONGEST)
        );
        let recent = recent(&timeline);
        assert_eq!(recent[0].text, "starting to active: it listens");
        assert_eq!(timeline.slots.back().unwrap().kernel, u16::MAX);
    }

    #[test]
    fn what_lies_on_either_side_of_a_change_stays_apart() {
        let mut timeline = Timeline::default();
        timeline.probe(at(1), &refused());
        timeline.probe(at(2), &refused());
        let change = Change {
            from: State::Standby,
            to: State::Suspect { strikes: 1 },
            reason: Reason::Time,
            strikes: Vec::new(),
        };
        timeline.change(at(3), &change, "a strike");
        timeline.probe(at(4), &refused());
        let counts: Vec<u64> = recent(&timeline).iter().map(|note| note.count).collect();
        assert_eq!(counts, [2, 1, 1]);
    }

    #[test]
    fn what_alternates_becomes_one_note_each() {
        let mut timeline = Timeline::default();
        for second in 0..100 {
            timeline.kernel(at(second), "connection refused");
            timeline.probe(at(second), &refused());
        }
        let counts: Vec<u64> = recent(&timeline).iter().map(|note| note.count).collect();
        assert_eq!(counts, [100, 100]);
    }
}
