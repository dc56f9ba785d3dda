//! When the next probe is due, and why: at a fixed rate, or earlier when there is news.
//!
//! Never two probes at a time, and never more than one early probe a second, however much news there is; what the
//! guard on the primary's host gives reason for has a second of its own, because half a second decides there.
//! An early probe for bad news restarts the schedule, so that it can be the first strike; one for good
//! news doesn't. Nor does one for a connection that timed out, if such news was a false alarm before:
//! with packet loss connections time out repeatedly, and each early probe is one more that can fail by
//! chance.

use std::time::Duration;

use crate::{
    id::ProbeId,
    input::{evidence::Evidence, outcome::Outcome},
    output::action::Cause,
    time::Time,
};

/// Shortest time from one early probe to the next.
const EARLY_GAP: Duration = Duration::from_secs(1);
/// A dying process closes its connections one by one, often before the socket that listens: a probe
/// made at once would still be answered, by nobody, and the next would have to wait for its second.
const BAD_NEWS_DEBOUNCE: Duration = Duration::from_millis(50);
/// A probe that begins this much after its time still counts as on time: a timer's own slack.
pub(crate) const SLACK: Duration = Duration::from_millis(2);
/// Number of early probes in a row that may find nothing wrong before the gap grows.
const PATIENCE: u32 = 4;
/// After this number of scheduled probes in a row without news, a timeout is news again.
const QUIET: u32 = 20;

/// A probe in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    id: ProbeId,
    pub(crate) due: Time,
    pub(crate) cause: Cause,
    /// The daemon was suspended, stalled or cut off meanwhile: its failure is ignored.
    pub(crate) distrusted: bool,
    /// It was made because a connection timed out.
    silence: bool,
    /// Such news was a false alarm before: if this probe times out as well, that isn't a strike.
    pub(crate) rumour: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    last_id: u64,
    in_flight: Option<InFlight>,
    /// When the last probe was due that the fixed rate counts from; `None`: there was none yet.
    last_due: Option<Time>,
    first_due: Time,
    /// News that still waits for its probe, and since when.
    news: Option<(Cause, Time)>,
    /// The news is only that a connection timed out.
    silence: bool,
    /// Timeouts were false alarms lately; number of scheduled probes without news since then.
    false_alarm: Option<u32>,
    last_early: Option<Time>,
    /// The guard's silence, or its words, wait for a probe since then.
    guard: Option<Time>,
    last_for_guard: Option<Time>,
    /// Early probes in a row that found nothing wrong, without a quiet scheduled probe between.
    futile: u32,
}

impl Schedule {
    pub(crate) fn new(now: Time) -> Self {
        Self {
            last_id: 0,
            in_flight: None,
            last_due: None,
            first_due: now,
            news: None,
            silence: false,
            false_alarm: None,
            last_early: None,
            guard: None,
            last_for_guard: None,
            futile: 0,
        }
    }

    /// News about the primary. While it is failing only good news counts, otherwise only bad.
    pub(crate) fn evidence(&mut self, now: Time, evidence: Evidence, failing: bool) {
        let cause = match (evidence.is_good(), failing) {
            (true, true) => Cause::GoodNews,
            (false, false) => Cause::BadNews,
            _ => return,
        };
        let silence = evidence == Evidence::TimedOut;
        match self.news {
            None => {
                self.news = Some((cause, now));
                self.silence = silence;
            }
            // Anything more than a timeout is certain news.
            Some(_) => self.silence &= silence,
        }
    }

    /// An operator's order needs a probe now. The longer gap after false alarms doesn't delay it.
    pub(crate) fn ask(&mut self, now: Time) {
        self.news = Some((Cause::Ordered, now));
        self.silence = false;
        self.futile = 0;
    }

    /// Asks for a probe, unless news already has.
    pub(crate) fn ask_too(&mut self, now: Time) {
        self.news.get_or_insert((Cause::BadNews, now));
        self.silence = false;
    }

    /// The guard on the primary's host gives reason for doubt: the probe that answers it begins after this, is made
    /// beside the schedule, and changes nothing of it.
    pub(crate) fn ask_for_guard(&mut self, now: Time) {
        self.guard = Some(now);
    }

