//! Is it the primary, or PC-B's own network? Asks the witnesses, and has the result of the vote. Who has a
//! vote before a takeover is decided elsewhere ([`Judges`]). It must not know what is decided by the result,
//! nor how it is shown.

use std::{net::SocketAddr, time::Duration};

use tracing::{debug, info, warn};

use failover_decide::{DefaultRouter, Judges, RoundId, RouterId, Time};
use failover_linux::clock;

use crate::{
    config::Witness,
    witness::{
        Answers, Witnesses,
        default_route::Routers,
        router::{Router, RouterStatus},
        vote::Vote,
    },
    wording,
};

/// In quiet times the witnesses are asked this often, so that one that never answers is noticed
/// before it is needed; with the default router among them as often as that is.
const CHECK: Duration = Duration::from_secs(3600);
/// The same while too few answer.
const CHECK_AGAIN: Duration = Duration::from_secs(60);

/// Why the witnesses are asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// For a decision.
    Decision(RoundId),
    /// For none: to see whether they answer.
    Check,
}

/// What a round of asking came to.
#[derive(Clone, Debug)]
pub(crate) struct QuorumResult {
    /// When.
    pub(crate) at: Time,
    /// How many answered.
    pub(crate) answered: u32,
    /// How many had to.
    pub(crate) needed: u32,
    /// What each said that was waited for.
    pub(crate) votes: Vec<Vote>,
    /// The default router was asked, and is silent.
    pub(crate) router_is_silent: bool,
}

impl QuorumResult {
    /// Did enough answer?
    pub(crate) const fn is_enough(&self) -> bool {
        self.answered >= self.needed
    }
}

/// The witnesses as they are now, for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct QuorumView {
    /// How many have to answer, of those that count; `None`: nobody has to.
    pub(crate) needed: Option<u32>,
    /// All of them, as they are configured.
    pub(crate) names: Vec<String>,
    /// What they said last.
    pub(crate) last: Option<QuorumResult>,
    /// The default router, where it is one of them.
    pub(crate) router: Option<RouterStatus>,
}

/// The witnesses, and what is known of them.
pub(crate) struct Quorum {
    witnesses: Witnesses<Purpose>,
    /// The one that is there by default.
    router: Router,
    /// The configured quorum.
    quorum: u32,
    /// A round that the former witnesses were asked, and these have to be.
    given_up: Option<Purpose>,
    /// When they were last asked to see whether they answer.
    checked: Option<Time>,
    last: Option<QuorumResult>,
}

impl Quorum {
    /// These witnesses, each with so long to answer.
    pub(crate) fn new(witnesses: Vec<Witness>, quorum: u32, timeout: Duration) -> Self {
        Self {
            witnesses: Witnesses::new(witnesses, timeout),
            router: Router::default(),
            quorum,
            given_up: None,
            checked: None,
            last: None,
        }
    }

    /// Replaces the witnesses. A round in flight is given up: see [`Self::ask_again`].
    pub(crate) fn replace(&mut self, witnesses: Vec<Witness>, quorum: u32, timeout: Duration) {
        if !witnesses.contains(&Witness::Router) {
            self.router = Router::default();
        }
        *self = Self {
            router: std::mem::take(&mut self.router),
            given_up: self.witnesses.round(),
            ..Self::new(witnesses, quorum, timeout)
        };
    }

    /// Asks the new witnesses what the former ones were asked, unless they are being asked already.
    pub(crate) fn ask_again(&mut self, judges: &Judges) {
        let given_up = self.given_up.take();
        match given_up.filter(|_| !self.is_asking()) {
            Some(Purpose::Decision(round)) => self.ask(round, judges),
            Some(Purpose::Check) => self.check(judges),
            None => {}
        }
    }

    // --- what happens ------------------------------------------------------------------------

    /// Looks up the default routers, for the decider; `None` where they are no witnesses.
    pub(crate) fn look(&mut self, primary: &[SocketAddr]) -> Option<Vec<DefaultRouter>> {
        self.witnesses.have_router().then(|| {
            self.router.look(primary);
            self.router.defaults()
        })
    }

    /// An earlier daemon had an answer of a default router, which counts: nobody can ping it in an outage.
    pub(crate) fn recall(&mut self, judges: &Judges) {
        self.router.log(judges);
    }

    /// The primary answers, so nobody needs the witnesses now: do they answer at all?
    pub(crate) fn primary_answers(&mut self, judges: &Judges) {
        self.router.log_change(judges);
        let now = clock::now();
        let pause = match self.last.as_ref().is_none_or(QuorumResult::is_enough) {
            true => CHECK,
            false => CHECK_AGAIN,
        };
        let due = self
            .checked
            .is_none_or(|checked| now.since(checked) >= pause);
        if due {
            self.check(judges);
        }
    }

