//! Drills: what the last one has shown, and when the next one is due.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use failover_decide::DrillEnd;

use crate::{gateway::parking::Fingerprint, named::Named};

/// The first drill waits until the primary has answered for this time.
const FIRST_AFTER: Duration = Duration::from_secs(600);
/// After an interrupted or failed drill, so that the next one doesn't have to wait a whole day.
const AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// The last drill.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Drill {
    /// When it ended.
    pub(crate) at: Timestamp,
    pub(crate) result: DrillResult,
    /// From its beginning to the bind.
    pub(crate) took_ms: Option<u64>,
    /// Packets that the gateway's control group sent before the bind; `None`: they could not be counted.
    pub(crate) packets_sent: Option<u64>,
    /// Memory of its control group, in bytes.
    pub(crate) memory_bytes: Option<u64>,
    /// The program, configuration and unit that it was of.
    #[serde(default)]
    pub(crate) read: Fingerprint,
    /// The last line of what the drill's command said.
    #[serde(default)]
    pub(crate) said: Option<String>,
}

/// How a drill ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrillResult {
    /// The local gateway was parked, and had sent nothing.
    Passed,
    /// It was parked, and had sent something before.
    Sent,
    /// It was parked, and what it had sent could not be counted.
    Uncounted,
    /// It could not be parked.
    Failed,
    /// Something that matters more came between.
    Interrupted,
}

impl DrillResult {
    /// What came of a drill.
    pub(crate) const fn of(end: DrillEnd, packets_sent: Option<u64>) -> Self {
        match (end, packets_sent) {
            (DrillEnd::Passed, Some(0)) => Self::Passed,
            (DrillEnd::Passed, Some(_)) => Self::Sent,
            (DrillEnd::Passed, None) => Self::Uncounted,
            (DrillEnd::Failed, _) => Self::Failed,
            (DrillEnd::Interrupted, _) => Self::Interrupted,
        }
    }
}

impl Named for DrillResult {
    const ALL: &'static [Self] = &[
        Self::Passed,
        Self::Sent,
        Self::Uncounted,
        Self::Failed,
        Self::Interrupted,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Sent => "sent",
            Self::Uncounted => "uncounted",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// When the next automatic drill is due, counted from now; `None`: there is none. `quiet` is how long nothing
/// but a primary that answers was seen.
pub(crate) fn due_in(
    every: Option<Duration>,
    last: Option<&Drill>,
    is_current: bool,
    quiet: Duration,
    now: Timestamp,
) -> Option<Duration> {
    let every = every?;
    let pause = match last {
        Some(last) if last.result == DrillResult::Passed && is_current => every,
        Some(last) if last.result == DrillResult::Passed => Duration::ZERO,
        Some(_) => AGAIN_AFTER.min(every),
        None => Duration::ZERO,
    };
    let since = last.map_or(SignedDuration::MAX, |last| now.duration_since(last.at));
    // A clock that was set back puts nothing off for longer than the pause.
    let since = Duration::try_from(since).unwrap_or_default();
    Some(
        pause
            .saturating_sub(since)
            .max(FIRST_AFTER.saturating_sub(quiet)),
    )
}

/// A drill of a gateway of a usual size.
#[cfg(test)]
pub(crate) fn sample(result: DrillResult) -> Drill {
    Drill {
        at: Timestamp::UNIX_EPOCH,
        result,
        took_ms: Some(9200),
        packets_sent: Some(0),
        memory_bytes: Some(612_000_000),
        read: Fingerprint::default(),
        said: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);
    const HOUR: Duration = Duration::from_secs(3600);

    fn drill(result: DrillResult, ago: Duration, now: Timestamp) -> Drill {
        Drill {
            at: now - SignedDuration::try_from(ago).unwrap(),
            result,
            took_ms: Some(9000),
            packets_sent: Some(0),
            memory_bytes: Some(600_000_000),
            read: Fingerprint::default(),
            said: None,
        }
    }

    #[test]
    fn the_first_drill_waits_until_the_primary_was_well_for_a_while() {
        let now = Timestamp::UNIX_EPOCH;
        let due = |quiet| due_in(Some(DAY), None, false, quiet, now);
        assert_eq!(due(Duration::ZERO), Some(FIRST_AFTER));
        assert_eq!(due(HOUR), Some(Duration::ZERO));
        assert_eq!(due_in(None, None, false, HOUR, now), None);
    }

    #[test]
    fn the_next_one_comes_after_a_day_or_soon_where_it_failed_or_something_changed() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let due = |result, is_current| {
            let last = drill(result, HOUR / 2, now);
            due_in(Some(DAY), Some(&last), is_current, DAY, now)
        };
        assert_eq!(due(DrillResult::Passed, true), Some(DAY - HOUR / 2));
        assert_eq!(due(DrillResult::Passed, false), Some(Duration::ZERO));
        assert_eq!(due(DrillResult::Failed, true), Some(HOUR / 2));
        assert_eq!(due(DrillResult::Interrupted, true), Some(HOUR / 2));
    }

    #[test]
    fn a_drill_passes_only_if_not_one_packet_was_sent() {
        let result = |sent| DrillResult::of(DrillEnd::Passed, sent);
        assert_eq!(result(Some(0)), DrillResult::Passed);
        assert_eq!(result(Some(1)), DrillResult::Sent);
        assert_eq!(result(None), DrillResult::Uncounted);
        assert_eq!(
            DrillResult::of(DrillEnd::Failed, Some(0)),
            DrillResult::Failed
        );
    }
}
