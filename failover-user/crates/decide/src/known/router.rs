//! Does the default router's word count? Many answer no pings, so it abstains until it has proved
//! that it does.
//!
//! It proves itself in quiet times: it is asked while the primary answers, when its silence can't be
//! PC-B's lost network. Once it has answered, its silence before a takeover means that PC-B is cut off.
//! So does its absence: where PC-B has another router now, or none, it may be in another network, and
//! the other one's word is as good as a stranger's. That changes when the primary answers by it.
//!
//! In the middle of an outage that can't be looked up, so it is handed out to be kept, and in again
//! when the next watch is made: an answer is an answer, however long ago it was. Where it is none any
//! more the primary's first answers tell.

use std::time::Duration;

use crate::time::Time;

/// In quiet times it is asked this often at most. So long may PC-B rely on a router that has begun to
/// leave pings unanswered. One that goes down often does so a while before it stops forwarding: asked more
/// often, it would more often abstain just when its silence means something.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// Watches the default router in quiet times. `R`: what tells one router from another.
#[derive(Clone, Debug)]
pub struct RouterWatch<R> {
    /// When somebody was asked last, and who.
    asked: Option<(Time, Vec<R>)>,
    standing: Standing<R>,
}

/// What the router has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Standing<R> {
    /// Not yet that it answers, or that it doesn't any longer.
    Unproven,
    /// That it answers. There may be several: one a family of addresses. Only those that did.
    Proven(Vec<R>),
    /// It answered before, and not when it was asked last. That may be the beginning of an outage of
    /// PC-B's own network: the primary's next answer tells.
    Doubted(Vec<R>),
}

impl<R> Default for RouterWatch<R> {
    fn default() -> Self {
        Self {
            asked: None,
            standing: Standing::Unproven,
        }
    }
}

impl<R: Clone + PartialEq> RouterWatch<R> {
    /// Goes on from the routers that an earlier one handed out. They are asked once the primary answers.
    #[must_use]
    pub fn after(proven: Vec<R>) -> Self {
        let standing = match proven.is_empty() {
            true => Standing::Unproven,
            false => Standing::Proven(proven),
        };
        Self {
            asked: None,
            standing,
        }
    }

    /// The routers whose word counts, for the next watch. One that is in doubt is among them: the next
    /// one asks again.
    #[must_use]
    pub fn proven(&self) -> &[R] {
        match &self.standing {
            Standing::Unproven => &[],
            Standing::Proven(proven) | Standing::Doubted(proven) => proven,
        }
    }

    /// The primary has answered while these were the default routers: silence of the router's before was
    /// its own, and others than those that answered have taken their place. Are they to be asked now?
    pub fn primary_answers(&mut self, now: Time, routers: &[R]) -> bool {
        let replaced = !routers.is_empty() && self.believed(routers).next().is_none();
        if replaced || matches!(self.standing, Standing::Doubted(_)) {
            self.standing = Standing::Unproven;
        }
        let due = self.asked.as_ref().is_none_or(|(asked, who)| {
            let others = !routers.is_empty() && who != routers;
            others || now.since(*asked) >= PAUSE
        });
        if due {
            self.asked = Some((now, routers.to_vec()));
        }
        due
    }

    /// The primary hasn't answered: whoever is silent now may be so for the same reason. The router is
    /// asked again once the primary answers.
    pub fn primary_fails(&mut self) {
        self.asked = None;
        if let Standing::Doubted(routers) = &mut self.standing {
            self.standing = Standing::Proven(std::mem::take(routers));
        }
    }

    /// These routers have answered in quiet times, each of them.
    pub fn answered(&mut self, routers: Vec<R>) {
        self.standing = Standing::Proven(routers);
    }

    /// None has.
    pub fn was_silent(&mut self) {
        if let Standing::Proven(routers) = &mut self.standing {
            self.standing = Standing::Doubted(std::mem::take(routers));
        }
    }

    /// Does its word count? Whoever the default routers are by now: see [`Self::believed`].
    #[must_use]
    pub fn counts(&self) -> bool {
        !self.proven().is_empty()
    }