    /// They were asked, and this is what they say.
    pub(crate) fn answered(
        &mut self,
        answers: &Answers<Purpose>,
        judges: &Judges,
    ) -> &QuorumResult {
        let of_router = answers.of_router();
        let needed = match answers.round {
            Purpose::Decision(_) => judges.needed,
            // A router that is silent in quiet times abstains, or will.
            Purpose::Check => {
                let router = of_router.is_some_and(|said| said.is_ok());
                self.quorum.min(self.witnesses.named() + u32::from(router))
            }
        };
        let result = QuorumResult {
            at: clock::now(),
            answered: answers.answered(),
            needed,
            votes: answers.votes().cloned().collect(),
            router_is_silent: of_router.is_some_and(|said| said.is_err()),
        };
        let before = self.last.as_ref().map(|before| before.answered);
        log(&result, answers.round, before);
        match answers.round {
            // Once the primary answers again, they should.
            Purpose::Decision(_) if !result.is_enough() => self.checked = None,
            Purpose::Decision(_) => {}
            Purpose::Check => {
                if let Some(said) = of_router {
                    self.router.said(said.map(|_| ()));
                }
            }
        }
        self.last.insert(result)
    }

    // --- asking ------------------------------------------------------------------------------

    /// For a decision.
    pub(crate) fn ask(&mut self, round: RoundId, judges: &Judges) {
        if judges.needed > 0 {
            let routers = self.router.judges(judges);
            self.witnesses
                .ask(Purpose::Decision(round), judges.needed, routers);
        }
    }

    /// All of them, as far as there is anybody, to see whether they answer.
    pub(crate) fn check(&mut self, judges: &Judges) {
        self.checked = Some(clock::now());
        if !self.witnesses.have_router() {
            if self.quorum > 0 {
                self.witnesses.ask(Purpose::Check, self.quorum, None);
            }
            return;
        }
        let router = self.router.candidates(judges);
        if router.is_some() || self.witnesses.named() > 0 {
            // The router's own answer is wanted, also where enough others answer.
            self.witnesses.ask(Purpose::Check, u32::MAX, router);
        }
    }

    /// Waits until enough have answered, or all have had their time. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Answers<Purpose> {
        self.witnesses.next().await
    }

    /// Are they being asked?
    pub(crate) fn is_asking(&self) -> bool {
        self.witnesses.round().is_some()
    }

    // --- what is known -----------------------------------------------------------------------

    /// The default routers, as they were looked up last.
    pub(crate) fn routers(&self) -> Vec<DefaultRouter> {
        self.router.defaults()
    }

    /// As they are now.
    pub(crate) fn view(&self, judges: &Judges) -> QuorumView {
        let is_witness = self.witnesses.have_router();
        let last = self.last.as_ref();
        let was_silent = last.is_some_and(|last| last.router_is_silent);
        QuorumView {
            needed: (self.quorum > 0).then_some(judges.needed),
            names: self.witnesses.names().collect(),
            last: last.cloned(),
            router: is_witness.then(|| self.router.status(judges, was_silent)),
        }
    }

    /// Logs what the decider has made of what the default router said, where that is news.
    pub(crate) fn log_router(&mut self, judges: &Judges) {
        self.router.log_change(judges);
    }
}

/// The default routers that have answered in quiet times, where they were pinged then.
pub(crate) fn pinged(answers: &Answers<Purpose>) -> Option<Vec<RouterId>> {
    let said = answers
        .of_router()
        .filter(|_| answers.round == Purpose::Check)?;
    let names = said.map_or_else(|_| Vec::new(), Routers::names);
    Some(names.into_iter().map(RouterId::new).collect())
}

fn log(result: &QuorumResult, purpose: Purpose, before: Option<u32>) {
    let QuorumResult {
        answered,
        needed,
        votes,
        ..
    } = result;
    let answers = wording::witness::votes(votes);
    let news = before != Some(*answered);
    match (purpose, result.is_enough()) {
        (Purpose::Decision(_), true) => {
            info!(answered, needed, answers, "the witnesses were asked");
        }
        (Purpose::Decision(_), false) => {
            warn!(
                answered,
                needed, answers, "too few witnesses answer; is PC-B cut off?"
            );
        }
        (Purpose::Check, false) if news => warn!(
            answered,
            needed, answers, "too few witnesses answer: PC-B would not take over; see --witnesses"
        ),
        (Purpose::Check, true) if news && *needed > 0 => {
            info!(answered, needed, answers, "the witnesses answer");
        }
        (Purpose::Check, _) => {
            debug!(answered, needed, answers, "the witnesses were checked");
        }
    }
}
