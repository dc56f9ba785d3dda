//! The log's lines: what a person asks at three in the morning. Only renders.

use std::{collections::VecDeque, time::Duration};

use tracing::{debug, info, warn};

use failover_decide::{
    Cause, Change, Failure, Inhibitor, Outcome, PortObservation, Reason, State, Strike, Time,
};
use failover_linux::{clock, errno};

use crate::{
    history::incident,
    primary::check::readiness::{Readiness, Startup},
};

/// Enough to see a pattern, too few to fill a log.
const MOST_RECENT: usize = 16;
/// Often enough not to be forgotten, while it lasts.
const WARN_AGAIN: Duration = Duration::from_secs(600);

/// What happens on a connection brings a probe forward within so long: before the first strike, it is a
/// part of the same story.
const BEFORE: Duration = Duration::from_secs(2);

/// What happened on connections to the primary since the last good probe.
#[derive(Debug, Default)]
pub(crate) struct EvidenceLog {
    notes: VecDeque<(Time, String)>,
    forgotten: u64,
}

impl EvidenceLog {
    /// For tests.
    #[cfg(test)]
    pub(crate) fn of(notes: Vec<(Time, &str)>) -> Self {
        let notes = notes.into_iter();
        Self {
            notes: notes.map(|(at, what)| (at, what.to_owned())).collect(),
            forgotten: 0,
        }
    }

    pub(crate) fn note(&mut self, what: &str) {
        if self.notes.len() == MOST_RECENT {
            self.notes.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.notes.push_back((clock::now(), what.to_owned()));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// What belongs to these strikes: a cable that was pulled before them explains nothing.
    fn describe(&self, strikes: &[Strike]) -> String {
        let Some(first) = strikes.first() else {
            return String::new();
        };
        let belongs = |time: Time| time + BEFORE >= first.due;
        let notes = self.notes.iter().filter(|(time, _)| belongs(*time));
        let notes: Vec<String> = notes
            .map(|(time, what)| {
                let time = clock::wall(*time).strftime("%H:%M:%S%.3f");
                format!("{time} {what}")
            })
            .collect();
        // Those that were forgotten came before any of these.
        match self.forgotten {
            earlier @ 1.. if notes.len() == self.notes.len() => {
                format!("{earlier} earlier, {}", notes.join(", "))
            }
            _ => notes.join(", "),
        }
    }
}

/// A rate limit for messages that others can cause: at most one a second.
#[derive(Debug, Default)]
pub(crate) struct RateLimit(Option<Time>);

impl RateLimit {
    /// May it be logged now? Then it counts as logged.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = clock::now();
        let due = self
            .0
            .is_none_or(|told| now.since(told) >= Duration::from_secs(1));
        if due {
            self.0 = Some(now);
        }
        due
    }
}

/// Lost kernel events.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    untold: u64,
    pace: RateLimit,
}

impl Losses {
    pub(crate) fn note(&mut self, lost: u64) {
        self.untold = self.untold.saturating_add(lost);
        if self.untold > 0 && self.pace.is_due() {
            warn!(
                lost = std::mem::take(&mut self.untold),
                "kernel events were lost; the port was polled instead"
            );
        }
    }
}

/// Probes, as they end.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// Since the last probe that said something: why probes are *unknown*, and when that was warned
    /// of last.
    unknown: Option<(String, Time)>,
}

impl Probes {
    /// Every probe at debug, those that aren't good louder. While the local gateway serves, a failed
    /// probe each second is what is expected: the log must not grow by it, nor by what is unknown for
    /// the same reason as before.
    pub(crate) fn log(&mut self, outcome: &Outcome, cause: Option<Cause>, state: State) {
        let cause = cause.unwrap_or(Cause::Scheduled);
        let is_news = self.is_news(outcome, clock::now());
        match outcome {
            Outcome::Connected { took } => {
                debug!(outcome = "connected", %cause, ?took, "probe");
            }
            Outcome::Failed { failure, took } => {
                let (outcome, detail) = describe_failure(*failure);
                if matches!(state, State::Active | State::Starting { .. }) {
                    debug!(outcome, detail, %cause, ?took, "probe failed");
                } else {
                    info!(outcome, detail, %cause, ?took, "probe failed");
                }
            }
            Outcome::Unknown { reason, .. } if is_news => {
                warn!(outcome = "unknown", %cause, reason, "probe says nothing about the primary");
            }
            Outcome::Unknown { reason, .. } => {
                debug!(outcome = "unknown", %cause, reason, "probe says nothing about the primary");
            }
        }
    }

