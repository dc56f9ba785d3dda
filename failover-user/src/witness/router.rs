//! The default router as a witness: its address, its answers, and how they are reported. Whether it counts
//! is decided elsewhere ([`Judges`]).

use std::net::{IpAddr, SocketAddr};

use tracing::{debug, info};

use failover_decide::{DefaultRouter, Judges, RouterId};

use crate::witness::default_route::Routers;

/// How the default router stands.
#[derive(Clone, Debug)]
pub(crate) struct RouterStanding {
    pub(crate) addresses: Vec<String>,
    /// Does its answer count before a takeover?
    pub(crate) counts: bool,
    /// Why, or why not: a sentence for people.
    pub(crate) why: String,
}

#[derive(Debug, Default)]
pub(crate) struct Router {
    /// Who it was when that was looked up last.
    found: Routers,
    /// What they are called for longer than this boot.
    names: Vec<String>,
    /// One that is the primary can't speak of anybody else.
    primary: Option<IpAddr>,
    /// Who was pinged last in quiet times, and why none answered, if none did.
    said: Option<(Routers, Result<(), String>)>,
    /// That is news.
    is_news: bool,
    /// Its answer counted when that was looked at last.
    counted: bool,
}

impl Router {
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

    /// As they were looked up last, for the decider.
    pub(crate) fn defaults(&self) -> Vec<DefaultRouter> {
        let each = self.found.0.iter().zip(&self.names);
        each.map(|(router, name)| DefaultRouter {
            id: RouterId::new(name.as_str()),
            is_primary: self.primary == Some(router.ip()),
        })
        .collect()
    }

    /// The routers to ping before a takeover, if they count, or why there is none.
    pub(crate) fn judges(&self, judges: &Judges) -> Option<Result<Routers, String>> {
        let believed = judges.routers.as_ref()?;
        let is_believed = |name: &String| believed.iter().any(|id| id.as_str() == name);
        let each = self.found.0.iter().zip(&self.names);
        let those = each.filter(|(_, name)| is_believed(name));
        let those = Routers(those.map(|(router, _)| *router).collect());
        Some(match those.0.is_empty() {
            true => Err(self.gone()),
            false => Ok(those),
        })
    }

