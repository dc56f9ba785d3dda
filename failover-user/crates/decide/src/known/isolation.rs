//! Is PC-B itself isolated? Before a takeover the witnesses are queried to find out.
//!
//! Strikes from a time without an answer prove nothing: once the witnesses answer again, counting
//! starts from zero.

use std::time::Duration;

use crate::{
    id::{RoundId, RouterId},
    settings::Settings,
    time::Time,
};

/// The daemon reports within the timeout; this margin is for the case that it doesn't.
const GRACE: Duration = Duration::from_secs(2);

/// The witnesses' last answers, and when they are queried next.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    quorum: u32,
    /// Number of witnesses that count; the others abstain.
    counting: u32,
    interval: Duration,
    patience: Duration,
    last_round: u64,
    /// The round in flight, and since when.
    asking: Option<(RoundId, Time)>,
    verdict: Option<Verdict>,
    /// An operator waits for the next round.
    hurried: bool,
}

/// The witnesses that must be queried before a takeover.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judges {
    /// How many have to answer. If it is 0, no witness is queried, even after
    /// [`crate::Action::AskWitnesses`].
    pub needed: u32,
    /// The default routers whose answer counts; empty if all that have answered before are gone, which
    /// counts as no answer. `None`: the default router abstains.
    pub routers: Option<Vec<RouterId>>,
}

/// The result of a round, and when the round began.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    asked: Time,
    answered: Time,
    connected: bool,
}

/// What an answer leads to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    /// Nothing new.
    Same,
    /// The network is back, or no witness counts any longer: what was seen while isolated is ignored.
    Reconnected,
}

impl Isolation {
    pub(crate) fn new(settings: &Settings, counting: u32) -> Self {
        Self {
            quorum: settings.witness_quorum,
            counting,
            interval: settings.interval,
            patience: settings.timeout.saturating_add(GRACE),
            last_round: 0,
            asking: None,
            verdict: None,
            hurried: false,
        }
    }

    /// An operator's order waits for the witnesses: the next round isn't delayed.
    pub(crate) fn hurry(&mut self) {
        self.hurried = self.is_isolated();
    }

    /// Applies new settings. The timeout of a round in flight starts again.
    pub(crate) fn reconfigure(&mut self, settings: &Settings, now: Time) {
        let Self {
            counting,
            last_round,
            asking,
            verdict,
            ..
        } = *self;
        *self = Self {
            last_round,
            asking: asking.map(|(round, _)| (round, now)),
            // A verdict holds only for the quorum that it was made by.
            verdict: verdict.filter(|_| settings.witness_quorum == self.quorum),
            ..Self::new(settings, counting)
        };
    }

    /// How many count.
    pub(crate) fn counting(&self) -> u32 {
        self.counting
    }

    /// How many have to answer: the quorum, capped at the number that counts.
    pub(crate) fn needed(&self) -> u32 {
        self.quorum.min(self.counting)
    }

    /// This number counts from now on. If that changes how many have to answer, the last verdict is void.
    pub(crate) fn count(&mut self, counting: u32) -> Turn {
        let before = self.needed();
        self.counting = counting;
        if self.needed() == before {
            return Turn::Same;
        }
        match self.verdict.take() {
            Some(Verdict {
                connected: false, ..
            }) => Turn::Reconnected,
            _ => Turn::Same,
        }
    }

    /// Is isolation ruled out: have enough witnesses answered lately, or is none needed?
    pub(crate) fn ruled_out(&self, now: Time) -> bool {
        self.needed() == 0
            || self.verdict.is_some_and(|verdict| {
                verdict.connected && now.since(verdict.asked) < self.interval
            })
    }

    /// Is any witness's answer needed?
    pub(crate) fn has_judges(&self) -> bool {
        self.needed() > 0
    }

    /// When enough answered last, unless too few did since.
    pub(crate) fn connected_at(&self) -> Option<Time> {
        let connected = self.verdict.filter(|verdict| verdict.connected);
        connected.map(|verdict| verdict.answered)
    }

    /// Did enough answer in the last round, or is none needed?
    pub(crate) fn was_ruled_out(&self) -> bool {
        self.needed() == 0 || self.verdict.is_some_and(|verdict| verdict.connected)
    }

    /// Did too few witnesses answer in the last round?
    pub(crate) fn is_isolated(&self) -> bool {
        self.verdict.is_some_and(|verdict| !verdict.connected)
    }

    /// Until when a takeover waits for the witnesses, unless they answer before: for the round in
    /// flight, or for the next one.
    pub(crate) fn waits_until(&self) -> Option<Time> {
        match (self.asking, self.verdict) {
            (Some((_, since)), _) => Some(since + self.patience),
            (None, Some(verdict)) if !verdict.connected && !self.hurried => {
                Some(verdict.asked + self.interval)
            }
            (None, _) => None,
        }
    }

    /// The same where something else than the witnesses is waited for: until their answer is too old.
    pub(crate) fn counts_until(&self) -> Option<Time> {
        match (self.asking, self.verdict) {
            (None, Some(verdict)) => Some(verdict.asked + self.interval),
            _ => self.waits_until(),
        }
    }

    /// The round to ask now, unless one is in flight or was answered lately.
    pub(crate) fn ask(&mut self, now: Time) -> Option<RoundId> {
        if self.waits_until().is_some_and(|until| now < until) {
            return None;
        }
        if let Some((_, asked)) = self.asking {
            // Nobody came back to say so: nobody answered.
            self.verdict = Some(Verdict {
                asked,
                answered: now,
                connected: false,
            });
        }
        self.hurried = false;
        self.last_round += 1;
        let round = RoundId(self.last_round);
        self.asking = Some((round, now));
        Some(round)
    }

    /// The witnesses' answer.
    pub(crate) fn answered(&mut self, round: RoundId, answered: u32, now: Time) -> Turn {
        let Some((_, asked)) = self.asking.take_if(|(asked, _)| *asked == round) else {
            return Turn::Same;
        };
        let connected = answered >= self.needed();
        let turn = if connected && self.is_isolated() {
            Turn::Reconnected
        } else {
            Turn::Same
        };
        self.verdict = Some(Verdict {
            asked,
            answered: now,
            connected,
        });
        turn
    }

    /// Nobody needs to know any longer.
    pub(crate) fn forget(&mut self) {
        self.asking = None;
        self.verdict = None;
        self.hurried = false;
    }
}
