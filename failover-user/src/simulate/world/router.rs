//! The default router as a witness: another host that answers unless PC-B has no network, once it has
//! proved that it does.

use std::time::Duration;

use super::super::{Witnesses, environment::Environment};
use failover_decide::{Outcome, RouterWatch, Settings, Time};

/// There is one, and it stays.
const ROUTER: [(); 1] = [()];

#[derive(Default)]
pub(super) struct Router {
    watch: RouterWatch<()>,
    /// It is being asked in quiet times: until when, and does it answer?
    asked: Option<(Time, bool)>,
}

impl Router {
    /// PC-B booted: who has answered before is on its disk.
    pub(super) fn boot(&mut self) {
        *self = Self {
            watch: RouterWatch::after(self.watch.proven().to_vec()),
            asked: None,
        };
    }

    /// How many witnesses count now.
    pub(super) fn counting(&self, witnesses: Witnesses) -> u32 {
        let counts = witnesses.router && self.watch.counts();
        witnesses.others + u32::from(counts)
    }

    /// The primary was probed.
    pub(super) fn probe_ended(
        &mut self,
        outcome: &Outcome,
        environment: &mut Environment<'_>,
        settings: &Settings,
    ) {
        match outcome {
            Outcome::Connected { .. } => {
                if self.watch.primary_answers(environment.now, &ROUTER) {
                    let answer = environment.ask_witness(settings.timeout);
                    let takes = answer.unwrap_or(settings.timeout);
                    self.asked = Some((environment.now + takes, answer.is_some()));
                }
            }
            Outcome::Failed { .. } => self.watch.primary_fails(),
            Outcome::Unknown { .. } => {}
        }
    }

    /// When its answer comes, or is given up.
    pub(super) fn ends(&self) -> Option<Time> {
        self.asked.map(|(ends, _)| ends)
    }

    /// Was that until now?
    pub(super) fn has_ended(&mut self, now: Time) -> bool {
        let ended = self.asked.take_if(|(ends, _)| *ends <= now);
        match ended {
            Some((_, true)) => self.watch.answered(ROUTER.to_vec()),
            Some((_, false)) => self.watch.was_silent(),
            None => {}
        }
        ended.is_some()
    }

    /// All witnesses are asked for a decision: nobody waits for what it was asked before.
    pub(super) fn is_asked_by_others(&mut self) {
        self.asked = None;
    }

    /// Timers stood still.
    pub(super) fn slept(&mut self, slept: Duration) {
        if let Some((ends, _)) = &mut self.asked {
            *ends = *ends + slept;
        }
    }
}
