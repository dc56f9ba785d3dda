//! What happened, for those who ask later: sees whatever goes into the decider and comes out of it, and
//! changes none of it.

use super::ledger::{Ledger, Totals};
use crate::decide::{Action, Decider, Event, Gateway, Outcome, Time};

pub(super) struct Recorder {
    ledger: Ledger,
}

impl Recorder {
    pub(super) fn new(now: Time) -> Self {
        Self {
            ledger: Ledger::new(now),
        }
    }

    /// What was counted since the daemon began.
    pub(super) fn totals(&self, now: Time) -> Totals {
        self.ledger.totals(now)
    }

    /// The decider is about to be told this.
    pub(super) fn sees(&mut self, now: Time, event: &Event) {
        match event {
            Event::Suspended => self.ledger.absent(now),
            Event::Evidence(evidence) if !evidence.is_good() => self.ledger.broke(now),
            Event::ProbeEnded {
                outcome: Outcome::Connected { .. },
                ..
            } => self.ledger.answered(now),
            Event::Gateway(gateway) => {
                self.ledger.listens(now, *gateway == Gateway::Listening);
            }
            Event::CommandEnded { command, result } => self.ledger.ended(*command, result),
            _ => {}
        }
    }

    /// The decider has decided this.
    pub(super) fn decided(&mut self, now: Time, decider: &Decider, actions: &[Action]) {
        match decider.primary_answers() {
            Some(true) => {}
            Some(false) => {
                let first = decider.strikes().first();
                self.ledger
                    .failed(now, first.map_or(now, |first| first.due));
            }
            None => self.ledger.unknown(now),
        }
        for action in actions {
            if let Action::Record(change) = action {
                self.ledger.changed(change);
            }
        }
    }
}
