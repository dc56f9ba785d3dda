//! The default router as a witness: who it is, what it has shown, and how that is told. Whether its word
//! counts is [`RouterWatch`]'s to say.

use std::net::{IpAddr, SocketAddr};

use tracing::{debug, info};

use crate::{
    decide::{RouterWatch, Time},
    probe::Routers,
    status,
};

#[derive(Default)]
pub(super) struct Router {
    watch: RouterWatch<String>,
    /// Who it was when that was looked up last.
    found: Routers,
    /// What they are called for longer than this boot.
    names: Vec<String>,
    /// One that is the primary can't speak of anybody else.
    primary: Option<IpAddr>,
    /// Who was asked last in quiet times, and why none answered, if none did.
    said: Option<(Routers, Result<(), String>)>,
}

impl Router {
    /// Goes on from those that answered an earlier daemon.
    pub(super) fn after(proven: Vec<String>) -> Self {
        Self {
            watch: RouterWatch::after(proven),
            ..Self::default()
        }
    }

    /// Those whose word counts, by name.
    pub(super) fn proven(&self) -> &[String] {
        self.watch.proven()
    }

    /// Looks up who it is now. Where the kernel doesn't say, it is who it was.
    pub(super) fn look(&mut self, primary: &[SocketAddr]) {
        match Routers::find() {
            Ok(routers) => self.find(routers),
            Err(error) => debug!(%error, "the default routes can't be read"),
        }
        self.primary = self.found.at(primary);
    }

    fn find(&mut self, found: Routers) {
        self.names = found.names();
        self.found = found;
    }

    /// Does its word count before a takeover?
    pub(super) fn counts(&self) -> bool {
        self.primary.is_none() && self.watch.counts(&self.names)
    }

    /// Whom to ask for a decision, if its word counts.
    pub(super) fn judges(&self) -> Option<&Routers> {
        self.counts().then_some(&self.found)
    }

    /// Whom to ask in quiet times: also one that proves nothing yet.
    pub(super) fn candidates(&self) -> Option<&Routers> {
        let somebody = !self.found.0.is_empty() || self.counts();
        (somebody && self.primary.is_none()).then_some(&self.found)
    }

    /// The primary answers. Is the router to be asked whether it does, too?
    pub(super) fn primary_answers(&mut self, now: Time) -> bool {
        let before = self.counts();
        let due = self.watch.primary_answers(now);
        if before && !self.counts() {
            self.tell();
        }
        due
    }

    /// The primary doesn't.
    pub(super) fn primary_fails(&mut self) {
        self.watch.primary_fails();
    }

    /// What it said in quiet times.
    pub(super) fn said(&mut self, said: Result<&'static str, &str>) {
        let before = self.counts();
        let said = match said {
            Ok(_) => {
                self.watch.answered(self.names.clone());
                Ok(())
            }
            Err(why) => {
                self.watch.was_silent();
                Err(why.to_owned())
            }
        };
        let said = Some((self.found.clone(), said));
        let news = self.said != said;
        self.said = said;
        if before != self.counts() || (news && !self.counts()) {
            self.tell();
        }
    }

    /// As it was found last, with how it stands.
    pub(super) fn tell(&self) {
        info!(router = %self.found, "{}", self.why());
    }

    /// For people.
    pub(super) fn told(&self) -> status::Router {
        let one = |router: &SocketAddr| Routers(vec![*router]).to_string();
        status::Router {
            addresses: self.found.0.iter().map(one).collect(),
            counts: self.counts(),
            why: self.why(),
        }
    }

    /// How it stands, and why.
    fn why(&self) -> String {
        if let Some(primary) = self.primary {
            return format!("the default router abstains: {primary} is the primary itself");
        }
        if self.counts() {
            let why = match self.found.0.is_empty() {
                true => "but there is no default route any more",
                false => "so it has to before a takeover",
            };
            return format!("the default router answered pings, {why}");
        }
        let why = match &self.said {
            _ if self.found.0.is_empty() => "there is no default route with a router",
            Some((who, Err(why))) if *who == self.found => {
                return format!("the default router abstains: it doesn't answer pings ({why})");
            }
            _ => "it hasn't answered a ping yet while the primary was well",
        };
        format!("the default router abstains: {why}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn now() -> Time {
        Time::from_boot(Duration::from_secs(1000))
    }

    fn routers(address: &str) -> Routers {
        Routers(vec![SocketAddr::new(address.parse().unwrap(), 0)])
    }

    fn at(address: &str) -> Router {
        let mut router = Router::default();
        router.find(routers(address));
        router
    }

    #[test]
    fn how_it_stands_is_told_with_the_reason() {
        let nobody = Router::default();
        assert!(nobody.why().contains("abstains: there is no default route"));
        assert_eq!(nobody.candidates(), None);
        let mut router = at("192.168.1.1");
        assert!(router.why().contains("abstains: it hasn't answered"));
        assert_eq!(router.judges(), None);
        assert!(router.candidates().is_some());
        assert!(router.primary_answers(now()));
        router.said(Err("no answer in time"));
        assert!(router.why().contains("pings (no answer in time)"));
        router.said(Ok("echo"));
        assert!(router.why().contains("so it has to before a takeover"));
        assert_eq!(router.told().addresses, ["192.168.1.1"]);
        assert!(router.judges().is_some());
        router.find(Routers::default());
        assert!(router.why().contains("no default route any more"));
        assert!(router.judges().is_some() && router.candidates().is_some());
        router.find(routers("192.168.1.2"));
        assert!(router.why().contains("abstains: it hasn't answered"));
    }

    #[test]
    fn one_that_answered_an_earlier_daemon_counts_and_another_one_abstains() {
        let mut before = at("192.168.1.1");
        before.said(Ok("echo"));
        let mut router = Router::after(before.proven().to_vec());
        // Not up yet, and so silent.
        assert!(router.counts());
        router.find(routers("192.168.1.1"));
        assert!(router.why().contains("so it has to before a takeover"));
        router.find(routers("192.168.1.2"));
        assert!(router.why().contains("abstains: it hasn't answered"));
    }

    #[test]
    fn a_primary_that_is_the_router_is_not_asked() {
        let mut router = at("192.168.1.1");
        router.said(Ok("echo"));
        router.primary = router.found.at(&["192.168.1.1:18789".parse().unwrap()]);
        assert_eq!((router.judges(), router.candidates()), (None, None));
        assert!(router.why().contains("192.168.1.1 is the primary itself"));
    }
}
