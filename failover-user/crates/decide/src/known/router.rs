//! Does the default router's answer count? Many routers answer no pings, so it abstains until it has
//! answered one.
//!
//! It is pinged while the primary answers, when its silence can't mean that PC-B has lost its network.
//! Once it has answered, its silence before a takeover means that PC-B is isolated. So does its absence:
//! with another default router, or none, PC-B may be in another network, and the answer of a router
//! that was never seen to answer proves nothing. That changes when the primary answers through it.
//!
//! During an outage this can't be found out, so it is part of the persistent state. A proof doesn't
//! expire; one that no longer holds is noticed once the primary answers.

use std::time::Duration;

use crate::{id::RouterId, time::Time};

/// While the primary is healthy it is pinged this often at most, so PC-B may rely for this time on a router
/// that has stopped answering pings. A router that fails often stops answering a while before it stops
/// forwarding: pinged more often, it would more often abstain just when its silence means something.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// A default router, as it was looked up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DefaultRouter {
    /// Which.
    pub id: RouterId,
    /// It has the primary's address: its answer says nothing about PC-B's network, and where another router
    /// had answered, this one doesn't take its place.
    pub is_primary: bool,
}

/// The default router as a witness. There may be several: one per address family.
#[derive(Clone, Debug, Default)]
pub(crate) struct RouterWitness {
    /// As they were looked up last.
    found: Vec<DefaultRouter>,
    /// When they were pinged last, and who they were.
    pinged: Option<(Time, Vec<RouterId>)>,
    standing: Standing,
    /// A ping is due.
    is_due: bool,
}

/// What is known about the router's answers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
enum Standing {
    /// It hasn't answered yet, or no longer answers.
    #[default]
    Unproven,
    /// These have answered.
    Proven(Vec<RouterId>),
    /// These answered before, but not the last ping. That may be the beginning of an outage of PC-B's own
    /// network: the primary's next answer decides.
    Doubted(Vec<RouterId>),
}

impl RouterWitness {
    /// Restores the routers that have answered, from the persistent state. They are pinged once the primary
    /// answers.
    pub(crate) fn after(proven: Vec<RouterId>) -> Self {
        let standing = if proven.is_empty() {
            Standing::Unproven
        } else {
            Standing::Proven(proven)
        };
        Self {
            standing,
            ..Self::default()
        }
    }

    /// The routers that have answered, for the persistent state. It includes those in doubt: the next
    /// decider pings them again.
    pub(crate) fn proven(&self) -> &[RouterId] {
        match &self.standing {
            Standing::Unproven => &[],
            Standing::Proven(proven) | Standing::Doubted(proven) => proven,
        }
    }

    /// These are the default routers now.
    pub(crate) fn found(&mut self, routers: Vec<DefaultRouter>) {
        self.found = routers;
    }

    /// The primary has answered: a router that was silent before doesn't answer pings, and routers that have
    /// replaced the proven ones are in PC-B's own network.
    pub(crate) fn primary_answers(&mut self, now: Time) {
        let proven = self.proven();
        let is_proven = |router: &DefaultRouter| proven.contains(&router.id);
        let replaced = !self.found.is_empty() && !self.found.iter().any(is_proven);
        if replaced || matches!(self.standing, Standing::Doubted(_)) {
            self.standing = Standing::Unproven;
        }
        let routers = || self.found.iter().map(|router| &router.id);
        let due = self.pinged.as_ref().is_none_or(|(pinged, who)| {
            let others = !self.found.is_empty() && !who.iter().eq(routers());
            others || now.since(*pinged) >= PAUSE
        });
        if due {
            self.pinged = Some((now, routers().cloned().collect()));
            self.is_due = true;
        }
    }

    /// The primary hasn't answered: a router that is silent now may be so for the same reason. It is pinged
    /// again once the primary answers.
    pub(crate) fn primary_fails(&mut self) {
        self.pinged = None;
        if let Standing::Doubted(routers) = &mut self.standing {
            self.standing = Standing::Proven(std::mem::take(routers));
        }
    }

    /// Must it be pinged now? True once.
    pub(crate) fn is_due(&mut self) -> bool {
        std::mem::take(&mut self.is_due)
    }

    /// These have answered a ping while the primary was healthy; none: the router is silent.
    pub(crate) fn answered(&mut self, routers: Vec<RouterId>) {
        if !routers.is_empty() {
            self.standing = Standing::Proven(routers);
        } else if let Standing::Proven(routers) = &mut self.standing {
            self.standing = Standing::Doubted(std::mem::take(routers));
        }
    }

    /// Does its answer, or its silence, count before a takeover?
    pub(crate) fn counts(&self) -> bool {
        self.counts_among(&self.found)
    }

    /// The same, where these are the default routers.
    pub(crate) fn counts_among(&self, routers: &[DefaultRouter]) -> bool {
        let is_primary = |id: &RouterId| {
            let mut same = routers.iter().filter(|router| router.id == *id);
            same.any(|router| router.is_primary)
        };
        !self.proven().iter().all(is_primary)
    }

