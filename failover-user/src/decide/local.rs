//! Does the local gateway answer? A listener that no longer does gets strikes of its own.

use std::time::Duration;

use super::{GatewayProbeId, Outcome, Settings, Time};

/// The checks of the local gateway, while it listens.
#[derive(Clone, Debug)]
pub(super) struct LocalWatch {
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
    /// The next check is due at once.
    hurried: bool,
}

impl LocalWatch {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            wanted: settings.watch_gateway,
            needed: settings.strikes.get(),
            interval: settings.interval,
            confirm_interval: settings.confirm_interval,
            last_id: 0,
            in_flight: None,
            last: None,
            strikes: 0,
            hurried: false,
        }
    }

    /// Other numbers from now on; the strikes stay.
    pub(super) fn reconfigure(&mut self, settings: &Settings) {
        *self = Self {
            last_id: self.last_id,
            // Asked in another way or by another timeout, it may never be answered.
            in_flight: None,
            last: self.last,
            strikes: self.strikes,
            ..Self::new(settings)
        };
    }

    /// The local gateway listens from now on. Its first check is due an interval later: it may still
    /// be getting ready.
    pub(super) fn begin(&mut self, now: Time) {
        self.end();
        self.last = Some(now);
    }

    /// Something has happened that its answer may explain.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// Nobody listens.
    pub(super) fn end(&mut self) {
        self.hurried = false;
        self.in_flight = None;
        self.last = None;
        self.strikes = 0;
    }

    /// Whoever drives this was away: what failed until now says nothing.
    pub(super) fn begin_anew(&mut self) {
        self.strikes = 0;
        if let Some((_, distrusted)) = &mut self.in_flight {
            *distrusted = true;
        }
    }

    /// When the next check is due.
    pub(super) fn next(&self) -> Option<Time> {
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
    pub(super) fn probe(&mut self, now: Time) -> Option<GatewayProbeId> {
        self.next().filter(|due| *due <= now)?;
        self.hurried = false;
        self.last_id += 1;
        let id = GatewayProbeId(self.last_id);
        self.in_flight = Some((id, false));
        self.last = Some(now);
        Some(id)
    }

    pub(super) fn ended(&mut self, probe: GatewayProbeId, outcome: &Outcome) {
        let Some((_, distrusted)) = self.in_flight.take_if(|(id, _)| *id == probe) else {
            return;
        };
        match outcome {
            Outcome::Connected { .. } => self.strikes = 0,
            Outcome::Failed { .. } if !distrusted => self.strikes = self.strikes.saturating_add(1),
            Outcome::Failed { .. } | Outcome::Unknown { .. } => {}
        }
    }

    /// Is this the check in flight, and is it fair?
    pub(super) fn awaits(&self, probe: GatewayProbeId) -> bool {
        self.in_flight == Some((probe, false))
    }

    /// Checks in a row that failed.
    pub(super) fn strikes(&self) -> u32 {
        self.strikes
    }

    /// Has it failed often enough to be believed dead?
    pub(super) fn hangs(&self) -> bool {
        self.strikes >= self.needed
    }
}
