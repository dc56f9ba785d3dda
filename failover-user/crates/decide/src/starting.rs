//! How long a start is waited for. A slow one is no failure: what it began is killed only when nothing
//! of it is left, or its time is over.

use std::time::Duration;

use super::{Attempt, Begun, Command, Decider, Reason, Seen, Settings, Time};

/// Where what a start began can't be seen, or isn't there while its command is still at work, it is waited for
/// no longer than this. OpenClaw's command was seen to take 52 s before it failed.
const UNSEEN: Duration = Duration::from_secs(90);
/// Whoever looks what a start began has said so by then.
const LOOKED: Duration = Duration::from_secs(10);
/// After so many starts that had all their time, the next has no more than the last.
const MOST_DOUBLINGS: u32 = 2;

/// How long a start may take after so many that had all their time.
pub(super) fn limit(settings: &Settings, overdue: u32) -> Duration {
    settings
        .start_timeout
        .saturating_mul(1 << overdue.min(MOST_DOUBLINGS))
}

impl Attempt {
    pub(super) fn is_start(&self) -> bool {
        matches!(
            self,
            Self::Settling { .. }
                | Self::Running {
                    command: Command::Start,
                    ..
                }
        )
    }
}

impl Decider {
    /// Somebody looked what the start command began.
    pub(super) fn absorb_begun(&mut self, now: Time, begun: Begun) {
        if !self.awaits_start() {
            return;
        }
        self.begun = Some(begun);
        if let Attempt::Settling { gone, .. } = &mut self.attempt {
            *gone = match begun {
                Begun::Gone => gone.or(Some(now)),
                Begun::Alive | Begun::Unknown => None,
            };
        }
    }

    /// Ends the wait for a start whose command has ended, once there is nothing to wait for. Says why.
    pub(super) fn give_up_start(&mut self, now: Time) -> Option<Reason> {
        let Attempt::Settling { failed, .. } = self.attempt else {
            return None;
        };
        self.deadline().filter(|deadline| now >= *deadline)?;
        self.attempt = Attempt::Idle;
        self.stop_owed = true;
        match self.begun {
            // That pause is over already, see `settling_deadline`.
            Some(Begun::Gone) if !failed => self.starts.gave_up(now),
            _ => self.starts.failed(now),
        }
        if self.begun == Some(Begun::Alive) {
            self.overdue = self.overdue.saturating_add(1);
        }
        Some(match self.begun {
            Some(Begun::Gone) => Reason::Begun(Begun::Gone),
            Some(Begun::Alive | Begun::Unknown) | None => Reason::NeverListened,
        })
    }

    /// When a start whose command still runs has had its time. While that command runs something lives, so it
    /// has all of it, unless what it began is seen to be gone.
    pub(super) fn running_deadline(&self, since: Time, vanished: bool) -> Time {
        let limit = self.start_limit();
        match self.begun {
            // It listened before.
            Some(Begun::Gone) if vanished && self.gateway == Some(Seen::Absent) => since,
            Some(Begun::Gone) => since + limit.min(UNSEEN),
            Some(Begun::Alive | Begun::Unknown) | None => since + limit,
        }
    }

    /// When a start whose command has ended has had its time.
    pub(super) fn settling_deadline(
        &self,
        since: Time,
        ended: Time,
        failed: bool,
        gone: Option<Time>,
    ) -> Time {
        let limit = self.start_limit();
        let unseen = (since + limit.min(UNSEEN)).max(ended + LOOKED.min(limit));
        match self.begun {
            Some(Begun::Alive) if self.gateway != Some(Seen::Foreign) => since + limit,
            Some(Begun::Alive) => unseen.min(since + limit),
            // At once the first time. Later on, what can't be seen has ever more time to come up.
            Some(Begun::Gone) if !failed => gone.unwrap_or(ended) + self.starts.pause(),
            Some(Begun::Gone) => ended,
            Some(Begun::Unknown) if failed => ended,
            None if failed => ended + LOOKED.min(limit),
            Some(Begun::Unknown) | None => unseen,
        }
    }
}
