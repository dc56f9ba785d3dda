//! What the log says again, or when it has lasted for a while: that it is paused, and that two gateways serve.

use std::time::Duration;

use tracing::{info, warn};

use failover_decide::{Order, Pause, Time};
use failover_linux::{clock, escape::Escaped};

use crate::{
    observe::occurrence::{Context, Observer, Occurrence, OrderCourse},
    status::{problem, problem::DualActiveEnd},
    wording,
};

/// Often enough not to be forgotten.
const REMIND: Duration = Duration::from_secs(3600);

/// Reminds of a pause: one that nobody thinks of any more is as bad as no daemon.
#[derive(Debug, Default)]
pub(crate) struct PauseReminder {
    /// When people were last reminded.
    last: Option<Time>,
}

impl PauseReminder {
    fn is_due(&self, now: Time) -> bool {
        self.last.is_none_or(|last| now.since(last) >= REMIND)
    }

    fn turned(&mut self, context: &Context) {
        let Some(Pause { until }) = context.decider.pause() else {
            return;
        };
        if !self.is_due(context.now) {
            return;
        }
        self.last = Some(context.now);
        let pause = context.persisted.pause.as_ref();
        let reason = pause.and_then(|pause| pause.reason.as_ref());
        warn!(
            until = until.map(clock::rfc3339),
            reason = reason.map(|reason| Escaped(reason).to_string()),
            "PAUSED: nothing is started or stopped until `failover resume`"
        );
    }
}

impl Observer for PauseReminder {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        match occurrence {
            // Of another one at once.
            Occurrence::Order(Order::Pause { .. }, OrderCourse::Given { .. }) => self.last = None,
            Occurrence::Turned => self.turned(context),
            Occurrence::Daemon(_)
            | Occurrence::Seen(_)
            | Occurrence::Decided(_)
            | Occurrence::Command(..)
            | Occurrence::Sync(_)
            | Occurrence::Order(..) => {}
        }
    }
}

/// Logs once that two gateways serve, with what becomes of it.
#[derive(Debug, Default)]
pub(crate) struct DualActive {
    /// Since when, as it was logged.
    since: Option<Time>,
}

impl Observer for DualActive {
    fn observe(&mut self, occurrence: &Occurrence, context: &Context) {
        let Context {
            now,
            configuration,
            decider,
            port,
            ..
        } = context;
        match occurrence {
            Occurrence::Turned => {}
            Occurrence::Daemon(_)
            | Occurrence::Seen(_)
            | Occurrence::Decided(_)
            | Occurrence::Command(..)
            | Occurrence::Sync(_)
            | Occurrence::Order(..) => return,
        }
        match (
            self.since,
            problem::dual_active_since(configuration, decider, *now),
        ) {
            (None, Some(since)) => {
                self.since = Some(since);
                let ends = DualActiveEnd::of(configuration, decider);
                warn!(
                    since = clock::rfc3339(since),
                    primary = %configuration.primary,
                    local = port.listeners().held_by(),
                    ends = wording::problem::dual_active_end(ends),
                    "two gateways serve"
                );
            }
            (Some(since), None) if decider.two_serve().is_none() => {
                self.since = None;
                info!(
                    after = format_args!("{:.1?}", now.since(since)),
                    "at most one gateway serves again"
                );
            }
            (None, None) | (Some(_), Some(_) | None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_told_of_at_once_and_then_each_hour() {
        let begun = clock::now();
        let minutes = |minutes: u64| begun + Duration::from_secs(60 * minutes);
        let mut reminder = PauseReminder::default();
        let mut times = Vec::new();
        for minute in 0..=125 {
            if reminder.is_due(minutes(minute)) {
                reminder.last = Some(minutes(minute));
                times.push(minute);
            }
        }
        assert_eq!(times, [0, 60, 120]);
    }
}
