//! Drills that fail, until one passes: what has to be kept beside the last drill, which may have been interrupted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::standby::drill::{Drill, DrillResult};

/// Failed drills since the last one that passed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct FailedDrills {
    /// How many; at least 1.
    pub(crate) count: u32,
    /// When the first one ended.
    pub(crate) since: Timestamp,
    /// How the last one failed.
    pub(crate) result: DrillResult,
    /// The last line of its output, if the gateway did not get to its bind.
    #[serde(default)]
    pub(crate) said: Option<String>,
}

impl FailedDrills {
    /// What stands after this drill. An interrupted one shows nothing, and one without a count of packets shows only
    /// that the gateway gets to its bind.
    pub(crate) fn after(before: Option<&Self>, drill: &Drill) -> Option<Self> {
        match drill.result {
            DrillResult::Passed => None,
            DrillResult::Interrupted => before.cloned(),
            DrillResult::Uncounted => before
                .filter(|before| before.result == DrillResult::Sent)
                .cloned(),
            DrillResult::Sent | DrillResult::Failed => Some(Self {
                count: before.map_or(0, |before| before.count).saturating_add(1),
                since: before.map_or(drill.at, |before| before.since),
                result: drill.result,
                said: drill
                    .said
                    .clone()
                    .filter(|_| drill.result == DrillResult::Failed),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standby::drill;

    fn after(results: &[DrillResult]) -> Option<(u32, DrillResult)> {
        let mut failed = None;
        for result in results {
            let drill = drill::sample(*result);
            failed = FailedDrills::after(failed.as_ref(), &drill);
        }
        failed.map(|failed| (failed.count, failed.result))
    }

    #[test]
    fn failures_count_until_a_drill_passes_and_an_interrupted_one_changes_nothing() {
        use DrillResult::{Failed, Interrupted, Passed, Sent, Uncounted};
        assert_eq!(after(&[Passed, Interrupted]), None);
        assert_eq!(after(&[Failed]), Some((1, Failed)));
        assert_eq!(after(&[Failed, Interrupted, Sent]), Some((2, Sent)));
        assert_eq!(after(&[Failed, Sent, Interrupted, Passed]), None);
        assert_eq!(after(&[Failed, Uncounted]), None);
        assert_eq!(after(&[Sent, Uncounted]), Some((1, Sent)));
    }
}
