//! Is it me? Before a takeover the witnesses are asked whether PC-B itself still has a network.
//!
//! Strikes taken while nobody answered prove nothing: once the witnesses answer again, they start
//! anew.

use std::time::Duration;

use crate::{
    id::{RoundId, RouterId},
    settings::Settings,
    time::Time,
};

/// The daemon answers within the timeout; this is for the day when it doesn't.
const GRACE: Duration = Duration::from_secs(2);

/// What the witnesses said, and when they are asked again.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    quorum: u32,
    /// So many witnesses count; the others abstain.
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

/// Who is to be asked before a takeover.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Judges {
    /// So many have to answer. Where it is none nobody is asked, whatever [`crate::Action::AskWitnesses`]
    /// said.
    pub needed: u32,
    /// The default routers that may speak; empty where all that have answered before are gone, which is
    /// silence. `None`: the default router abstains.
    pub routers: Option<Vec<RouterId>>,
}

/// An answer, and when its question was asked.
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
    /// The network is back, or nobody can say: what was seen without it counts for nothing.
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

    /// An operator's order waits for the witnesses: the next round isn't put off.
    pub(crate) fn hurry(&mut self) {
        self.hurried = self.is_isolated();
    }

    /// Other numbers. A round in flight is asked anew, with its whole time.
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
            // It was one by the old quorum.
            verdict: verdict.filter(|_| settings.witness_quorum == self.quorum),
            ..Self::new(settings, counting)
        };
    }

    /// How many count.
    pub(crate) fn counting(&self) -> u32 {
        self.counting
    }

    /// How many have to answer: no more than there are that count.
    pub(crate) fn needed(&self) -> u32 {
        self.quorum.min(self.counting)
    }

    /// So many count from now on. Nobody was asked for as many before.
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

    /// Have enough witnesses answered lately, or need none?
    pub(crate) fn ruled_out(&self, now: Time) -> bool {
        self.needed() == 0
            || self.verdict.is_some_and(|verdict| {
                verdict.connected && now.since(verdict.asked) < self.interval
            })
    }

    /// Is there anybody whose answer is needed?
    pub(crate) fn has_judges(&self) -> bool {
        self.needed() > 0
    }

    /// When enough answered last, unless too few did since.
    pub(crate) fn connected_at(&self) -> Option<Time> {
        let connected = self.verdict.filter(|verdict| verdict.connected);
        connected.map(|verdict| verdict.answered)
    }

    /// Did enough answer when they were asked last, or need none?
    pub(crate) fn was_ruled_out(&self) -> bool {
        self.needed() == 0 || self.verdict.is_some_and(|verdict| verdict.connected)
    }

    /// Did too few witnesses answer when they were asked last?
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