    /// Those of the default routers that may speak. None, where its word counts: that is silence.
    pub fn believed<'a>(&self, routers: &'a [R]) -> impl Iterator<Item = &'a R> {
        let proven = self.proven();
        routers.iter().filter(|router| proven.contains(router))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: [u32; 1] = [1];

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    /// One that has answered at second 0.
    fn proven() -> RouterWatch<u32> {
        let mut watch = RouterWatch::default();
        assert!(watch.primary_answers(at(0), &[1, 2]));
        watch.answered(vec![1, 2]);
        watch
    }

    /// Which of these may speak for a decision; `None` where no router's word counts.
    fn judges(watch: &RouterWatch<u32>, routers: &[u32]) -> Option<Vec<u32>> {
        let believed = watch.believed(routers).copied().collect();
        watch.counts().then_some(believed)
    }

    #[test]
    fn a_router_abstains_until_it_has_answered() {
        let mut watch = RouterWatch::default();
        assert_eq!(judges(&watch, &ROUTER), None);
        watch.was_silent();
        assert_eq!(judges(&watch, &ROUTER), None);
        assert_eq!(judges(&watch, &[]), None);
        watch.answered(ROUTER.to_vec());
        assert_eq!(judges(&watch, &ROUTER), Some(vec![1]));
    }

    #[test]
    fn it_is_asked_at_the_primarys_first_answer_and_every_ten_minutes_at_most() {
        let mut watch = RouterWatch::default();
        let asked: Vec<u64> = (0..=1300)
            .step_by(30)
            .filter(|second| watch.primary_answers(at(*second), &ROUTER))
            .collect();
        assert_eq!(asked, [0, 600, 1200]);
    }

    #[test]
    fn silence_counts_against_it_once_the_primary_answers_after_it() {
        let mut watch = proven();
        assert!(watch.primary_answers(at(600), &[1, 2]));
        watch.was_silent();
        // PC-B's network may just have gone.
        assert!(watch.counts());
        watch.primary_answers(at(630), &[1, 2]);
        assert!(!watch.counts());
        // Until it answers again.
        assert!(watch.primary_answers(at(1200), &[1, 2]));
        watch.answered(vec![1]);
        assert!(watch.counts());
    }

    #[test]
    fn silence_that_the_primary_shares_is_not_the_routers() {
        let mut watch = proven();
        watch.primary_answers(at(600), &[1, 2]);
        watch.was_silent();
        watch.primary_fails();
        assert!(watch.counts());
        // Not even once the network is back: then it is asked at once.
        assert!(watch.primary_answers(at(700), &[1, 2]));
        assert!(watch.counts());
    }

    #[test]
    fn a_router_that_has_gone_is_silent_and_another_one_does_not_speak_for_it() {
        let watch = proven();
        assert_eq!(judges(&watch, &[]), Some(vec![]));
        assert_eq!(judges(&watch, &[3]), Some(vec![]));
        assert_eq!(judges(&watch, &[3, 1]), Some(vec![1]));
    }

    #[test]
    fn another_one_takes_its_place_when_the_primary_answers_and_is_asked_at_once() {
        let mut watch = proven();
        // Without any nothing is known of another.
        assert!(!watch.primary_answers(at(10), &[]));
        assert_eq!(judges(&watch, &[]), Some(vec![]));
        assert!(watch.primary_answers(at(20), &[3]));
        assert_eq!(judges(&watch, &[3]), None);
        watch.answered(vec![3]);
        assert_eq!(judges(&watch, &[3]), Some(vec![3]));
        assert!(!watch.primary_answers(at(30), &[3]));
        // One more is asked, too, and doesn't silence the first.
        assert!(watch.primary_answers(at(40), &[2, 3]));
        assert_eq!(judges(&watch, &[2, 3]), Some(vec![3]));
    }

    #[test]
    fn the_next_watch_goes_on_from_what_was_proven_and_asks_at_the_first_answer() {
        let mut watch = RouterWatch::after(proven().proven().to_vec());
        assert_eq!(judges(&watch, &ROUTER), Some(vec![1]));
        // Moved while nobody watched.
        assert_eq!(judges(&watch, &[3]), Some(vec![]));
        watch.primary_fails();
        assert!(watch.counts());
        assert!(watch.primary_answers(at(5), &[1, 2]));
        watch.was_silent();
        // In doubt it is handed on all the same.
        assert_eq!(watch.proven(), [1, 2]);
        watch.primary_answers(at(35), &[1, 2]);
        assert!(watch.proven().is_empty());
        assert!(!RouterWatch::<u32>::after(Vec::new()).counts());
    }
}
