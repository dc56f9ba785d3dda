//! Is it the primary, or PC-B's own network? Which witnesses to ask, when, and the result of the vote. It must
//! not know what is decided by that, nor how it is shown.

use std::{net::SocketAddr, time::Duration};

use tracing::{debug, info, warn};

use failover_decide::{RoundId, Time};
use failover_linux::clock;

use crate::{
    config::Witness,
    witness::{
        Answers, Witnesses,
        router::{Router, RouterStanding},
    },
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
    /// All of that in a line.
    pub(crate) summary: String,
    /// The default router was asked, and is silent.
    pub(crate) router_is_silent: bool,
}

impl QuorumResult {
    /// Did enough answer?
    pub(crate) const fn is_enough(&self) -> bool {
        self.answered >= self.needed
    }
}

/// What one witness said.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) witness: String,
    pub(crate) answered: bool,
    /// All of it in a line.
    pub(crate) said: String,
}

/// How many witnesses count, where another number counted before.
pub(crate) type ExpectedVotes = Option<u32>;

/// The witnesses, and what is known of them.
pub(crate) struct Quorum {
    witnesses: Witnesses<Purpose>,
    /// The one that is there by default.
    router: Router,
    /// The configured quorum.
    quorum: u32,
    /// Number of witnesses that count, as last reported.
    expected: ExpectedVotes,
    /// When they were last asked to see whether they answer.
    checked: Option<Time>,
    last: Option<QuorumResult>,
}

impl Quorum {
    /// These witnesses, each with so long to answer; the default router, if it is one of them, after those that
    /// answered an earlier daemon.
    pub(crate) fn new(
        witnesses: Vec<Witness>,
        quorum: u32,
        timeout: Duration,
        proven: &[String],
    ) -> Self {
        let router = match witnesses.contains(&Witness::Router) {
            true => Router::after(proven.to_vec()),
            false => Router::default(),
        };
        Self {
            witnesses: Witnesses::new(witnesses, timeout),
            router,
            quorum,
            expected: None,
            checked: None,
            last: None,
        }
    }

    /// Replaces the witnesses. Those who wait for the old ones get the result of the new ones.
    pub(crate) fn replace(
        &mut self,
        witnesses: Vec<Witness>,
        quorum: u32,
        timeout: Duration,
        primary: &[SocketAddr],
    ) {
        let asked = self.witnesses.round();
        if !witnesses.contains(&Witness::Router) {
            self.router = Router::default();
        }
        self.witnesses = Witnesses::new(witnesses, timeout);
        self.quorum = quorum;
        self.checked = None;
        self.last = None;
        match asked {
            Some(Purpose::Decision(round)) => self.ask(round, primary),
            Some(Purpose::Check) => self.check(),
            None => {}
        }
    }

    // --- what happens ------------------------------------------------------------------------

    /// Looks who the default router is, for until the primary answers nobody else does. Says whether one that
    /// answered an earlier daemon counts: nobody can ask it in an outage.
    pub(crate) fn recall(&mut self, primary: &[SocketAddr]) {
        if self.witnesses.have_router() {
            self.router.look(primary);
        }
        if !self.router.proven().is_empty() {
            self.router.log();
        }
    }

    /// The primary answers, so nobody needs the witnesses now: do they answer at all?
    pub(crate) fn primary_answers(&mut self, primary: &[SocketAddr]) {
        let now = clock::now();
        let router_due = self.witnesses.have_router() && self.router.primary_answers(now, primary);
        let pause = match self.last.as_ref().is_none_or(QuorumResult::is_enough) {
            true => CHECK,
            false => CHECK_AGAIN,
        };
        let due = self
            .checked
            .is_none_or(|checked| now.since(checked) >= pause);
        if due || router_due {
            self.checked = Some(now);
            self.check();
        }
    }

    /// The primary doesn't.
    pub(crate) fn primary_fails(&mut self) {
        self.router.primary_fails();
    }

    /// They were asked, and this is what they say.
    pub(crate) fn answered(&mut self, answers: &Answers<Purpose>) -> &QuorumResult {
        let of_router = answers.of_router();
        let counting = match answers.round {
            Purpose::Decision(_) => self.counting(),
            // A router that is silent in quiet times abstains, or will.
            Purpose::Check => {
                self.witnesses.named() + u32::from(of_router.is_some_and(|said| said.is_ok()))
            }
        };
        let result = QuorumResult {
            at: clock::now(),
            answered: answers.answered(),
            needed: self.quorum.min(counting),
            votes: answers
                .each()
                .map(|(witness, answered, said)| Vote {
                    witness: witness.to_owned(),
                    answered,
                    said,
                })
                .collect(),
            summary: answers.to_string(),
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
                    self.router.said(said);
                }
            }
        }
        self.last.insert(result)
    }

    // --- asking ------------------------------------------------------------------------------

    /// For a decision.
    pub(crate) fn ask(&mut self, round: RoundId, primary: &[SocketAddr]) {
        if self.witnesses.have_router() {
            self.router.look(primary);
        }
        let counting = self.counting();
        if counting > 0 {
            let enough = self.quorum.min(counting);
            self.witnesses
                .ask(Purpose::Decision(round), enough, self.router.judges());
        }
    }

    /// All of them, as far as there is anybody, to see whether they answer.
    pub(crate) fn check(&mut self) {
        if !self.witnesses.have_router() {
            if self.quorum > 0 {
                self.witnesses.ask(Purpose::Check, self.quorum, None);
            }
            return;
        }
        let router = self.router.candidates();
        if router.is_some() || self.witnesses.named() > 0 {
            // The router's own answer is what is wanted, whoever else answers.
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

    /// How many count, if that is another number than was said last.
    pub(crate) fn expected_votes(&mut self) -> ExpectedVotes {
        let counting = self.counting();
        let before = self.expected.replace(counting);
        (before != Some(counting)).then_some(counting)
    }

    fn counting(&self) -> u32 {
        let router = self.witnesses.have_router() && self.router.counts();
        self.witnesses.named().saturating_add(u32::from(router))
    }

    /// The default routers whose word counts, by name, for the next daemon.
    pub(crate) fn proven_routers(&self) -> &[String] {
        self.router.proven()
    }

    /// The number of answers needed, of those that count; `None`: no answer is needed.
    pub(crate) fn needed(&self) -> Option<u32> {
        (self.quorum > 0).then(|| self.quorum.min(self.counting()))
    }

    /// All of them, as people know them.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.witnesses.names()
    }

    /// What they said last.
    pub(crate) const fn last(&self) -> Option<&QuorumResult> {
        self.last.as_ref()
    }

    /// How the default router stands, if it is one of them.
    pub(crate) fn router(&self) -> Option<RouterStanding> {
        self.witnesses.have_router().then(|| self.router.standing())
    }
}

fn log(result: &QuorumResult, purpose: Purpose, before: Option<u32>) {
    let QuorumResult {
        answered,
        needed,
        summary,
        ..
    } = result;
    let answers = tracing::field::display(summary);
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
