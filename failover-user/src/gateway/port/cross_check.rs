//! Do the kernel's events and sock_diag's answers agree on who listens? The two are independent, so each
//! can show that the other is broken. The answer always wins; disagreements are only counted.

use std::{net::SocketAddr, time::Duration};

use failover_decide::Time;
use failover_linux::bpf::event::TcpStateChange;

/// An event may arrive later than the answer that reflects it, and the other way round: the two disagree
/// once they have differed for this long without another event.
const TOLERANCE: Duration = Duration::from_millis(500);

/// Limit for listeners that are compared. Beyond it the answer is taken as it is.
const MOST: usize = 4096;

/// The listeners by the events alone, and how often they differed from the answers.
#[derive(Debug, Default)]
pub(crate) struct CrossCheck {
    /// The listeners by the events alone; sorted.
    implied: Vec<SocketAddr>,
    /// Since when the two differ.
    differs_since: Option<Time>,
    /// When the answer was asked for that was taken for granted: it knows of all events before.
    adopted: Option<Time>,
    disagreements: u64,
}

/// Events and answer differ.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Disagreement {
    /// The listeners by the events.
    pub(crate) events: Vec<SocketAddr>,
    /// Number of disagreements so far, including this one.
    pub(crate) count: u64,
}

impl CrossCheck {
    /// Applies a state change of a socket of the port.
    pub(crate) fn event(&mut self, change: &TcpStateChange) {
        let local = change.local;
        let at = Time::from_boot(change.origin.time);
        if self.adopted.is_some_and(|asked| at < asked) {
            return;
        }
        if change.begins_to_listen() {
            if self.implied.len() >= MOST {
                return;
            }
            let place = self.implied.partition_point(|one| *one < local);
            self.implied.insert(place, local);
            self.differs_since = None;
        } else if change.ends_listening() {
            if let Ok(place) = self.implied.binary_search(&local) {
                self.implied.remove(place);
            }
            self.differs_since = None;
        }
    }

    /// Takes the answer for granted: events are known to be missing. Others may be on their way that
    /// happened before it was asked for.
    pub(crate) fn adopt(&mut self, asked: Time, answer: impl Iterator<Item = SocketAddr>) {
        self.implied = answer.collect();
        self.implied.sort_unstable();
        self.differs_since = None;
        self.adopted = Some(asked);
    }

    /// Compares the answer with the events. After a disagreement it continues from the answer.
    pub(crate) fn compare(
        &mut self,
        now: Time,
        answer: impl Iterator<Item = SocketAddr>,
    ) -> Option<Disagreement> {
        let mut answer: Vec<SocketAddr> = answer.collect();
        answer.sort_unstable();
        if answer == self.implied {
            self.differs_since = None;
            return None;
        }
        let since = *self.differs_since.get_or_insert(now);
        if now.since(since) < TOLERANCE {
            return None;
        }
        self.differs_since = None;
        self.disagreements = self.disagreements.saturating_add(1);
        Some(Disagreement {
            events: std::mem::replace(&mut self.implied, answer),
            count: self.disagreements,
        })
    }

    /// Number of disagreements.
    pub(crate) fn disagreements(&self) -> u64 {
        self.disagreements
    }

