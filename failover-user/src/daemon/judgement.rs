//! Is it the primary, or is it me? What the daemon asks others, and when.

use std::time::Duration;

use tracing::{debug, info, warn};

use super::Daemon;
use crate::{
    clock,
    decide::{Event, Evidence, RoundId, State, Time},
    probe::{Answers, acknowledged},
};

/// In quiet times the witnesses are asked this often, so that one that never answers is noticed
/// before it is needed.
const CHECK: Duration = Duration::from_secs(3600);
/// The same while too few answer.
const CHECK_AGAIN: Duration = Duration::from_secs(60);

/// What the witnesses said last.
#[derive(Clone, Copy, Debug)]
pub(super) struct WitnessesWord {
    /// When.
    pub(super) at: Time,
    /// How many answered.
    pub(super) answered: u32,
}

/// Why the witnesses are asked: for a decision, or for none, to see whether they answer.
pub(super) type Round = Option<RoundId>;

impl Daemon {
    /// A probe that took so long has failed: did the primary answer anybody else meanwhile?
    pub(super) fn ask_others(&mut self, took: Duration) {
        let undecided = matches!(
            self.decider.state(),
            State::Standby | State::Suspect { .. } | State::Isolated
        );
        if !undecided {
            return;
        }
        match acknowledged(self.prober.addresses(), &self.prober.own_sockets()) {
            Ok(Some(age)) if age < took => {
                let evidence = Evidence::Acknowledged;
                info!(%evidence, ?age, "the primary answers others");
                self.note(&evidence.to_string());
                self.handle(Event::Evidence(evidence));
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "whether the primary answers others isn't known"),
        }
    }

    /// The primary answers, so nobody needs the witnesses now: do they answer at all?
    pub(super) fn check_witnesses(&mut self) {
        let (needed, now) = (self.configuration.decide.witness_quorum, clock::now());
        let enough = |word: WitnessesWord| word.answered >= needed;
        let pause = match self.past.witnesses.is_none_or(enough) {
            true => CHECK,
            false => CHECK_AGAIN,
        };
        let due = self
            .witnesses_checked
            .is_none_or(|checked| now.since(checked) >= pause);
        if needed > 0 && due {
            self.witnesses_checked = Some(now);
            self.witnesses.ask(None);
        }
    }

    pub(super) fn witnesses_asked(&mut self, answers: &Answers<Round>) {
        let (answered, needed) = (answers.answered(), self.configuration.decide.witness_quorum);
        let word = WitnessesWord {
            at: clock::now(),
            answered,
        };
        let before = self.past.witnesses.replace(word);
        let news = before.is_none_or(|before| before.answered != answered);
        match (answers.round, answered >= needed) {
            (Some(_), true) => info!(answered, needed, %answers, "the witnesses were asked"),
            (Some(_), false) => {
                warn!(answered, needed, %answers, "too few witnesses answer; is PC-B cut off?");
                // Once the primary answers again, they should.
                self.witnesses_checked = None;
            }
            (None, false) if news => warn!(
                answered, needed, %answers,
                "too few witnesses answer: PC-B would not take over; see --witnesses"
            ),
            (None, true) if news => info!(answered, needed, %answers, "the witnesses answer"),
            (None, _) => debug!(answered, needed, %answers, "the witnesses were checked"),
        }
        self.watchers.news();
        if let Some(round) = answers.round {
            let told = answers.to_string();
            self.recorder
                .witnesses(clock::now(), answered, needed, &told);
            self.handle(Event::Witnesses { round, answered });
        }
    }
}