    /// Those of these default routers whose answer counts. If the router counts and the list is empty, that
    /// is no answer.
    pub(crate) fn believed(&self, routers: &[DefaultRouter]) -> Vec<RouterId> {
        let proven = self.proven();
        let believed = routers
            .iter()
            .filter(|router| !router.is_primary && proven.contains(&router.id));
        believed.map(|router| router.id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    fn ids(routers: &[u32]) -> Vec<RouterId> {
        let id = |router: &u32| RouterId::new(router.to_string());
        routers.iter().map(id).collect()
    }

    fn defaults(routers: &[u32]) -> Vec<DefaultRouter> {
        let is_primary = false;
        let one = |id| DefaultRouter { id, is_primary };
        ids(routers).into_iter().map(one).collect()
    }

    /// Is it pinged when the primary answers, and these are the default routers?
    fn primary_answers(router: &mut RouterWitness, second: u64, routers: &[u32]) -> bool {
        router.found(defaults(routers));
        router.primary_answers(at(second));
        router.is_due()
    }

    /// One that has answered at second 0.
    fn proven() -> RouterWitness {
        let mut router = RouterWitness::default();
        assert!(primary_answers(&mut router, 0, &[1, 2]));
        router.answered(ids(&[1, 2]));
        router
    }

    /// Which of these may speak for a decision; `None` where no router's answer counts.
    fn judges(router: &RouterWitness, routers: &[DefaultRouter]) -> Option<Vec<RouterId>> {
        router
            .counts_among(routers)
            .then(|| router.believed(routers))
    }

    #[test]
    fn a_router_abstains_until_it_has_answered() {
        let mut router = RouterWitness::default();
        let one = defaults(&[1]);
        assert_eq!(judges(&router, &one), None);
        router.answered(Vec::new());
        assert_eq!(judges(&router, &one), None);
        assert_eq!(judges(&router, &[]), None);
        router.answered(ids(&[1]));
        assert_eq!(judges(&router, &one), Some(ids(&[1])));
    }

    #[test]
    fn it_is_pinged_at_the_primarys_first_answer_and_every_ten_minutes_at_most() {
        let mut router = RouterWitness::default();
        let pinged: Vec<u64> = (0..=1300)
            .step_by(30)
            .filter(|second| primary_answers(&mut router, *second, &[1]))
            .collect();
        assert_eq!(pinged, [0, 600, 1200]);
    }

    #[test]
    fn silence_counts_against_it_once_the_primary_answers_after_it() {
        let mut router = proven();
        assert!(primary_answers(&mut router, 600, &[1, 2]));
        router.answered(Vec::new());
        // PC-B's network may just have gone.
        assert!(router.counts());
        primary_answers(&mut router, 630, &[1, 2]);
        assert!(!router.counts());
        // Until it answers again.
        assert!(primary_answers(&mut router, 1200, &[1, 2]));
        router.answered(ids(&[1]));
        assert!(router.counts());
    }

    #[test]
    fn silence_that_the_primary_shares_is_not_the_routers() {
        let mut router = proven();
        primary_answers(&mut router, 600, &[1, 2]);
        router.answered(Vec::new());
        router.primary_fails();
        assert!(router.counts());
        // Not even once the network is back: then it is pinged at once.
        assert!(primary_answers(&mut router, 700, &[1, 2]));
        assert!(router.counts());
    }

    #[test]
    fn a_router_that_has_gone_is_silent_and_another_one_does_not_speak_for_it() {
        let router = proven();
        assert_eq!(judges(&router, &[]), Some(vec![]));
        assert_eq!(judges(&router, &defaults(&[3])), Some(vec![]));
        assert_eq!(judges(&router, &defaults(&[3, 1])), Some(ids(&[1])));
    }

    #[test]
    fn another_one_takes_its_place_when_the_primary_answers_and_is_pinged_at_once() {
        let mut router = proven();
        // Without any nothing is known of another.
        assert!(!primary_answers(&mut router, 10, &[]));
        assert_eq!(judges(&router, &[]), Some(vec![]));
        assert!(primary_answers(&mut router, 20, &[3]));
        assert_eq!(judges(&router, &defaults(&[3])), None);
        router.answered(ids(&[3]));
        assert_eq!(judges(&router, &defaults(&[3])), Some(ids(&[3])));
        assert!(!primary_answers(&mut router, 30, &[3]));
        // One more is pinged, too, and doesn't silence the first.
        assert!(primary_answers(&mut router, 40, &[2, 3]));
        assert_eq!(judges(&router, &defaults(&[2, 3])), Some(ids(&[3])));
    }

    #[test]
    fn one_that_is_the_primary_abstains_and_another_networks_with_its_address_is_silence() {
        let mut router = RouterWitness::default();
        router.answered(ids(&[1]));
        let mut routers = defaults(&[1]);
        routers[0].is_primary = true;
        assert_eq!(judges(&router, &routers), None);
        routers[0].id = RouterId::new("3");
        assert_eq!(judges(&router, &routers), Some(vec![]));
    }

    #[test]
    fn the_next_one_goes_on_from_what_was_proven_and_pings_at_the_first_answer() {
        let mut router = RouterWitness::after(proven().proven().to_vec());
        assert_eq!(judges(&router, &defaults(&[1])), Some(ids(&[1])));
        // Moved while nobody watched.
        assert_eq!(judges(&router, &defaults(&[3])), Some(vec![]));
        router.primary_fails();
        assert!(router.counts());
        assert!(primary_answers(&mut router, 5, &[1, 2]));
        router.answered(Vec::new());
        // In doubt it is handed on all the same.
        assert_eq!(router.proven(), ids(&[1, 2]));
        primary_answers(&mut router, 35, &[1, 2]);
        assert!(router.proven().is_empty());
        assert!(!RouterWitness::after(Vec::new()).counts());
    }
}
