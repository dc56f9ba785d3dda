//! When the next probe is due, and why: at a fixed rate, or earlier when there is news.
//!
//! Never two probes at a time, and never more than one early probe a second, however much news
//! there is. An early probe for bad news restarts the schedule, so that it can be the first strike;
//! one for good news leaves it alone. Silence on a connection that proved to be no news before leaves it
//! alone as well: where packets are lost connections die again and again, and each early probe would be
//! one more that can fail by chance.

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
/// So many early probes in a row may find nothing amiss before the gap grows.
const PATIENCE: u32 = 4;
/// After so many scheduled probes in a row with no news before them silence is news again.
const QUIET: u32 = 20;

/// A probe in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    id: ProbeId,
    pub(crate) due: Time,
    pub(crate) cause: Cause,
    /// Whoever waits for it was away meanwhile: its failure says nothing.
    pub(crate) distrusted: bool,
    /// It was made for a silence.
    silence: bool,
    /// For one like those that were false alarms: one more silence is no strike.
    pub(crate) rumour: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    last_id: u64,
    in_flight: Option<InFlight>,
    /// The last probe that the fixed rate counts from; before the first one, when that is due.
    last_due: Option<Time>,
    first_due: Time,
    /// News that still waits for its probe.
    news: Option<(Cause, Time)>,
    /// It is that a connection died of silence.
    silence: bool,
    /// Silences were false alarms lately; so many scheduled probes were answered since, with no news.
    false_alarm: Option<u32>,
    last_early: Option<Time>,
    /// Early probes in a row that did not find the primary failing, with no quiet interval between.
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
            futile: 0,
        }
    }

    /// News of the primary. While it is failing only good news matters, otherwise only bad.
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
            // More than silence is better news.
            Some(_) => self.silence &= silence,
        }
    }

    /// An operator has to know how it is now. What others have seen until now delays that no further.
    pub(crate) fn ask(&mut self, now: Time) {
        self.news = Some((Cause::Ordered, now));
        self.silence = false;
        self.futile = 0;
    }

    /// Somebody wants to know how it is, unless there is news already.
    pub(crate) fn ask_too(&mut self, now: Time) {
        self.news.get_or_insert((Cause::BadNews, now));
        self.silence = false;
    }

    /// Whoever waits was away or cut off for a while: the probe in flight may fail for that reason alone.
    /// The next one is made at once where it is overdue, and the fixed rate counts from there.
    pub(crate) fn distrust(&mut self) {
        if let Some(in_flight) = &mut self.in_flight {
            in_flight.distrusted = true;
        }
    }

    /// Is a probe in flight whose end will say how the primary is?
    pub(crate) fn will_tell(&self) -> bool {
        self.in_flight
            .is_some_and(|in_flight| !in_flight.distrusted && in_flight.cause != Cause::GoodNews)
    }

    /// Nobody waits for the probe in flight any longer.
    pub(crate) fn give_up(&mut self) {
        self.in_flight = None;
    }

    /// At another pace the next probe may have been due long ago: then it is due now.
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
        // Where both have come, the scheduled one goes first: news that keeps coming must not put
        // it off.
        let scheduled = self.scheduled(pace);
        let (due, cause) = if now >= scheduled {
            (scheduled, Cause::Scheduled)
        } else {
            (due, cause)
        };
        // The fixed rate survives a late wake-up, but a probe that is really late (a stall, a
        // suspend, a slow probe before it) sets it anew: two probes are never closer than they
        // should be.
        let due = if now.since(due) > SLACK { now } else { due };
        let rumour = cause == Cause::BadNews && self.silence && self.false_alarm.is_some();
        match cause {
            Cause::Scheduled => {
                self.last_due = Some(due);
                if self.news.is_none() {
                    self.futile = 0;
                    self.note_quiet();
                } else {
                    // It looks into the news as an early probe would.
                    self.last_early = Some(now);
                }
            }
            // It takes the place of a scheduled one if it finds more than silence.
            Cause::BadNews if rumour => self.last_early = Some(now),
            Cause::BadNews | Cause::Ordered => {
                self.last_due = Some(now);
                self.last_early = Some(now);
            }
            Cause::GoodNews => self.last_early = Some(now),
        }
        self.news = None;
        self.last_id += 1;
        let in_flight = InFlight {
            id: ProbeId(self.last_id),
            due,
            cause,
            distrusted: false,
            silence: cause == Cause::BadNews && self.silence,
            rumour,
        };
        self.in_flight = Some(in_flight);
        Some((in_flight.id, cause))
    }

    /// The probe in flight, if it is this one: it is no longer.
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
        // What was known before the answer came is answered by it.
        let answered = match outcome {
            Outcome::Connected { .. } => Some(Cause::GoodNews),
            Outcome::Failed { .. } => Some(Cause::BadNews),
            Outcome::Unknown { .. } => None,
        };
        let is_answered = |cause| Some(cause) == answered || cause == Cause::Ordered;
        if answered.is_some() && self.news.is_some_and(|(cause, _)| is_answered(cause)) {
            self.news = None;
        }
        Some(ended)
    }

    /// A scheduled probe is made, and nothing was heard since the one before.
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
        let scheduled = self.scheduled(pace);
        match self.news {
            Some((cause, since)) => {
                let settled = match cause {
                    Cause::BadNews => since + BAD_NEWS_DEBOUNCE,
                    Cause::Scheduled | Cause::GoodNews | Cause::Ordered => since,
                };
                let early = self
                    .last_early
                    .map_or(settled, |last| settled.max(last + self.gap(pace)));
                Some(if early < scheduled {
                    (early, cause)
                } else {
                    (scheduled, Cause::Scheduled)
                })
            }
            None => Some((scheduled, Cause::Scheduled)),
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
