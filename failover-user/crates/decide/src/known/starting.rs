//! How long the decider waits for a start. A slow start isn't a failure: the wait ends early only when
//! nothing is left of what the command started.

use std::time::Duration;

use crate::{
    input::event::Begun,
    known::situation::{Attempt, PortState, Situation},
    output::change::Reason,
    step::Step,
    time::Time,
};

/// The longest wait if what the command started can't be observed, or isn't there although the command still
/// runs. OpenClaw's command was seen to take 52 s before it failed.
const UNSEEN: Duration = Duration::from_secs(90);
/// By then, what the command started has been observed.
const LOOKED: Duration = Duration::from_secs(10);

impl Situation {
    /// What the start command started was checked.
    pub(crate) fn apply_begun(&mut self, now: Time, begun: Begun) {
        if !self.awaits_start() {
            return;
        }
        self.begun = Some(begun);
        if let Attempt::Activating { gone, .. } = &mut self.attempt {
            *gone = match begun {
                Begun::Gone => gone.or(Some(now)),
                Begun::Alive | Begun::Unknown => None,
            };
        }
    }

    /// Ends the wait for a start, or for a gateway's first answer, at the timeout. Returns the reason for a
    /// change of state that follows.
    pub(crate) fn expire_start(&mut self, now: Time, reason: Reason) -> Reason {
        let never_answered = self.liveness.has_had_its_time(now);
        if never_answered {
            self.overdue = self.overdue.saturating_add(1);
        }
        match (reason, self.give_up_start(now)) {
            (Reason::Time, Some(gave_up)) => gave_up,
            (Reason::Time, None) if never_answered => Reason::NeverAnswered,
            (reason, _) => reason,
        }
    }

    /// Ends the wait for a start whose command has ended, once there is nothing to wait for. Returns why.
    fn give_up_start(&mut self, now: Time) -> Option<Reason> {
        let Attempt::Activating { failed, .. } = self.attempt else {
            return None;
        };
        self.deadline().filter(|deadline| now >= *deadline)?;
        self.attempt = Attempt::Idle;
        self.stop_owed = true;
        match self.begun {
            // That pause is over already, see `activating_deadline`.
            Some(Begun::Gone) if !failed => self.back_off(Step::START, |pause| pause.gave_up(now)),
            _ => self.back_off(Step::START, |pause| pause.failed(now)),
        }
        if self.begun == Some(Begun::Alive) {
            self.overdue = self.overdue.saturating_add(1);
        }
        Some(match self.begun {
            Some(Begun::Gone) => Reason::Begun(Begun::Gone),
            Some(Begun::Alive | Begun::Unknown) | None => Reason::NeverListened,
        })
    }

    /// The deadline of a start whose command still runs. A running command may still bring the gateway up, so
    /// it has the whole timeout, unless what it started is seen to be gone.
    pub(crate) fn running_deadline(&self, since: Time, vanished: bool) -> Time {
        let limit = self.start_limit();
        match self.begun {
            // It listened before.
            Some(Begun::Gone) if vanished && self.port == Some(PortState::Absent) => since,
            Some(Begun::Gone) => since + limit.min(UNSEEN),
            Some(Begun::Alive | Begun::Unknown) | None => since + limit,
        }
    }

    /// The deadline of a start whose command has ended.
    pub(crate) fn activating_deadline(
        &self,
        since: Time,
        ended: Time,
        failed: bool,
        gone: Option<Time>,
    ) -> Time {
        let limit = self.start_limit();
        let unseen = (since + limit.min(UNSEEN)).max(ended + LOOKED.min(limit));
        match self.begun {
            Some(Begun::Alive) if self.port != Some(PortState::Foreign) => since + limit,
            Some(Begun::Alive) => unseen.min(since + limit),
            // At once the first time. Later, a process that can't be seen has more and more time to come up.
            Some(Begun::Gone) if !failed => gone.unwrap_or(ended) + self.pause_of(Step::START),
            Some(Begun::Gone) => ended,
            Some(Begun::Unknown) if failed => ended,
            None if failed => ended + LOOKED.min(limit),
            Some(Begun::Unknown) | None => unseen,
        }
    }

    /// The deadline of the current attempt.
    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.attempt {
            // A start command that stays in the foreground is the gateway itself, and has no deadline.
            Attempt::Running {
                command: Step::START,
                ..
            } if self.listening() => None,
            Attempt::Running {
                command: Step::START,
                since,
                killed: false,
                vanished,
                ..
            } => Some(self.running_deadline(since, vanished)),
            Attempt::Activating {
                since,
                ended,
                failed,
                gone,
            } => Some(self.activating_deadline(since, ended, failed, gone)),
            Attempt::Running {
                command,
                since,
                killed: false,
                ..
            } => {
                let definition = self.steps.get(command)?;
                Some(since + (definition.limit)(&self.settings))
            }
            Attempt::Running { killed: true, .. } | Attempt::Idle => None,
        }
    }
}
