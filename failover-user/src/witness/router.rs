//! The default router as a witness: its address, its answers, and how they are reported. Whether it
//! counts is decided by [`RouterWatch`].

use std::net::{IpAddr, SocketAddr};

use tracing::{debug, info};

use failover_decide::{RouterWatch, Time};

use crate::witness::default_route::Routers;

#[derive(Default)]
pub(crate) struct Router {
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

/// How the default router stands.
#[derive(Clone, Debug)]
pub(crate) struct RouterStanding {
    pub(crate) addresses: Vec<String>,
    /// Does its word count before a takeover?
    pub(crate) counts: bool,
    /// Why, or why not: a sentence for people.
    pub(crate) why: String,
}

impl Router {
    /// Starts with the routers that answered an earlier daemon.
    pub(crate) fn after(proven: Vec<String>) -> Self {
        Self {
            watch: RouterWatch::after(proven),
            ..Self::default()
        }
    }

    /// Those whose word counts, by name.
    pub(crate) fn proven(&self) -> &[String] {
        self.watch.proven()
    }

    /// Looks up who it is now. Where the kernel doesn't say, it is who it was.
    pub(crate) fn look(&mut self, primary: &[SocketAddr]) {
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

    /// Does its word count before a takeover? One that has the primary's address elsewhere is no primary,
    /// and nobody that has answered.
    pub(crate) fn counts(&self) -> bool {
        let primary = self.primary.map(|primary| primary.to_string());
        let mut proven = self.watch.proven().iter();
        proven.any(|router| Some(router) != primary.as_ref())
    }

    /// Those that may speak for a decision; none of them where all that answered have gone.
    fn believed(&self) -> Routers {
        let believed: Vec<&String> = self.watch.believed(&self.names).collect();
        let found = self.found.0.iter().zip(&self.names);
        let found = found
            .filter(|(router, name)| believed.contains(name) && self.primary != Some(router.ip()));
        Routers(found.map(|(router, _)| *router).collect())
    }

    /// The routers to ping before a takeover, if they count, or why there is none.
    pub(crate) fn judges(&self) -> Option<Result<Routers, String>> {
        let believed = self.believed();
        self.counts().then(|| match believed.0.is_empty() {
            true => Err(self.gone()),
            false => Ok(believed),
        })
    }

    /// The routers to ping while the primary is up, including those that have not answered yet.
    pub(crate) fn candidates(&self) -> Option<Result<Routers, String>> {
        match (self.primary, self.found.0.is_empty()) {
            (Some(_), _) => None,
            (None, false) => Some(Ok(self.found.clone())),
            (None, true) => self.counts().then(|| Err(self.gone())),
        }
    }

    /// Why none of those that answered is there.
    fn gone(&self) -> String {
        match self.found.0.is_empty() {
            true => "there is no default route any more".to_owned(),
            false => format!(
                "the default route leads to {} now, by which the primary hasn't answered",
                self.found
            ),
        }
    }

    /// The primary answers. Is the router to be asked whether it does, too?
    pub(crate) fn primary_answers(&mut self, now: Time, primary: &[SocketAddr]) -> bool {
        let before = self.counts();
        self.look(primary);
        let due = self.watch.primary_answers(now, &self.names);
        if before && !self.counts() {
            self.log();
        }
        due
    }

    /// The primary doesn't.
    pub(crate) fn primary_fails(&mut self) {
        self.watch.primary_fails();
    }

    /// What it said in quiet times.
    pub(crate) fn said(&mut self, said: Result<&Routers, &str>) {
        let before = self.counts();
        let said = match said {
            Ok(answered) => {
                self.watch.answered(answered.names());
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
            self.log();
        }
    }

    /// As it was found last, with how it stands.
    pub(crate) fn log(&self) {
        info!(router = %self.found, "{}", self.why());
    }

    /// For people.
    pub(crate) fn standing(&self) -> RouterStanding {
        let one = |router: &SocketAddr| Routers(vec![*router]).to_string();
        RouterStanding {
            addresses: self.found.0.iter().map(one).collect(),
            counts: self.counts(),
            why: self.why(),
        }
    }

    /// How it stands, and why.
    fn why(&self) -> String {
        if let Some(primary) = self.primary.filter(|_| !self.counts()) {
            return format!("the default router abstains: {primary} is the primary itself");
        }
        if self.counts() {
            return match self.believed().0.is_empty() {
                true => format!("the default router answered pings, but {}", self.gone()),
                false => {
                    "the default router answered pings, so it has to before a takeover".to_owned()
                }
            };
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
        assert!(matches!(router.candidates(), Some(Ok(_))));
        assert!(router.watch.primary_answers(now(), &router.names));
        router.said(Err("no answer in time"));
        assert!(router.why().contains("pings (no answer in time)"));
        router.said(Ok(&routers("192.168.1.1")));
        assert!(router.why().contains("so it has to before a takeover"));
        assert_eq!(router.standing().addresses, ["192.168.1.1"]);
        assert_eq!(router.judges(), Some(Ok(routers("192.168.1.1"))));
        router.find(Routers::default());
        assert!(router.why().contains("no default route any more"));
        assert!(matches!(router.judges(), Some(Err(_))));
        assert!(matches!(router.candidates(), Some(Err(_))));
    }

    #[test]
    fn another_one_than_answered_is_silence_until_the_primary_answers_by_it() {
        let mut router = at("192.168.1.1");
        router.said(Ok(&routers("192.168.1.1")));
        router.find(routers("192.168.1.2"));
        assert!(router.why().contains("leads to 192.168.1.2 now"));
        assert!(matches!(router.judges(), Some(Err(_))));
        assert!(router.watch.primary_answers(now(), &router.names));
        assert!(router.why().contains("abstains: it hasn't answered"));
        assert_eq!(router.judges(), None);
    }

    #[test]
    fn only_the_one_of_several_that_answered_speaks() {
        let both = Routers([routers("192.168.1.1").0, routers("fd00::1").0].concat());
        let mut router = Router::default();
        router.find(both.clone());
        router.said(Ok(&routers("192.168.1.1")));
        assert_eq!(router.proven(), ["192.168.1.1"]);
        assert_eq!(router.judges(), Some(Ok(routers("192.168.1.1"))));
        assert_eq!(router.candidates(), Some(Ok(both)));
    }

    #[test]
    fn one_that_answered_an_earlier_daemon_counts_and_another_one_is_silence() {
        let mut before = at("192.168.1.1");
        before.said(Ok(&routers("192.168.1.1")));
        let mut router = Router::after(before.proven().to_vec());
        // Not up yet, and so silent.
        assert!(router.counts());
        router.find(routers("192.168.1.1"));
        assert!(router.why().contains("so it has to before a takeover"));
        router.find(routers("192.168.1.2"));
        assert!(matches!(router.judges(), Some(Err(_))));
    }

    #[test]
    fn a_primary_that_is_the_router_is_not_asked() {
        let mut router = at("192.168.1.1");
        router.said(Ok(&routers("192.168.1.1")));
        router.primary = router.found.at(&["192.168.1.1:18789".parse().unwrap()]);
        assert_eq!((router.judges(), router.candidates()), (None, None));
        assert!(router.why().contains("192.168.1.1 is the primary itself"));
    }

    #[test]
    fn another_networks_router_with_the_primarys_address_is_silence() {
        let mut router = at("192.168.1.254");
        router.said(Ok(&routers("192.168.1.254")));
        router.find(routers("192.168.1.1"));
        router.primary = router.found.at(&["192.168.1.1:18789".parse().unwrap()]);
        assert!(matches!(router.judges(), Some(Err(_))));
    }
}