    /// Is it unknown, and for a reason that wasn't warned of lately?
    fn is_news(&mut self, outcome: &Outcome, now: Time) -> bool {
        let Outcome::Unknown { reason, .. } = outcome else {
            self.unknown = None;
            return false;
        };
        let is_known = self
            .unknown
            .as_ref()
            .is_some_and(|(known, warned)| known == reason && now.since(*warned) < WARN_AGAIN);
        if !is_known {
            self.unknown = Some((reason.clone(), now));
        }
        !is_known
    }
}

/// One line a change of what the primary says of itself.
pub(crate) fn readiness(now: &Readiness) {
    let is_well = now.startup != Some(Startup::Draining) && now.ready != Some(false);
    if is_well {
        info!(readiness = %now, "the primary tells how it is");
    } else {
        warn!(readiness = %now, "the primary is live, and not ready; that alone is no failure");
    }
}

/// Why the state changed: what happened, in the light of what was so before.
pub(crate) fn why(change: &Change) -> String {
    match &change.reason {
        Reason::Time => waited(change),
        Reason::Probe(Outcome::Failed { failure, took }) => {
            format!("probe {}", describe_failed(*failure, *took))
        }
        Reason::Vetoed(Outcome::Failed { failure, took }) => format!(
            "probe {}, but others' connections to the primary live",
            describe_failed(*failure, *took)
        ),
        Reason::GatewayProbed(Outcome::Failed { failure, took }) => {
            format!(
                "the local gateway's check {}",
                describe_failed(*failure, *took)
            )
        }
        Reason::Port(PortObservation::Absent) => match change.from {
            State::Stopping { .. } => "the local gateway is stopped".to_owned(),
            State::Active => "the local gateway has gone by itself".to_owned(),
            State::Inhibited(Inhibitor::ForeignListener) => {
                "the local port is free again".to_owned()
            }
            _ => change.reason.to_string(),
        },
        reason => reason.to_string(),
    }
}

/// What was waited for, where nothing happened but that its time came.
fn waited(change: &Change) -> String {
    let waited = match (change.from, change.to) {
        (State::Suspect { .. }, State::Standby | State::Suspect { .. }) => {
            "failed probes are too long ago to count any longer"
        }
        (State::Inhibited(Inhibitor::Paused), _) => "the pause has had its time",
        (State::Inhibited(Inhibitor::Released), _) => "the time is over for which it was released",
        (_, State::Isolated) => "the witnesses didn't answer in time",
        (from, to) if from.name() == to.name() => match incident::attempt(from) {
            Some(attempt) => {
                return format!("attempt {attempt} failed, and the pause after it is over");
            }
            None => "its time has come",
        },
        _ => "its time has come",
    };
    waited.to_owned()
}

/// Why the state changed, with the failed probes and all that happened on connections to the primary.
pub(crate) fn reason(change: &Change, detail: &str, evidence: &EvidenceLog) -> String {
    let mut reason = format!("{}{detail}", why(change));
    if !change.strikes.is_empty() {
        reason = format!("{reason}; {}", strikes(&change.strikes));
    }
    let events = evidence.describe(&change.strikes);
    if !events.is_empty() {
        reason = format!("{reason}; connections to the primary: {events}");
    }
    reason
}

/// One line a change of state.
pub(crate) fn state(change: &Change, reason: &str) {
    let (from, to) = (change.from.name(), change.to.name());
    let strikes = change.strikes.len();
    match change.to {
        State::Fencing { attempt }
        | State::Starting { attempt }
        | State::Restarting { attempt }
        | State::Stopping { attempt } => {
            warn!(from, to, strikes, attempt, reason, "state changed");
        }
        State::Suspect { .. } | State::Isolated | State::Inhibited(_) | State::Active => {
            warn!(from, to, strikes, reason, "state changed");
        }
        State::Standby => info!(from, to, strikes, reason, "state changed"),
    }
}

/// The failed probes that count.
pub(crate) fn strikes(strikes: &[Strike]) -> String {
    let told: Vec<String> = strikes.iter().map(strike).collect();
    format!("failed probes: {}", told.join(", "))
}

fn strike(strike: &Strike) -> String {
    let time = clock::wall(strike.due).strftime("%H:%M:%S%.3f");
    format!("{time} {}", failure(strike))
}

/// How a strike's probe failed.
pub(crate) fn failure(strike: &Strike) -> String {
    describe_failed(strike.failure, strike.took)
}

fn describe_failed(failure: Failure, took: Duration) -> String {
    let (outcome, detail) = describe_failure(failure);
    let detail = detail
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default();
    format!("{outcome}{detail} after {took:.1?}")
}