    /// The daemon was suspended, stalled or cut off: the probe in flight may fail for that reason alone. If
    /// the next one is overdue it is made at once, and the fixed rate counts from there.
    pub(crate) fn distrust(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.distrusted = true;
        }
    }

    /// Is a probe in flight whose outcome counts?
    pub(crate) fn will_tell(&self) -> bool {
        self.in_flight
            .is_some_and(|in_flight| !in_flight.distrusted && in_flight.cause != Cause::GoodNews)
    }

    /// Forgets the probe in flight.
    pub(crate) fn give_up(&mut self) {
        self.in_flight = None;
    }

    /// With a new pace the next probe may have been due long ago: then it is due now.
    pub(crate) fn not_before(&mut self, now: Time, pace: Duration) {
        if self.in_flight.is_none() && self.scheduled(pace) < now {
            self.last_due = None;
            self.first_due = now;
        }
    }

    /// When the probe in flight was due.
    pub(crate) fn in_flight_since(&self) -> Option<Time> {
        self.in_flight.map(|in_flight| in_flight.due)
    }

    /// The next probe's time, unless one is in flight.
    pub(crate) fn next(&self, pace: Duration) -> Option<Time> {
        self.due(pace).map(|(due, _)| due)
    }

    /// The probe that is due, if one is.
    pub(crate) fn probe(&mut self, now: Time, pace: Duration) -> Option<(ProbeId, Cause)> {
        let (due, cause) = self.due(pace)?;
        if now < due {
            return None;
        }
        if cause == Cause::Guard {
            self.guard = None;
            self.last_for_guard = Some(now);
            return Some(self.begin(now, cause, false));
        }
        // Where both have come, the scheduled one goes first: news that keeps coming must not put
        // it off.
        let scheduled = self.scheduled(pace);
        let (due, cause) = if now >= scheduled {
            (scheduled, Cause::Scheduled)
        } else {
            (due, cause)
        };
        // A timer's slack doesn't change the fixed rate, but after a probe that is really late (a stall, a
        // suspend, a slow probe before it) the rate counts from there: two probes are never too close.
        let due = if now.since(due) > SLACK { now } else { due };
        let rumour = cause == Cause::BadNews && self.silence && self.false_alarm.is_some();
        match cause {
            Cause::Scheduled => {
                self.last_due = Some(due);
                if self.news.is_none() {
                    self.futile = 0;
                    self.note_quiet();
                } else {
                    // It serves as the early probe for the news.
                    self.last_early = Some(now);
                }
            }
            // It takes the place of a scheduled probe unless it times out.
            Cause::BadNews if rumour => self.last_early = Some(now),
            Cause::BadNews | Cause::Ordered => {
                self.last_due = Some(now);
                self.last_early = Some(now);
            }
            Cause::GoodNews | Cause::Guard => self.last_early = Some(now),
        }
        self.news = None;
        Some(self.begin(due, cause, rumour))
    }

    fn begin(&mut self, due: Time, cause: Cause, rumour: bool) -> (ProbeId, Cause) {
        self.last_id += 1;
        let id = ProbeId(self.last_id);
        self.in_flight = Some(InFlight {
            id,
            due,
            cause,
            distrusted: false,
            silence: cause == Cause::BadNews && self.silence,
            rumour,
        });
        (id, cause)
    }

    /// Takes the probe in flight, if it is this one.
    pub(crate) fn ended(&mut self, probe: ProbeId, outcome: &Outcome) -> Option<InFlight> {
        let ended = self.in_flight.take_if(|in_flight| in_flight.id == probe)?;
        if ended.silence && matches!(outcome, Outcome::Connected { .. }) {
            self.false_alarm = Some(0);
        }
        let counts = match outcome {
            Outcome::Connected { .. } => true,
            Outcome::Failed { failure, .. } => !failure.is_silence(),
            Outcome::Unknown { .. } => false,
        };
        if ended.rumour && counts {
            self.last_due = Some(ended.due);
        }
        match (outcome, ended.cause) {
            (Outcome::Failed { .. }, _) => self.futile = 0,
            (Outcome::Connected { .. } | Outcome::Unknown { .. }, Cause::BadNews) => {
                self.futile = self.futile.saturating_add(1);
            }
            (Outcome::Connected { .. } | Outcome::Unknown { .. }, _) => {}
        }
        // News that came before the outcome needs no probe of its own.
        let answered = match outcome {
            Outcome::Connected { .. } => Some(Cause::GoodNews),
            Outcome::Failed { .. } => Some(Cause::BadNews),
            Outcome::Unknown { .. } => None,
        };
        let is_answered = |cause| Some(cause) == answered || cause == Cause::Ordered;
        if answered.is_some() {
            self.guard.take_if(|since| ended.due >= *since);
        }
        if answered.is_some() && self.news.is_some_and(|(cause, _)| is_answered(cause)) {
            self.news = None;
        }
        Some(ended)
    }

    /// A scheduled probe is made, and there was no news since the one before.
    fn note_quiet(&mut self) {
        self.false_alarm = self
            .false_alarm
            .map(|quiet| quiet + 1)
            .filter(|quiet| *quiet < QUIET);
    }

    fn scheduled(&self, pace: Duration) -> Time {
        self.last_due.map_or(self.first_due, |last| last + pace)
    }

    fn due(&self, pace: Duration) -> Option<(Time, Cause)> {
        if self.in_flight.is_some() {
            return None;
        }
        let other = self.due_without_guard(pace);
        let guard = self.guard.map(|since| {
            let gap_ends = self.last_for_guard.map(|last| last + EARLY_GAP);
            gap_ends.map_or(since, |ends| ends.max(since))
        });
        Some(match guard {
            Some(at) if at <= other.0 => (at, Cause::Guard),
            Some(_) | None => other,
        })
    }

    fn due_without_guard(&self, pace: Duration) -> (Time, Cause) {
        let scheduled = self.scheduled(pace);
        match self.news {
            Some((cause, since)) => {
                let settled = match cause {
                    Cause::BadNews => since + BAD_NEWS_DEBOUNCE,
                    Cause::Scheduled | Cause::GoodNews | Cause::Ordered | Cause::Guard => since,
                };
                let early = self
                    .last_early
                    .map_or(settled, |last| settled.max(last + self.gap(pace)));
                if early < scheduled {
                    (early, cause)
                } else {
                    (scheduled, Cause::Scheduled)
                }
            }
            None => (scheduled, Cause::Scheduled),
        }
    }

    /// News that keeps proving false gets less attention: a primary that closes every connection
    /// after its answer must not be probed each second for ever.
    fn gap(&self, pace: Duration) -> Duration {
        let doublings = self.futile.saturating_sub(PATIENCE).min(16);
        EARLY_GAP
            .saturating_mul(1 << doublings)
            .min(pace.max(EARLY_GAP))
    }
}
