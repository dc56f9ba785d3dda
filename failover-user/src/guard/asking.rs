//! What PC-A's guard asks PC-B for, who waits for the answer, and when it waits no longer. It must not know how datagrams
//! are sent.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use failover_decide::Time;
use failover_guard::ask::{Answer, Ask, How};

use crate::control::Pending;

/// PC-B answers within this time, or is unreachable: it beats every 0.05 s while it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// Right after the boot, the network may come up later than the gateway.
const PATIENCE_AT_BOOT: Duration = Duration::from_secs(15);
/// How long "right after the boot" is, by the boot clock.
const BOOT: Duration = Duration::from_secs(120);

/// How a request to PC-B to release its gateway ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "let-go", rename_all = "kebab-case")]
pub enum LetGo {
    /// Its gateway is released.
    Released,
    /// It wasn't serving.
    NothingToRelease,
    /// Nothing is heard of it.
    Silent,
    /// It is heard, and doesn't answer: it may be of an earlier release.
    Unanswered,
    /// It is still busy with that.
    NotInTime {
        /// Its gateway still has its port.
        drains: bool,
    },
    /// It doesn't.
    Refused {
        /// Why.
        why: String,
    },
}

/// An ask that PC-B hasn't answered yet.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) ask: Ask,
    /// When PC-B was heard last to work on it, or the asking began.
    alive: Time,
    patience: Duration,
    /// How far PC-B is.
    far: Option<How>,
    waiting: Vec<(Pending, Time)>,
}

impl Asking {
    /// It begins now; `is_known`: PC-B was heard since this guard began.
    pub(super) fn new(ask: Ask, now: Time, is_known: bool) -> Self {
        let boots = !is_known && now.as_duration() < BOOT;
        Self {
            ask,
            alive: now,
            patience: if boots { PATIENCE_AT_BOOT } else { PATIENCE },
            far: None,
            waiting: Vec::new(),
        }
    }

    /// Somebody else waits for its end, until this time.
    pub(super) fn wait(&mut self, pending: Pending, until: Time) {
        self.waiting.push((pending, until));
    }

    /// What PC-B has answered, and when that was heard last. How it ended, if it has.
    pub(super) fn heard(&mut self, answer: &Answer, at: Time) -> Option<LetGo> {
        self.alive = self.alive.max(at);
        self.far = Some(answer.how);
        self.patience = PATIENCE;
        match answer.how {
            How::Done => Some(LetGo::Released),
            How::NothingToDo => Some(LetGo::NothingToRelease),
            How::Refused => Some(LetGo::Refused {
                why: answer.why.as_ref().map_or_else(
                    || "no reason given".to_owned(),
                    |why| why.as_str().to_owned(),
                ),
            }),
            How::Draining | How::Stopping | How::Copying | How::Unknown => None,
        }
    }

    /// Is it out of patience with PC-B? `is_heard`: its heartbeats arrive.
    pub(super) fn given_up(&self, now: Time, is_heard: bool) -> Option<LetGo> {
        (now >= self.alive + self.patience).then_some(match is_heard {
            true => LetGo::Unanswered,
            false => LetGo::Silent,
        })
    }

    /// Those whose time is over, and their answer. They wait no longer.
    pub(super) fn overdue(&mut self, now: Time) -> (Vec<Pending>, LetGo) {
        let overdue = self.waiting.extract_if(.., |(_, until)| *until <= now);
        let pending = overdue.map(|(pending, _)| pending).collect();
        let drains = self.far == Some(How::Draining);
        (pending, LetGo::NotInTime { drains })
    }

    /// Does nobody wait any longer?
    pub(super) fn is_forgotten(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Everybody who waits.
    pub(super) fn everybody(self) -> Vec<Pending> {
        let waiting = self.waiting.into_iter();
        waiting.map(|(pending, _)| pending).collect()
    }

    /// When it must be looked at, whatever is heard.
    pub(super) fn next(&self) -> Time {
        let untils = self.waiting.iter().map(|(_, until)| *until);
        untils.fold(self.alive + self.patience, Time::min)
    }
}

#[cfg(test)]
mod tests {
    use failover_guard::ask::{AskId, What};

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_boot(Duration::from_secs(seconds))
    }

    fn asking(now: Time, is_known: bool) -> Asking {
        let ask = Ask {
            id: AskId(1),
            what: What::LetGo,
        };
        Asking::new(ask, now, is_known)
    }

    fn answer(how: How) -> Answer {
        Answer {
            id: AskId(1),
            how,
            why: None,
        }
    }

    #[test]
    fn who_doesnt_answer_within_two_seconds_is_unreachable_and_who_works_is_waited_for() {
        let mut asking = asking(at(1000), true);
        assert_eq!(asking.given_up(at(1001), true), None);
        assert_eq!(asking.given_up(at(1002), true), Some(LetGo::Unanswered));
        assert_eq!(asking.given_up(at(1002), false), Some(LetGo::Silent));
        assert_eq!(asking.heard(&answer(How::Draining), at(1010)), None);
        assert_eq!(asking.given_up(at(1011), true), None);
        assert_eq!(
            asking.heard(&answer(How::Done), at(1012)),
            Some(LetGo::Released)
        );
    }

    #[test]
    fn a_network_that_comes_up_after_the_boot_gets_its_time() {
        assert_eq!(asking(at(30), false).given_up(at(44), false), None);
        assert!(asking(at(30), false).given_up(at(45), false).is_some());
        assert!(asking(at(30), true).given_up(at(32), false).is_some());
        assert!(asking(at(300), false).given_up(at(302), false).is_some());
    }
}
