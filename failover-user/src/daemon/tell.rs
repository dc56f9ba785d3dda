//! The log's lines: what a person asks at three in the morning. Only renders.

use std::{collections::VecDeque, time::Duration};

use tracing::{debug, info, warn};

use crate::{
    clock,
    decide::{Cause, Change, Failure, Outcome, State, Strike, Time},
    errno,
    probe::{Readiness, Startup},
};

/// Enough to see a pattern, too few to fill a log.
const MOST_RECENT: usize = 16;
/// Often enough not to be forgotten, while it lasts.
const WARN_AGAIN: Duration = Duration::from_secs(600);

/// What happened on connections to the primary since the last good probe.
#[derive(Debug, Default)]
pub(super) struct Recent {
    notes: VecDeque<String>,
    forgotten: u64,
}

impl Recent {
    pub(super) fn note(&mut self, what: &str) {
        if self.notes.len() == MOST_RECENT {
            self.notes.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        let time = clock::wall(clock::now())
            .strftime("%H:%M:%S%.3f")
            .to_string();
        self.notes.push_back(format!("{time} {what}"));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn told(&self) -> String {
        let notes: Vec<&str> = self.notes.iter().map(String::as_str).collect();
        match self.forgotten {
            0 => notes.join(", "),
            forgotten => format!("{forgotten} earlier, {}", notes.join(", ")),
        }
    }
}

/// For what comes as fast as others please: told at most once a second.
#[derive(Debug, Default)]
pub(super) struct AtMostEachSecond(Option<Time>);

impl AtMostEachSecond {
    /// May it be told now? Then it counts as told.
    pub(super) fn is_due(&mut self) -> bool {
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
pub(super) struct Losses {
    untold: u64,
    pace: AtMostEachSecond,
}

impl Losses {
    pub(super) fn note(&mut self, lost: u64) {
        self.untold = self.untold.saturating_add(lost);
        if self.untold > 0 && self.pace.is_due() {
            warn!(
                lost = std::mem::take(&mut self.untold),
                "kernel events were lost; the port was looked at instead"
            );
        }
    }
}

/// Probes, as they end.
#[derive(Debug, Default)]
pub(super) struct Probes {
    /// Since the last probe that said something: why probes are *unknown*, and when that was warned
    /// of last.
    unknown: Option<(String, Time)>,
}

impl Probes {
    /// Every probe at debug, those that aren't good louder. While the local gateway serves, a failed
    /// probe each second is what is expected: the log must not grow by it, nor by what is unknown for
    /// the same reason as before.
    pub(super) fn tell(&mut self, outcome: &Outcome, cause: Option<Cause>, state: State) {
        let cause = cause.unwrap_or(Cause::Scheduled);
        let is_news = self.is_news(outcome, clock::now());
        match outcome {
            Outcome::Connected { took } => {
                debug!(outcome = "connected", %cause, ?took, "probe");
            }
            Outcome::Failed { failure, took } => {
                let (outcome, detail) = told_failure(*failure);
                if matches!(state, State::Active | State::Starting { .. }) {
                    debug!(outcome, detail, %cause, ?took, "probe failed");
                } else {
                    info!(outcome, detail, %cause, ?took, "probe failed");
                }
            }
            Outcome::Unknown { reason } if is_news => {
                warn!(outcome = "unknown", %cause, reason, "probe says nothing about the primary");
            }
            Outcome::Unknown { reason } => {
                debug!(outcome = "unknown", %cause, reason, "probe says nothing about the primary");
            }
        }
    }

    /// Is it unknown, and for a reason that wasn't warned of lately?
    fn is_news(&mut self, outcome: &Outcome, now: Time) -> bool {
        let Outcome::Unknown { reason } = outcome else {
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
pub(super) fn readiness(before: Option<&Readiness>, now: &Readiness) {
    if before.is_some_and(|before| before.says_the_same(now)) {
        return;
    }
    let is_well = now.startup != Some(Startup::Draining) && now.ready != Some(false);
    if is_well {
        info!(readiness = %now, "the primary tells how it is");
    } else {
        warn!(readiness = %now, "the primary is live, and not ready; that alone is no failure");
    }
}

/// One line a change of state, with the whole reason, which is returned.
pub(super) fn change(change: &Change, recent: &Recent) -> String {
    let mut reason = change.reason.to_string();
    if !change.strikes.is_empty() {
        let strikes: Vec<String> = change.strikes.iter().map(strike).collect();
        reason = format!("{reason}; failed probes: {}", strikes.join(", "));
    }
    let events = recent.told();
    if !events.is_empty() {
        reason = format!("{reason}; connections to the primary: {events}");
    }
    let (from, to) = (change.from.name(), change.to.name());
    let strikes = change.strikes.len();
    match change.to {
        State::Fencing { attempt }
        | State::Starting { attempt }
        | State::Restarting { attempt }
        | State::Stopping { attempt } => {
            warn!(from, to, strikes, attempt, reason, "state changed");
        }
        State::Suspect { .. } | State::Isolated | State::Held(_) | State::Active => {
            warn!(from, to, strikes, reason, "state changed");
        }
        State::Standby => info!(from, to, strikes, reason, "state changed"),
    }
    reason
}

fn strike(strike: &Strike) -> String {
    let time = clock::wall(strike.due).strftime("%H:%M:%S%.3f");
    format!("{time} {}", failure(strike))
}

/// How a strike's probe failed.
pub(super) fn failure(strike: &Strike) -> String {
    told_failed(strike.failure, strike.took)
}

fn told_failed(failure: Failure, took: Duration) -> String {
    let (outcome, detail) = told_failure(failure);
    let detail = detail
        .map(|detail| format!(" ({detail})"))
        .unwrap_or_default();
    format!("{outcome}{detail} after {took:.1?}")
}

/// How a probe ended.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { failure, took } => told_failed(*failure, *took),
        Outcome::Connected { .. } | Outcome::Unknown { .. } => outcome.to_string(),
    }
}

/// What happened, and where there is more to know, that: the errno's name, what is wrong.
fn told_failure(failure: Failure) -> (&'static str, Option<String>) {
    match failure {
        Failure::Refused => ("refused", None),
        Failure::TimedOut => ("timed out", None),
        Failure::Unreachable { errno } => ("unreachable", Some(errno::describe(errno))),
        Failure::NoAnswer(why) => ("no answer", Some(why.to_string())),
        Failure::WrongAnswer(what) => ("wrong answer", Some(what.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_warned_of_when_it_changes_and_every_ten_minutes() {
        let unknown = |reason: &str| Outcome::Unknown {
            reason: reason.to_owned(),
        };
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
