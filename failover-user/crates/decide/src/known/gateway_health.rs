//! Does the local gateway answer? Its failed checks are counted as strikes of its own.

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
    /// The check in flight, and whether its failure is ignored because the daemon was suspended or stalled
    /// meanwhile.
    in_flight: Option<(GatewayProbeId, bool)>,
    /// When the last check or the listener began; `None`: nothing listens.
    last: Option<Time>,
    strikes: u32,
    /// It has answered since it began to listen.
    answered: bool,
    /// When it was started, and how long it may take from then to its first answer.
    began: Option<Time>,
    patience: Duration,
    /// This time has passed without an answer.
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

    /// Applies new settings; the strikes stay.
    pub(crate) fn reconfigure(&mut self, settings: &Settings, patience: Duration) {
        *self = Self {
            last_id: self.last_id,
            // It was made by the old check or timeout, and may never end.
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

    /// The local gateway has begun to listen. Its first check is due an interval later: it may still be
    /// initializing. For its first answer it has the whole start timeout, counted from the start.
    pub(crate) fn begin(&mut self, now: Time, began: Time, patience: Duration) {
        self.end();
        self.last = Some(now);
        self.began = Some(began);
        self.patience = patience;
    }

    /// It was started at this time, or earlier.
    pub(crate) fn began(&mut self, at: Time) {
        self.began = self.began.map(|began| began.min(at));
    }

    /// Something has happened that its answer may explain: the next check is due at once.
    pub(crate) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Nothing listens any longer.
    pub(crate) fn end(&mut self) {
        self.hurried = false;
        self.in_flight = None;
        self.last = None;
        self.strikes = 0;
        self.answered = false;
        self.began = None;
        self.had_its_time = false;
    }

    /// The daemon was suspended or stalled: earlier failures are ignored, and the time for the first answer
    /// starts again.
    pub(crate) fn note_absence(&mut self, now: Time) {
        self.forget();
        self.began = self.began.map(|_| now);
        self.had_its_time = false;
    }

    /// Ignores the failures until now.
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

    /// A check has ended. Was it the one in flight, and has the gateway answered?
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

    /// Has the time for its first answer passed without one? True once.
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

    /// Is this the check in flight, and does its failure count?
    pub(crate) fn awaits(&self, probe: GatewayProbeId) -> bool {
        self.in_flight == Some((probe, false))
    }

    /// Checks in a row that failed.
    pub(crate) fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Has it failed often enough to be treated as hung?
    pub(crate) fn hangs(&self) -> bool {
        self.strikes >= self.needed && !self.comes_up()
    }
}
