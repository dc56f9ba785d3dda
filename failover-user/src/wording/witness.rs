//! The answers of witnesses.

use failover_linux::errno;

use crate::{
    witness::{
        router::{RouterStanding, RouterStatus},
        vote::{Answer, Silence, Vote},
    },
    wording::probe,
};

/// The answer of one witness, in a line.
pub(crate) fn vote(vote: &Vote) -> String {
    let Vote {
        witness,
        said,
        took,
    } = vote;
    match said {
        Ok(how) => format!("{witness}: {} after {took:.1?}", answer(*how)),
        Err(why) => format!("{witness}: no answer ({}) after {took:.1?}", silence(why)),
    }
}

/// The answers of all of them.
pub(crate) fn votes<'vote>(votes: impl IntoIterator<Item = &'vote Vote>) -> String {
    let each: Vec<String> = votes.into_iter().map(vote).collect();
    each.join("; ")
}

const fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Echo => "echo",
        Answer::Connected => "connected",
        Answer::Refused => "refused",
    }
}

/// Why a witness doesn't answer.
pub(crate) fn silence(silence: &Silence) -> String {
    match silence {
        Silence::TimedOut => "no answer in time".to_owned(),
        Silence::Unreachable(errno) => format!("unreachable: {}", errno::describe(*errno)),
        Silence::Failed(failure) => probe::failure_line(*failure),
        Silence::NotSent(errno) => errno::describe(*errno),
        Silence::NoAddress => "its name has no address".to_owned(),
        Silence::NotAsked(reason) => reason.clone(),
        Silence::NoRoute => "there is no default route any more".to_owned(),
        Silence::OtherRoute(routers) => format!(
            "the default route now leads to {routers}, and the primary has not answered since"
        ),
    }
}

/// Whether the default router counts, and why.
pub(crate) fn router_standing(standing: &RouterStanding) -> String {
    match standing {
        RouterStanding::IsPrimary(primary) => {
            format!("the default router abstains: {primary} is the primary itself")
        }
        RouterStanding::Counts => {
            "the default router answers pings: required for a takeover".to_owned()
        }
        RouterStanding::Gone(why) => {
            format!("the default router answered pings, but {}", silence(why))
        }
        RouterStanding::NoRoute => {
            "the default router abstains: there is no default route with a router".to_owned()
        }
        RouterStanding::Mute(why) => format!(
            "the default router abstains: it does not answer pings ({})",
            silence(why)
        ),
        RouterStanding::Unproven => {
            "the default router abstains: it has not answered a ping yet while the primary was up"
                .to_owned()
        }
    }
}

/// The same, with its last answer.
pub(crate) fn router(router: &RouterStatus) -> String {
    let standing = router_standing(&router.standing);
    match router.is_silent {
        true => format!("{standing}; it did not answer the last ping"),
        false => standing,
    }
}
