//! What happened in a run, over time: the outage that is worth drawing.

use std::time::Duration;

use failover_decide::Time;

use crate::simulate::statistics::{NEEDED_AFTER, View};

/// What a timeline shows before and after its outage.
pub(super) const BEFORE: Duration = Duration::from_secs(30);
const AFTER: Duration = Duration::from_secs(90);
/// A longer outage would be mostly one colour.
const LONGEST_SHOWN: Duration = Duration::from_secs(900);

/// The first outage that needs a takeover and isn't too long to be drawn, with its surroundings.
pub(super) fn outage(story: &[(Time, View)]) -> Option<(Time, Time)> {
    spans(story, |view| !view.primary && view.connected)
        .find(|(from, until)| {
            let lasts = until.since(*from);
            lasts >= NEEDED_AFTER && lasts <= LONGEST_SHOWN && from.as_duration() > BEFORE
        })
        .map(|(from, until)| {
            let begin = Time::from_boot(from.as_duration().saturating_sub(BEFORE));
            (begin, until + AFTER)
        })
}

/// From when to when something held. What holds at the end is left out.
pub(super) fn spans(
    story: &[(Time, View)],
    holds: impl Fn(&View) -> bool,
) -> impl Iterator<Item = (Time, Time)> {
    let mut since = None;
    story
        .iter()
        .filter_map(move |(at, view)| match (since, holds(view)) {
            (None, true) => {
                since = Some(*at);
                None
            }
            (Some(from), false) => {
                since = None;
                Some((from, *at))
            }
            _ => None,
        })
}
