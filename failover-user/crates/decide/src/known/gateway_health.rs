//! Does the local gateway answer? A listener that no longer does gets strikes of its own.

use std::time::Duration;

use crate::{
    id::GatewayProbeId,
    input::outcome::Outcome,
    settings::Settings,
    time::{Time, earliest},
};

/// The checks of the local gateway, while it listens.
#[derive(Clone, Debug)]
pub(crate) struct Liveness {
    wanted: bool,
    needed: u32,
    interval: Duration,
    confirm_interval: Duration,
    last_id: u64,
    /// The check in flight, and whether its failure says nothing: whoever waits for it was away.
    in_flight: Option<(GatewayProbeId, bool)>,
    /// When the last check began, or the gateway began to listen; `None`: nobody listens.
    last: Option<Time>,
    strikes: u32,
    /// It has answered since it listens.
    answered: bool,
    /// When it was begun, and how long it may take from then to its first answer.
    began: Option<Time>,
    patience: Duration,
    /// That time is over.
    had_its_time: bool,
    /// The next check is due at once.
    hurried: bool,
}

impl Liveness {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            wanted: settings.watch_gateway,
            needed: settings.strikes.get(),
            interval: settings.interval,
            confirm_interval: settings.confirm_interval,
            last_id: 0,
            in_flight: None,
            last: None,
            strikes: 0,
            answered: false,
            began: None,
            patience: Duration::ZERO,
            had_its_time: false,
            hurried: false,
        }
    }

    /// Other numbers from now on; the strikes stay.
    pub(crate) fn reconfigure(&mut self, settings: &Settings, patience: Duration) {
        *self = Self {
            last_id: self.last_id,
            // Asked in another way or by another timeout, it may never be answered.
            in_flight: None,
            last: self.last,
            strikes: self.strikes,
            answered: self.answered,
            began: self.began,
            patience,
            had_its_time: self.had_its_time,
            ..Self::new(settings)
        };
    }

    /// The local gateway listens from now on. Its first check is due an interval later: it may still
    /// be getting ready. For its first answer it has all the time that a start has, from its beginning.
    pub(crate) fn begin(&mut self, now: Time, began: Time, patience: Duration) {
        self.end();
        self.last = Some(now);
        self.began = Some(began);
        self.patience = patience;
    }

    /// It was begun then, or before.
    pub(crate) fn began(&mut self, at: Time) {
        self.began = self.began.map(|began| began.min(at));
    }

    /// Something has happened that its answer may explain.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Nobody listens.
    pub(crate) fn end(&mut self) {
        self.hurried = false;
        self.in_flight = None;
        self.last = None;
        self.strikes = 0;
        self.answered = false;
        self.began = None;
        self.had_its_time = false;
    }

    /// Whoever drives this was away: what failed until now says nothing, and no deadline was fair.
    pub(crate) fn begin_anew(&mut self, now: Time) {
        self.forget();
        self.began = self.began.map(|_| now);
        self.had_its_time = false;
    }

    /// What failed until now says nothing.
    pub(crate) fn forget(&mut self) {
        self.strikes = 0;
        if let Some((_, distrusted)) = &mut self.in_flight {
            *distrusted = true;
        }
    }

    /// When something is due.
    pub(crate) fn next(&self) -> Option<Time> {
        let first_answer = (self.wanted && self.comes_up() && self.strikes >= self.needed)
            .then(|| self.began.map(|began| began + self.patience))
            .flatten();
        earliest(&[self.next_check(), first_answer])
    }

    /// When the next check is due.
    fn next_check(&self) -> Option<Time> {
        if !self.wanted || self.in_flight.is_some() {
            return None;
        }
        let pace = match self.strikes {
            _ if self.hurried => Duration::ZERO,
            0 => self.interval,
            _ => self.confirm_interval,
        };
        self.last.map(|last| last + pace)
    }

    /// The check to make now, if one is due.
    pub(crate) fn probe(&mut self, now: Time) -> Option<GatewayProbeId> {
        self.next_check().filter(|due| *due <= now)?;
        self.hurried = false;
        self.last_id += 1;
        let id = GatewayProbeId(self.last_id);
        self.in_flight = Some((id, false));
        self.last = Some(now);
        Some(id)
    }

    /// Was this asked, and has it answered?
    pub(crate) fn ended(&mut self, probe: GatewayProbeId, outcome: &Outcome) -> bool {
        let Some((_, distrusted)) = self.in_flight.take_if(|(id, _)| *id == probe) else {
            return false;
        };
        let answers = matches!(outcome, Outcome::Connected { .. });
        self.answered |= answers;
        match outcome {
            Outcome::Connected { .. } => self.strikes = 0,
            Outcome::Failed { .. } if !distrusted => self.strikes = self.strikes.saturating_add(1),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => {}
        }
        answers
    }

    /// Has it listened without a good answer for all the time that it had? Says so once.
    pub(crate) fn has_had_its_time(&mut self, now: Time) -> bool {
        let is_over = self.wanted
            && self.comes_up()
            && self.strikes >= self.needed
            && self.began.is_some_and(|began| now >= began + self.patience);
        self.had_its_time |= is_over;
        is_over
    }

    /// It listens, hasn't answered yet, and has time left for that.
    pub(crate) fn comes_up(&self) -> bool {
        self.began.is_some() && !self.answered && !self.had_its_time
    }

    /// Is this the check in flight, and is it fair?
    pub(crate) fn awaits(&self, probe: GatewayProbeId) -> bool {
        self.in_flight == Some((probe, false))
    }

    /// Checks in a row that failed.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Has it failed often enough to be believed dead?
    pub(crate) fn hangs(&self) -> bool {
        self.strikes >= self.needed && !self.comes_up()
    }
}