    /// The routers to ping while the primary is up, including those that have not answered yet.
    pub(crate) fn candidates(&self, judges: &Judges) -> Option<Result<Routers, String>> {
        match (self.primary, self.found.0.is_empty()) {
            (Some(_), _) => None,
            (None, false) => Some(Ok(self.found.clone())),
            (None, true) => judges.routers.is_some().then(|| Err(self.gone())),
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

    /// What it said in quiet times.
    pub(crate) fn said(&mut self, said: Result<(), &str>) {
        let said = Some((self.found.clone(), said.map_err(str::to_owned)));
        self.is_news |= self.said != said;
        self.said = said;
    }

    /// Logs how it stands where its answer counts no longer, or again, and where one that abstains has said
    /// something new.
    pub(crate) fn log_change(&mut self, judges: &Judges) {
        let counts = judges.routers.is_some();
        let is_news = std::mem::take(&mut self.is_news);
        if self.counted != counts || (is_news && !counts) {
            self.log(judges);
        }
    }

    /// As it was found last, with how it stands.
    pub(crate) fn log(&mut self, judges: &Judges) {
        self.counted = judges.routers.is_some();
        info!(router = %self.found, "{}", self.why(judges));
    }

    /// For people.
    pub(crate) fn standing(&self, judges: &Judges) -> RouterStanding {
        let one = |router: &SocketAddr| Routers(vec![*router]).to_string();
        RouterStanding {
            addresses: self.found.0.iter().map(one).collect(),
            counts: judges.routers.is_some(),
            why: self.why(judges),
        }
    }

    /// How it stands, and why.
    fn why(&self, judges: &Judges) -> String {
        match self.judges(judges) {
            Some(Err(gone)) => return format!("the default router answered pings, but {gone}"),
            Some(Ok(_)) => {
                return "the default router answered pings, so it has to before a takeover"
                    .to_owned();
            }
            None => {}
        }
        if let Some(primary) = self.primary {
            return format!("the default router abstains: {primary} is the primary itself");
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
    use super::*;

    fn routers(address: &str) -> Routers {
        Routers(vec![SocketAddr::new(address.parse().unwrap(), 0)])
    }

    fn at(address: &str) -> Router {
        let mut router = Router::default();
        router.find(routers(address));
        router
    }

    /// As the decider says it where these routers may speak, or where it abstains.
    fn judges(routers: Option<&[&str]>) -> Judges {
        let id = |name: &&str| RouterId::new(*name);
        Judges {
            needed: u32::from(routers.is_some()),
            routers: routers.map(|routers| routers.iter().map(id).collect()),
        }
    }

    #[test]
    fn how_it_stands_is_told_with_the_reason() {
        let abstains = judges(None);
        let counts = judges(Some(&["192.168.1.1"]));
        let nobody = Router::default();
        let why = nobody.why(&abstains);
        assert!(why.contains("abstains: there is no default route"));
        assert_eq!(nobody.candidates(&abstains), None);
        let mut router = at("192.168.1.1");
        let why = router.why(&abstains);
        assert!(why.contains("abstains: it hasn't answered"));
        assert_eq!(router.judges(&abstains), None);
        assert!(matches!(router.candidates(&abstains), Some(Ok(_))));
        router.said(Err("no answer in time"));
        let why = router.why(&abstains);
        assert!(why.contains("pings (no answer in time)"));
        router.said(Ok(()));
        let why = router.why(&counts);
        assert!(why.contains("so it has to before a takeover"));
        let shown = router.standing(&counts);
        assert_eq!(shown.addresses, ["192.168.1.1"]);
        assert_eq!(router.judges(&counts), Some(Ok(routers("192.168.1.1"))));
        router.find(Routers::default());
        let gone = judges(Some(&[]));
        assert!(router.why(&gone).contains("no default route any more"));
        assert!(matches!(router.judges(&gone), Some(Err(_))));
        assert!(matches!(router.candidates(&gone), Some(Err(_))));
    }

    #[test]
    fn another_one_than_answered_is_silence_until_the_primary_answers_by_it() {
        let mut router = at("192.168.1.1");
        router.said(Ok(()));
        router.find(routers("192.168.1.2"));
        let gone = judges(Some(&[]));
        assert!(router.why(&gone).contains("leads to 192.168.1.2 now"));
        assert!(matches!(router.judges(&gone), Some(Err(_))));
        let abstains = judges(None);
        assert!(
            router
                .why(&abstains)
                .contains("abstains: it hasn't answered")
        );
        assert_eq!(router.judges(&abstains), None);
    }

    #[test]
    fn only_the_one_of_several_that_answered_speaks() {
        let both = Routers([routers("192.168.1.1").0, routers("fd00::1").0].concat());
        let mut router = Router::default();
        router.find(both.clone());
        router.said(Ok(()));
        let one = judges(Some(&["192.168.1.1"]));
        assert_eq!(router.judges(&one), Some(Ok(routers("192.168.1.1"))));
        assert_eq!(router.candidates(&one), Some(Ok(both)));
    }

    #[test]
    fn the_decider_gets_each_by_name_and_which_is_the_primary() {
        let mut router = at("192.168.1.1");
        let is_primary = |router: &Router| {
            let defaults = router.defaults();
            let of = |one: &DefaultRouter| (one.id.as_str().to_owned(), one.is_primary);
            defaults.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(is_primary(&router), [("192.168.1.1".to_owned(), false)]);
        router.primary = router.found.at(&["192.168.1.1:18789".parse().unwrap()]);
        assert_eq!(is_primary(&router), [("192.168.1.1".to_owned(), true)]);
    }

    #[test]
    fn a_primary_that_is_the_router_is_not_asked() {
        let mut router = at("192.168.1.1");
        router.primary = router.found.at(&["192.168.1.1:18789".parse().unwrap()]);
        let abstains = judges(None);
        assert_eq!(
            (router.judges(&abstains), router.candidates(&abstains)),
            (None, None)
        );
        let why = router.why(&abstains);
        assert!(why.contains("192.168.1.1 is the primary itself"));
    }
}
