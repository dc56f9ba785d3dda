//! The default router as a witness: its address, its answers, and how they are reported. Whether it counts
//! is decided elsewhere ([`Judges`]).

use std::net::{IpAddr, SocketAddr};

use tracing::{debug, info};

use failover_decide::{DefaultRouter, Judges, RouterId};

use crate::{
    witness::{default_route::Routers, vote::Silence},
    wording,
};

/// The default router as it is now.
#[derive(Clone, Debug)]
pub(crate) struct RouterStatus {
    pub(crate) addresses: Vec<String>,
    /// Does its answer count before a takeover?
    pub(crate) counts: bool,
    /// Why, or why not.
    pub(crate) standing: RouterStanding,
    /// It counts, was asked last, and didn't answer.
    pub(crate) is_silent: bool,
}

/// Does the default router's answer count, and why?
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum RouterStanding {
    /// It counts: it has answered.
    Counts,
    /// It counts, and is gone: that is silence.
    Gone(Silence),
    /// It abstains: it is the primary itself.
    IsPrimary(IpAddr),
    /// It abstains: there is none.
    NoRoute,
    /// It abstains: it doesn't answer.
    Mute(Silence),
    /// It abstains: it hasn't answered yet.
    Unproven,
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
    said: Option<(Routers, Result<(), Silence>)>,
    /// That is news.
    is_news: bool,
    /// Its answer counted at the last check.
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
    pub(crate) fn judges(&self, judges: &Judges) -> Option<Result<Routers, Silence>> {
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
    pub(crate) fn candidates(&self, judges: &Judges) -> Option<Result<Routers, Silence>> {
        match (self.primary, self.found.0.is_empty()) {
            (Some(_), _) => None,
            (None, false) => Some(Ok(self.found.clone())),
            (None, true) => judges.routers.is_some().then(|| Err(self.gone())),
        }
    }

    /// Why none of those that answered is there.
    fn gone(&self) -> Silence {
        match self.found.0.is_empty() {
            true => Silence::NoRoute,
            false => Silence::OtherRoute(self.found.clone()),
        }
    }

    /// What it said in quiet times.
    pub(crate) fn said(&mut self, said: Result<(), &Silence>) {
        let said = Some((self.found.clone(), said.map_err(Clone::clone)));
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
        let standing = wording::witness::router_standing(&self.standing(judges));
        info!(router = %self.found, "{standing}");
    }

    /// As it is now, with whether it was silent when it was asked last.
    pub(crate) fn status(&self, judges: &Judges, was_silent: bool) -> RouterStatus {
        let one = |router: &SocketAddr| Routers(vec![*router]).to_string();
        let counts = judges.routers.is_some();
        RouterStatus {
            addresses: self.found.0.iter().map(one).collect(),
            counts,
            standing: self.standing(judges),
            is_silent: counts && was_silent,
        }
    }

    /// Does its answer count, and why?
    fn standing(&self, judges: &Judges) -> RouterStanding {
        match (self.judges(judges), self.primary, &self.said) {
            (Some(Err(gone)), ..) => RouterStanding::Gone(gone),
            (Some(Ok(_)), ..) => RouterStanding::Counts,
            (None, Some(primary), _) => RouterStanding::IsPrimary(primary),
            (None, None, _) if self.found.0.is_empty() => RouterStanding::NoRoute,
            (None, None, Some((who, Err(why)))) if *who == self.found => {
                RouterStanding::Mute(why.clone())
            }
            (None, None, Some(_) | None) => RouterStanding::Unproven,
        }
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
        assert_eq!(nobody.standing(&abstains), RouterStanding::NoRoute);
        assert_eq!(nobody.candidates(&abstains), None);
        let mut router = at("192.168.1.1");
        assert_eq!(router.standing(&abstains), RouterStanding::Unproven);
        assert_eq!(router.judges(&abstains), None);
        assert!(matches!(router.candidates(&abstains), Some(Ok(_))));
        router.said(Err(&Silence::TimedOut));
        let mute = RouterStanding::Mute(Silence::TimedOut);
        assert_eq!(router.standing(&abstains), mute);
        router.said(Ok(()));
        assert_eq!(router.standing(&counts), RouterStanding::Counts);
        let shown = router.status(&counts, false);
        assert_eq!(shown.addresses, ["192.168.1.1"]);
        assert_eq!(router.judges(&counts), Some(Ok(routers("192.168.1.1"))));
        router.find(Routers::default());
        let gone = judges(Some(&[]));
        let no_route = RouterStanding::Gone(Silence::NoRoute);
        assert_eq!(router.standing(&gone), no_route);
        assert!(matches!(router.judges(&gone), Some(Err(_))));
        assert!(matches!(router.candidates(&gone), Some(Err(_))));
    }

    #[test]
    fn another_one_than_answered_is_silence_until_the_primary_answers_by_it() {
        let mut router = at("192.168.1.1");
        router.said(Ok(()));
        router.find(routers("192.168.1.2"));
        let gone = judges(Some(&[]));
        let other = Silence::OtherRoute(routers("192.168.1.2"));
        assert_eq!(router.standing(&gone), RouterStanding::Gone(other));
        assert!(matches!(router.judges(&gone), Some(Err(_))));
        let abstains = judges(None);
        assert_eq!(router.standing(&abstains), RouterStanding::Unproven);
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
        let primary = "192.168.1.1".parse().unwrap();
        assert_eq!(
            router.standing(&abstains),
            RouterStanding::IsPrimary(primary)
        );
    }
}