    /// Time until a difference becomes a disagreement.
    pub(crate) fn remaining(&self, now: Time) -> Option<Duration> {
        self.differs_since
            .map(|since| TOLERANCE.saturating_sub(now.since(since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failover_linux::bpf::event::{Origin, TcpState};

    const FOUR: &str = "127.0.0.1:18789";
    const SIX: &str = "[::1]:18789";

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn answer(texts: &[&str]) -> impl Iterator<Item = SocketAddr> {
        texts.iter().map(|text| address(text))
    }

    fn change(local: &str, old: TcpState, new: TcpState) -> TcpStateChange {
        TcpStateChange {
            origin: Origin {
                time: Duration::ZERO,
                pid: Some(42),
                tid: Some(42),
                uid: 0,
                comm: "gateway".to_owned(),
                netns: 1,
            },
            old,
            new,
            local: address(local),
            remote: address("0.0.0.0:0"),
            error: None,
        }
    }

    fn listens(local: &str) -> TcpStateChange {
        change(local, TcpState::Close, TcpState::Listen)
    }

    fn at(milliseconds: u64) -> Time {
        Time::from_boot(Duration::from_millis(milliseconds))
    }

    #[test]
    fn a_gateway_with_two_sockets_is_followed_by_both_views() {
        let mut cross_check = CrossCheck::default();
        cross_check.event(&listens(FOUR));
        cross_check.event(&listens(SIX));
        assert_eq!(cross_check.compare(at(0), answer(&[SIX, FOUR])), None);
        assert_eq!(cross_check.remaining(at(0)), None);
        cross_check.event(&change(FOUR, TcpState::Listen, TcpState::Close));
        assert_eq!(cross_check.compare(at(1), answer(&[SIX])), None);
        assert_eq!(cross_check.remaining(at(1)), None);
    }

    #[test]
    fn a_connection_that_a_client_makes_ends_no_listener() {
        let mut cross_check = CrossCheck::default();
        cross_check.event(&listens(FOUR));
        // The socket of the connection, which begins as a copy of the listener.
        cross_check.event(&change(FOUR, TcpState::Listen, TcpState::SynRecv));
        cross_check.event(&change(FOUR, TcpState::SynRecv, TcpState::Established));
        assert_eq!(cross_check.compare(at(0), answer(&[FOUR])), None);
        assert_eq!(cross_check.remaining(at(0)), None);
    }

    #[test]
    fn two_sockets_at_one_address_are_two() {
        let mut cross_check = CrossCheck::default();
        cross_check.event(&listens(FOUR));
        cross_check.event(&listens(FOUR));
        cross_check.event(&change(FOUR, TcpState::Listen, TcpState::Close));
        assert_eq!(cross_check.compare(at(0), answer(&[FOUR])), None);
        assert_eq!(cross_check.remaining(at(0)), None);
    }

    #[test]
    fn an_event_that_is_on_its_way_is_waited_for() {
        let mut cross_check = CrossCheck::default();
        assert_eq!(cross_check.compare(at(0), answer(&[FOUR])), None);
        assert_eq!(
            cross_check.remaining(at(100)),
            Some(Duration::from_millis(400))
        );
        cross_check.event(&listens(FOUR));
        assert_eq!(cross_check.compare(at(1000), answer(&[FOUR])), None);
    }

    #[test]
    fn a_difference_that_stays_is_a_disagreement_once_and_the_answer_wins() {
        let mut cross_check = CrossCheck::default();
        cross_check.event(&listens(SIX));
        assert_eq!(cross_check.compare(at(0), answer(&[FOUR])), None);
        let disagreement = Disagreement {
            events: vec![address(SIX)],
            count: 1,
        };
        assert_eq!(
            cross_check.compare(at(500), answer(&[FOUR])),
            Some(disagreement)
        );
        assert_eq!(cross_check.compare(at(501), answer(&[FOUR])), None);
        assert_eq!(cross_check.remaining(at(501)), None);
    }

    #[test]
    fn what_was_lost_is_no_disagreement() {
        let mut cross_check = CrossCheck::default();
        cross_check.adopt(at(0), answer(&[FOUR]));
        assert_eq!(cross_check.compare(at(0), answer(&[FOUR])), None);
        assert_eq!(cross_check.remaining(at(0)), None);
    }

    #[test]
    fn an_answer_knows_what_happened_before_it_was_asked_for() {
        let mut cross_check = CrossCheck::default();
        let listens_at = |milliseconds| {
            let mut listens = listens(FOUR);
            listens.origin.time = Duration::from_millis(milliseconds);
            listens
        };
        cross_check.adopt(at(10), answer(&[FOUR]));
        cross_check.event(&listens_at(9));
        assert_eq!(cross_check.compare(at(11), answer(&[FOUR])), None);
        assert_eq!(cross_check.remaining(at(11)), None);
        cross_check.event(&listens_at(12));
        assert_eq!(cross_check.compare(at(13), answer(&[FOUR, FOUR])), None);
        assert_eq!(cross_check.remaining(at(13)), None);
    }
}
