//! Is it the primary, or is it me? What the daemon asks others, and when.

use std::time::Duration;

use tracing::{debug, info, warn};

use failover_decide::{Event, Evidence, RoundId, State, Time};
use failover_linux::{clock, sock_diag::acknowledged};

use crate::{
    daemon::Daemon,
    status,
    witness::{Answers, Witnesses, router::Router},
};

/// In quiet times the witnesses are asked this often, so that one that never answers is noticed
/// before it is needed; with the default router among them as often as that is.
const CHECK: Duration = Duration::from_secs(3600);
/// The same while too few answer.
const CHECK_AGAIN: Duration = Duration::from_secs(60);

/// What the witnesses said last.
#[derive(Clone, Debug)]
pub(crate) struct WitnessesWord {
    /// When.
    pub(crate) at: Time,
    /// How many answered.
    pub(crate) answered: u32,
    /// How many had to.
    pub(crate) needed: u32,
    /// What each said that was waited for.
    pub(crate) each: Vec<status::Testimony>,
    /// The default router was asked, and is silent.
    pub(crate) router_is_silent: bool,
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
        match acknowledged::acknowledged(self.prober.addresses(), &self.prober.own_sockets(), took)
        {
            Ok(Some(age)) if age < took => {
                let evidence = Evidence::Acknowledged;
                info!(%evidence, ?age, "the primary answers others");
                self.note(&evidence.to_string());
                let seen = Time::from_boot(clock::now().as_duration().saturating_sub(age));
                self.handle(Event::Evidence(evidence, seen));
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "whether the primary answers others isn't known"),
        }
    }

    /// Looks who it is, for until the primary answers nobody else does. Says whether one that answered an
    /// earlier daemon counts: nobody can ask it in an outage.
    pub(super) fn recall_router(&mut self) {
        if self.witnesses.have_router() {
            self.router.look(self.prober.addresses());
        }
        if !self.router.proven().is_empty() {
            self.router.tell();
        }
    }

    /// The primary answers, so nobody needs the witnesses now: do they answer at all?
    pub(super) fn check_witnesses(&mut self) {
        let now = clock::now();
        let router_due = self.witnesses.have_router()
            && self.router.primary_answers(now, self.prober.addresses());
        self.count_witnesses();
        let enough = |word: &WitnessesWord| word.answered >= word.needed;
        let pause = match self.past.witnesses.as_ref().is_none_or(enough) {
            true => CHECK,
            false => CHECK_AGAIN,
        };
        let due = self
            .witnesses_checked
            .is_none_or(|checked| now.since(checked) >= pause);
        if due || router_due {
            self.witnesses_checked = Some(now);
            self.ask_in_quiet_times();
        }
    }

    /// All of them, as far as there is anybody.
    fn ask_in_quiet_times(&mut self) {
        let quorum = self.configuration.decide.witness_quorum;
        if !self.witnesses.have_router() {
            if quorum > 0 {
                self.witnesses.ask(None, quorum, None);
            }
            return;
        }
        let router = self.router.candidates();
        if router.is_some() || self.witnesses.named() > 0 {
            // The router's own answer is what is wanted, whoever else answers.
            self.witnesses.ask(None, u32::MAX, router);
        }
    }

    /// For a decision. What the decider has to know first, if something.
    pub(super) fn ask_witnesses(&mut self, round: RoundId) -> Option<Event> {
        if self.witnesses.have_router() {
            self.router.look(self.prober.addresses());
        }
        let counting = self.witnesses_that_count();
        if counting > 0 {
            let enough = self.configuration.decide.witness_quorum.min(counting);
            self.witnesses
                .ask(Some(round), enough, self.router.judges());
        }
        self.changed_count()
    }

    /// Others are asked from now on. Whoever waits for the old ones' word gets the new ones'.
    pub(super) fn ask_other_witnesses(&mut self, witnesses: Witnesses<Round>) {
        let asked = self.witnesses.round();
        if !witnesses.have_router() {
            self.router = Router::default();
        }
        self.witnesses = witnesses;
        self.witnesses_checked = None;
        self.past.witnesses = None;
        match asked {
            Some(Some(round)) => {
                let event = self.ask_witnesses(round);
                event.into_iter().for_each(|event| self.handle(event));
            }
            Some(None) => self.ask_in_quiet_times(),
            None => {}
        }
        self.count_witnesses();
    }

    /// The decider knows how many count.
    pub(super) fn count_witnesses(&mut self) {
        if let Some(event) = self.changed_count() {
            self.handle(event);
        }
    }

    fn changed_count(&mut self) -> Option<Event> {
        let counting = self.witnesses_that_count();
        let before = self.counting.replace(counting);
        (before != Some(counting)).then_some(Event::Counting(counting))
    }

    fn witnesses_that_count(&self) -> u32 {
        let router = self.witnesses.have_router() && self.router.counts();
        self.witnesses.named().saturating_add(u32::from(router))
    }

    pub(super) fn witnesses_asked(&mut self, answers: &Answers<Round>) {
        let of_router = answers.of_router();
        let counting = match answers.round {
            Some(_) => self.witnesses_that_count(),
            // A router that is silent in quiet times abstains, or will.
            None => self.witnesses.named() + u32::from(of_router.is_some_and(|said| said.is_ok())),
        };
        let answered = answers.answered();
        let needed = self.configuration.decide.witness_quorum.min(counting);
        let word = WitnessesWord {
            at: clock::now(),
            answered,
            needed,
            each: answers
                .each()
                .map(|(witness, answered, said)| status::Testimony {
                    witness: witness.to_owned(),
                    answered,
                    said,
                })
                .collect(),
            router_is_silent: of_router.is_some_and(|said| said.is_err()),
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
            (None, true) if news && needed > 0 => {
                info!(answered, needed, %answers, "the witnesses answer");
            }
            (None, _) => debug!(answered, needed, %answers, "the witnesses were checked"),
        }
        if answers.round.is_none()
            && let Some(said) = of_router
        {
            self.router.said(said);
            self.count_witnesses();
        }
        self.watchers.news();
        if let Some(round) = answers.round {
            let told = answers.to_string();
            self.recorder
                .witnesses(clock::now(), answered, needed, &told);
            self.handle(Event::Witnesses { round, answered });
        }
    }

    /// What is known of them, for people; `None` where there are none.
    pub(super) fn witnesses_word(&self) -> Option<status::Witnesses> {
        let quorum = self.configuration.decide.witness_quorum;
        let word = self.past.witnesses.as_ref();
        let router = || {
            let mut router = self.router.told();
            if router.counts && word.is_some_and(|word| word.router_is_silent) {
                router
                    .why
                    .push_str("; it was silent when it was asked last");
            }
            router
        };
        (quorum > 0).then(|| status::Witnesses {
            quorum: quorum.min(self.witnesses_that_count()),
            answered: word.map(|word| word.answered),
            at: word.map(|word| clock::told(word.at)),
            names: self.witnesses.names().collect(),
            answers: word.map(|word| word.each.clone()).unwrap_or_default(),
            router: self.witnesses.have_router().then(router),
        })
    }
}
