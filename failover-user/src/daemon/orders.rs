//! What an operator asks for: answered at once, and remembered where that must be.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::geteuid;
use tracing::{info, warn};

use super::{
    Daemon,
    memory::{Memory, Paused},
};
use crate::{
    clock,
    control::{Answer, Question, Request, VERSION},
    decide::{Event, Order, Pause},
    escape::Escaped,
};

/// Often enough not to be forgotten.
const REMIND: Duration = Duration::from_secs(3600);
/// A reason is a sentence.
const LONGEST_REASON: usize = 200;

impl Daemon {
    pub(super) fn answer(&mut self, question: Question) {
        let line = match &question.request {
            Request::Status => serde_json::to_string(&self.status()),
            request => serde_json::to_string(&self.ordered(request, question.asker)),
        };
        question.answer(line.unwrap_or_default());
    }

    fn ordered(&mut self, request: &Request, asker: u32) -> Answer {
        let result = self.follow(request, asker);
        self.watchers.news();
        let (refusal, note) = match result {
            Ok(note) => (None, note),
            Err(refusal) => (Some(refusal), None),
        };
        Answer {
            version: VERSION,
            refusal,
            note,
            state: self.decider.state().name().to_owned(),
        }
    }

    /// Carries an order out, or says why not. What comes back may need to be known all the same.
    fn follow(&mut self, request: &Request, asker: u32) -> Result<Option<String>, String> {
        let now = clock::now();
        let order = match request {
            Request::Status => return Ok(None),
            Request::Pause { seconds, .. } => Order::Pause {
                until: seconds.map(|seconds| now + Duration::from_secs(seconds)),
            },
            Request::Resume => Order::Resume,
            Request::Takeover { force } => Order::TakeOver { force: *force },
            Request::Release { hold_seconds } => Order::Release {
                hold: hold_seconds.map(|seconds| now + Duration::from_secs(seconds)),
            },
        };
        if !self.may_order(asker) {
            return Err(format!(
                "user {asker} may ask, but not order; that is for root and whom `operators` names"
            ));
        }
        if let Some(refusal) = self.decider.objection(now, order) {
            info!(?order, asker, %refusal, "an order isn't followed");
            return Err(refusal.to_string());
        }
        warn!(?order, asker, "an operator gives an order");
        let mut note = None;
        match request {
            Request::Pause { seconds, reason } => {
                let since = Timestamp::now();
                let span = seconds.and_then(|seconds| i64::try_from(seconds).ok());
                self.memory.pause = Some(Paused {
                    since,
                    until: span.and_then(|seconds| {
                        since.checked_add(SignedDuration::from_secs(seconds)).ok()
                    }),
                    reason: reason
                        .as_ref()
                        .map(|reason| reason.chars().take(LONGEST_REASON).collect()),
                });
                if !self.store_memory() {
                    note = Some(
                        "the state directory can't be written to, so a restart forgets the pause"
                            .to_owned(),
                    );
                }
                self.pause_told = None;
            }
            Request::Status
            | Request::Resume
            | Request::Takeover { .. }
            | Request::Release { .. } => {}
        }
        self.handle(Event::Operator(order));
        Ok(note)
    }

    /// Root, the daemon's own account, and who is named.
    fn may_order(&self, asker: u32) -> bool {
        asker == 0 || asker == geteuid().as_raw() || self.configuration.operators.contains(&asker)
    }

    // --- what is remembered ----------------------------------------------------------------------

    /// Tells the decider what is remembered.
    pub(super) fn recall(&mut self) {
        if self.memory.armed_for.as_deref() == Some(&*self.armed_for()) {
            self.handle(Event::Armed);
        }
        let left = match &self.memory.pause {
            None => return,
            Some(Paused { until: None, .. }) => None,
            // A clock that was set meanwhile makes the pause longer or shorter, and never endless.
            Some(Paused {
                until: Some(until), ..
            }) => Some(
                Duration::try_from(until.duration_since(Timestamp::now()))
                    .unwrap_or(Duration::ZERO),
            ),
        };
        let until = left.map(|left| clock::now() + left);
        self.handle(Event::Operator(Order::Pause { until }));
    }

    /// Keeps what must be remembered, once it is so.
    pub(super) fn remember(&mut self) {
        if self.memory.pause.is_some() && self.decider.pause().is_none() {
            info!("the pause is over");
            self.memory.pause = None;
            self.store_memory();
        }
        let armed_for = self.armed_for();
        let is_armed = self.configuration.decide.needs_arming && self.decider.is_armed();
        if is_armed && self.memory.armed_for.as_ref() != Some(&armed_for) {
            self.memory.armed_for = Some(armed_for);
            self.store_memory();
            info!(
                primary = %self.configuration.primary,
                "the primary was seen healthy; from now on it is taken over when it fails"
            );
        }
    }

    /// What was seen healthy: this primary, asked like this.
    fn armed_for(&self) -> String {
        let check = self.configuration.check.name();
        format!("{} {check}", self.configuration.primary)
    }

    fn store_memory(&self) -> bool {
        let stored = self.memory_file.store(&self.memory);
        if let Err(error) = &stored {
            warn!(
                %error, state_dir = %self.configuration.state_dir.display(),
                "what must be remembered can't be written; it is lost when this daemon ends"
            );
        }
        stored.is_ok()
    }

    /// A pause that nobody thinks of any more is as bad as no daemon.
    pub(super) fn remind_of_pause(&mut self) {
        let Some(Pause { until }) = self.decider.pause() else {
            return;
        };
        let now = clock::now();
        if self.pause_told.is_some_and(|told| now.since(told) < REMIND) {
            return;
        }
        self.pause_told = Some(now);
        warn!(
            until = until.map(|until| clock::wall(until).to_string()),
            reason = reason(&self.memory),
            "PAUSED: nothing is started or stopped until `failover resume`"
        );
    }
}

/// Why it is paused, made harmless.
fn reason(memory: &Memory) -> Option<String> {
    let reason = memory.pause.as_ref()?.reason.as_ref()?;
    Some(Escaped(reason).to_string())
}
