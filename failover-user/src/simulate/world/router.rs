//! The default router as a witness: another host that answers unless PC-B has no network. There is one,
//! and it stays. Pinged when the decider says so; what its answer means is the decider's to say.

use std::time::Duration;

use failover_decide::{DefaultRouter, Event, RouterId, Time};

/// A ping on its way.
#[derive(Default)]
pub(super) struct Router {
    /// Until when, and does the router answer?
    pinged: Option<(Time, bool)>,
}

fn id() -> RouterId {
    RouterId::new("router")
}

impl Router {
    /// As the daemon looks it up.
    pub(super) fn found() -> Event {
        Event::DefaultRouters(vec![DefaultRouter {
            id: id(),
            is_primary: false,
        }])
    }

    /// It is pinged: it answers after so long, or not until the timeout.
    pub(super) fn ping(&mut self, now: Time, answer: Option<Duration>, timeout: Duration) {
        self.pinged = Some((now + answer.unwrap_or(timeout), answer.is_some()));
    }

    /// When its answer comes, or is given up.
    pub(super) fn ends(&self) -> Option<Time> {
        self.pinged.map(|(ends, _)| ends)
    }

    /// Its answer, or silence, if that came until now.
    pub(super) fn ended(&mut self, now: Time) -> Option<Event> {
        let (_, answers) = self.pinged.take_if(|(ends, _)| *ends <= now)?;
        let answered = answers.then(id).into_iter().collect();
        Some(Event::RoutersPinged { answered })
    }

    /// All witnesses are asked for a decision, or PC-B boots: nobody waits for a ping.
    pub(super) fn give_up(&mut self) {
        self.pinged = None;
    }

    /// Timers stood still.
    pub(super) fn slept(&mut self, slept: Duration) {
        if let Some((ends, _)) = &mut self.pinged {
            *ends = *ends + slept;
        }
    }
}