/// How a probe ended.
pub(crate) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { failure, took } => describe_failed(*failure, *took),
        Outcome::Connected { .. } | Outcome::Unknown { .. } => outcome.to_string(),
    }
}

/// What happened, and where there is more to know, that: the errno's name, what is wrong.
fn describe_failure(failure: Failure) -> (&'static str, Option<String>) {
    match failure {
        Failure::Refused => ("refused", None),
        Failure::TimedOut => ("timed out", None),
        Failure::Unreachable { errno } => ("unreachable", Some(errno::describe(errno))),
        Failure::NoAnswer(why) => ("no answer", Some(why.to_string())),
        Failure::WrongAnswer(what) => ("wrong answer", Some(what.to_string())),
        Failure::Gone(gone) => ("unknown", Some(gone.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    fn changed(from: State, to: State, reason: Reason) -> Change {
        Change {
            from,
            to,
            reason,
            strikes: Vec::new(),
        }
    }

    #[test]
    fn where_only_time_went_by_it_is_told_what_was_waited_for() {
        let starting = |attempt| State::Starting { attempt };
        let suspect = |strikes| State::Suspect { strikes };
        for (from, to, part) in [
            (suspect(1), State::Standby, "too long ago"),
            (suspect(2), suspect(1), "too long ago"),
            (State::Inhibited(Inhibitor::Paused), starting(1), "pause"),
            (
                State::Inhibited(Inhibitor::Released),
                starting(1),
                "released",
            ),
            (suspect(3), State::Isolated, "witnesses didn't answer"),
            (starting(3), starting(4), "attempt 3 failed"),
        ] {
            let why = why(&changed(from, to, Reason::Time));
            assert!(why.contains(part), "{from:?} -> {to:?}: {why}");
        }
    }

    #[test]
    fn a_gateway_that_was_stopped_is_told_from_one_that_went_by_itself() {
        let gone = |from, to| why(&changed(from, to, Reason::Port(PortObservation::Absent)));
        let stopping = State::Stopping { attempt: 1 };
        assert_eq!(
            gone(stopping, State::Standby),
            "the local gateway is stopped"
        );
        let starting = State::Starting { attempt: 2 };
        assert!(gone(State::Active, starting).contains("by itself"));
        let blocked = State::Inhibited(Inhibitor::ForeignListener);
        assert!(gone(blocked, starting).contains("free again"));
    }

    #[test]
    fn an_errno_is_told_by_its_name() {
        let outcome = Outcome::Failed {
            failure: Failure::Unreachable {
                errno: libc::EHOSTUNREACH,
            },
            took: Duration::from_millis(1),
        };
        let suspect = State::Suspect { strikes: 1 };
        let why = why(&changed(State::Standby, suspect, Reason::Probe(outcome)));
        assert!(
            why.contains("EHOSTUNREACH") && !why.contains("113"),
            "{why}"
        );
    }

    #[test]
    fn what_came_before_the_strikes_explains_none_of_them() {
        let mut evidence = EvidenceLog::default();
        for (time, what) in [(10, "cable"), (59, "reset"), (61, "refused")] {
            evidence.notes.push_back((at(time), what.to_owned()));
        }
        let strike = |due| Strike {
            due: at(due),
            failure: Failure::Refused,
            took: Duration::ZERO,
        };
        let told = evidence.describe(&[strike(60), strike(90)]);
        assert!(told.contains("reset") && told.contains("refused"), "{told}");
        assert!(!told.contains("cable"), "{told}");
        // Where nothing has failed, nothing of it is a reason.
        assert_eq!(evidence.describe(&[]), "");
        evidence.forgotten = 7;
        assert!(!evidence.describe(&[strike(60)]).contains("earlier"));
        assert!(evidence.describe(&[strike(1)]).starts_with("7 earlier, "));
    }

    #[test]
    fn what_is_unknown_is_warned_of_when_it_changes_and_every_ten_minutes() {
        let unknown = |reason: &str| Outcome::unknown(reason.to_owned());
        let connected = Outcome::Connected {
            took: Duration::ZERO,
        };
        let mut probes = Probes::default();
        let news: Vec<bool> = [
            (0, unknown("no route")),
            (1, unknown("no route")),
            (599, unknown("no route")),
            (600, unknown("no route")),
            (601, unknown("no route")),
            (602, unknown("no socket")),
            (603, unknown("no route")),
            (604, connected),
            (605, unknown("no route")),
            (606, unknown("no route")),
        ]
        .iter()
        .map(|(time, outcome)| probes.is_news(outcome, Time::from_boot(Duration::from_secs(*time))))
        .collect();
        assert_eq!(
            news,
            [
                true, false, false, true, false, true, true, false, true, false
            ]
        );
    }
}
