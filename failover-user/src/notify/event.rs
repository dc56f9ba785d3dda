//! What is worth waking somebody for: each event with its data, and the changes that make one. What it
//! says to people is `wording`'s; it must not know how anybody is notified.

use std::time::Duration;

use failover_decide::{Change, Inhibitor, State};

use crate::{
    standby::{drill::Drill, failing::FailedDrills},
    state_dir::persisted::Paused,
};

/// Something that people are notified of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    /// The local gateway serves, because it was started here.
    Takeover {
        /// By whose order, if by anybody's.
        by: Option<String>,
    },
    /// It served, and was stopped.
    Release {
        /// By whose order, if by anybody's.
        by: Option<String>,
    },
    /// It doesn't start.
    FailedStart,
    /// It doesn't stop.
    FailedStop,
    /// The primary can't be fenced.
    FailedFence,
    /// The local gateway doesn't answer, and is restarted.
    GatewayHung,
    /// No witness answers.
    Isolated,
    /// The primary was never healthy.
    Unarmed,
    /// Something that isn't the gateway has the port.
    Blocked,
    /// An operator ordered a pause.
    Paused(Option<Paused>),
    /// It is over.
    Resumed,
    /// A drill failed.
    DrillFailed(FailedDrills),
    /// A drill passed, after others had failed.
    DrillPassed {
        /// How many had.
        failures: u32,
    },
    /// The newest copy of the primary's state is old, and rounds fail.
    CopiesStale {
        /// How old; `None`: there is none.
        age: Option<Duration>,
        /// Why the last round failed.
        why: String,
    },
    /// Rounds go well again.
    CopiesFresh,
    /// Both sides have changes that the other lacks.
    BothChanged,
    /// The primary has begun to flap.
    Flapping {
        /// Number of successes in a row that a release needs from now on.
        release_needs: u32,
    },
}

impl Event {
    /// Its name, for tools.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Takeover { .. } => "takeover",
            Self::Release { .. } => "release",
            Self::FailedStart => "failed-start",
            Self::FailedStop => "failed-stop",
            Self::FailedFence => "failed-fence",
            Self::GatewayHung => "gateway-hung",
            Self::Isolated => "isolated",
            Self::Unarmed => "unarmed",
            Self::Blocked => "blocked",
            Self::Paused(_) => "paused",
            Self::Resumed => "resumed",
            Self::DrillFailed(_) => "drill-failed",
            Self::DrillPassed { .. } => "drill-passed",
            Self::CopiesStale { .. } => "copies-stale",
            Self::CopiesFresh => "copies-fresh",
            Self::BothChanged => "both-changed",
            Self::Flapping { .. } => "flapping",
        }
    }

    /// By whose order it happens, if by anybody's.
    pub(crate) fn by(&self) -> Option<&str> {
        match self {
            Self::Takeover { by } | Self::Release { by } => by.as_deref(),
            Self::FailedStart
            | Self::FailedStop
            | Self::FailedFence
            | Self::GatewayHung
            | Self::Isolated
            | Self::Unarmed
            | Self::Blocked
            | Self::Paused(_)
            | Self::Resumed
            | Self::DrillFailed(_)
            | Self::DrillPassed { .. }
            | Self::CopiesStale { .. }
            | Self::CopiesFresh
            | Self::BothChanged
            | Self::Flapping { .. } => None,
        }
    }

    /// The event for a drill that has ended, and those that failed before it. Repeated failures are an event as
    /// rarely as below.
    pub(crate) fn of_drill(before: Option<&FailedDrills>, drill: &Drill) -> Option<Self> {
        match (FailedDrills::after(before, drill), before) {
            (Some(failed), before) => {
                let is_new = before.is_none_or(|before| before.count < failed.count);
                let is_event = is_new && failed.count.is_power_of_two();
                is_event.then_some(Self::DrillFailed(failed))
            }
            (None, Some(before)) => Some(Self::DrillPassed {
                failures: before.count,
            }),
            (None, None) => None,
        }
    }

    /// The event for a change of state. Repeated failures are an event the first time, the second,
    /// the fourth, the eighth, ...
    pub(crate) fn of(change: &Change, served: bool, order: Option<&Ordered>) -> Option<Self> {
        let is_new = change.from.kind() != change.to.kind();
        match change.to {
            State::Active if matches!(change.from, State::Starting { .. }) => {
                Some(Self::Takeover {
                    by: order.and_then(Ordered::takeover).map(str::to_owned),
                })
            }
            State::Standby | State::Suspect { .. } | State::Inhibited(_)
                if matches!(change.from, State::Stopping { .. }) =>
            {
                served.then(|| Self::Release {
                    by: order.and_then(Ordered::release).map(str::to_owned),
                })
            }
            State::Starting { attempt } => is_worth_it(attempt).then_some(Self::FailedStart),
            // The attempt that it is entered with may be of an earlier stop, after a start that failed.
            State::Stopping { attempt } => {
                (!is_new && is_worth_it(attempt)).then_some(Self::FailedStop)
            }
            State::Restarting { attempt } => match is_new {
                true => Some(Self::GatewayHung),
                false => is_worth_it(attempt).then_some(Self::FailedStop),
            },
            State::Fencing { attempt } => is_worth_it(attempt).then_some(Self::FailedFence),
            State::Isolated => Some(Self::Isolated),
            State::Inhibited(Inhibitor::Unarmed) => Some(Self::Unarmed),
            State::Inhibited(Inhibitor::ForeignListener) => Some(Self::Blocked),
            State::Inhibited(Inhibitor::Paused | Inhibitor::Released)
            | State::Standby
            | State::Suspect { .. }
            | State::Active => None,
        }
    }
}

