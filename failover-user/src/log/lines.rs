//! The log's lines: what a person asks at three in the morning. Only renders.

use std::{collections::VecDeque, time::Duration};

use tracing::{debug, info, warn};

use failover_decide::{Cause, Outcome, State, Strike, Time};
use failover_linux::clock;

use crate::{
    primary::check::readiness::{Readiness, Startup},
    status::explanation::{Connections, Explanation},
    wording,
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
    pub(crate) fn of_strikes(&self, strikes: &[Strike]) -> Connections {
        let Some(first) = strikes.first() else {
            return Connections::default();
        };
        let belongs = |time: Time| time + BEFORE >= first.due;
        let events = self.notes.iter().filter(|(time, _)| belongs(*time));
        let events: Vec<(Time, String)> = events.cloned().collect();
        Connections {
            // Those that are forgotten came before any of these.
            forgotten: match events.len() == self.notes.len() {
                true => self.forgotten,
                false => 0,
            },
            events,
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
                let (outcome, detail) = wording::probe::failure(*failure);
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

/// One line a change of state, with the whole reason.
pub(crate) fn state(explanation: &Explanation) {
    let change = &explanation.change;
    let reason = wording::reason::explanation(explanation);
    let (from, to) = (change.from.name(), change.to.name());
    let strikes = change.strikes.len();
    let attempt = change.to.attempt();
    match change.to == State::Standby {
        true => info!(from, to, strikes, reason, "state changed"),
        false => warn!(from, to, strikes, attempt, reason, "state changed"),
    }
}

#[cfg(test)]
mod tests {
    use failover_decide::Failure;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
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
        let whats = |connections: Connections| {
            let whats = connections.events.into_iter().map(|(_, what)| what);
            whats.collect::<Vec<String>>()
        };
        let found = evidence.of_strikes(&[strike(60), strike(90)]);
        assert_eq!(whats(found), ["reset", "refused"]);
        // Where nothing has failed, nothing of it is a reason.
        assert_eq!(evidence.of_strikes(&[]), Connections::default());
        evidence.forgotten = 7;
        assert_eq!(evidence.of_strikes(&[strike(60)]).forgotten, 0);
        assert_eq!(evidence.of_strikes(&[strike(1)]).forgotten, 7);
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