/// Is the failure before this attempt an event?
const fn is_worth_it(attempt: u32) -> bool {
    attempt > 1 && (attempt - 1).is_power_of_two()
}

/// The last ordered takeover or release, and its operator.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ordered {
    Takeover(String),
    Release(String),
}

impl Ordered {
    fn takeover(&self) -> Option<&str> {
        match self {
            Self::Takeover(by) => Some(by),
            Self::Release(_) => None,
        }
    }

    fn release(&self) -> Option<&str> {
        match self {
            Self::Release(by) => Some(by),
            Self::Takeover(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standby::drill::{self, DrillResult};
    use failover_decide::Reason;

    fn event(from: State, to: State, served: bool) -> Option<Event> {
        let change = Change {
            from,
            to,
            reason: Reason::Time,
            strikes: Vec::new(),
        };
        Event::of(&change, served, None)
    }

    #[test]
    fn what_wakes_somebody_is_an_event_and_nothing_else() {
        let suspect = State::Suspect { strikes: 1 };
        let starting = |attempt| State::Starting { attempt };
        let stopping = |attempt| State::Stopping { attempt };
        let restarting = |attempt| State::Restarting { attempt };
        let held = State::Inhibited;
        let active = State::Active;
        for (from, to, served, expected) in [
            (State::Standby, suspect, false, None),
            (suspect, starting(1), false, None),
            (
                starting(1),
                active,
                false,
                Some(Event::Takeover { by: None }),
            ),
            // It was found like this.
            (State::Standby, active, false, None),
            (active, stopping(1), true, None),
            (
                stopping(1),
                State::Standby,
                true,
                Some(Event::Release { by: None }),
            ),
            // An earlier stop, after a start that failed, counts as an attempt.
            (active, stopping(2), true, None),
            // Cut short before it served.
            (stopping(1), State::Standby, false, None),
            (suspect, State::Isolated, false, Some(Event::Isolated)),
            (
                suspect,
                held(Inhibitor::Unarmed),
                false,
                Some(Event::Unarmed),
            ),
            (
                suspect,
                held(Inhibitor::ForeignListener),
                false,
                Some(Event::Blocked),
            ),
            (suspect, held(Inhibitor::Paused), false, None),
            (active, restarting(1), true, Some(Event::GatewayHung)),
            (restarting(1), restarting(2), true, Some(Event::FailedStop)),
            (stopping(1), stopping(2), true, Some(Event::FailedStop)),
            (
                State::Fencing { attempt: 1 },
                State::Fencing { attempt: 2 },
                false,
                Some(Event::FailedFence),
            ),
        ] {
            assert_eq!(event(from, to, served), expected, "{from:?} -> {to:?}");
        }
    }

    #[test]
    fn what_fails_again_and_again_is_an_event_ever_less_often() {
        let events = (1..=100).filter(|attempt| {
            let to = State::Starting { attempt: *attempt };
            event(State::Starting { attempt: 1 }, to, false).is_some()
        });
        assert_eq!(events.collect::<Vec<u32>>(), [2, 3, 5, 9, 17, 33, 65]);
    }

    #[test]
    fn failed_drills_are_events_ever_less_often_and_the_one_that_passes_after_them() {
        use DrillResult::{Failed, Interrupted, Passed, Sent};
        let mut failed = None;
        let mut event = |result: DrillResult| {
            let drill = drill::sample(result);
            let event = Event::of_drill(failed.as_ref(), &drill);
            failed = FailedDrills::after(failed.as_ref(), &drill);
            event.map(|event| event.name())
        };
        assert_eq!(event(Passed), None);
        assert_eq!(event(Failed), Some("drill-failed"));
        assert_eq!(event(Interrupted), None);
        assert_eq!(event(Sent), Some("drill-failed"));
        assert_eq!(event(Failed), None);
        assert_eq!(event(Failed), Some("drill-failed"));
        assert_eq!(event(Passed), Some("drill-passed"));
        assert_eq!(event(Passed), None);
    }

    #[test]
    fn only_what_was_ordered_happens_by_order() {
        let change = Change {
            from: State::Stopping { attempt: 1 },
            to: State::Standby,
            reason: Reason::Time,
            strikes: Vec::new(),
        };
        let by = |ordered: Ordered| {
            let event = Event::of(&change, true, Some(&ordered)).unwrap();
            event.by().map(str::to_owned)
        };
        let root = || "root".to_owned();
        assert_eq!(by(Ordered::Release(root())), Some(root()));
        assert_eq!(by(Ordered::Takeover(root())), None);
    }
}
