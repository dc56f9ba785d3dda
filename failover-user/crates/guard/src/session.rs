//! Which beats are fresh: of the other side's present start, sent to this side's present start, and not heard before.
//!
//! Each side draws a [`Nonce`] when it starts, and returns the other's in all that it sends. So what was recorded
//! before this side started is never fresh, nor is what the other side sent before it was restarted.

use std::collections::VecDeque;

use thiserror::Error;

use crate::beat::{Beat, Nonce};

/// Beats may overtake each other by this many.
const WINDOW: u64 = 64;
/// Earlier starts of the other side that are remembered. Once they are this many, this side draws a new nonce, which
/// refuses all that came before.
const MOST_RETIRED: usize = 64;

/// What is known of the other side's present start.
#[derive(Clone, Debug)]
pub struct Session {
    own: Nonce,
    current: Option<Current>,
    retired: VecDeque<Nonce>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    from: Nonce,
    /// The highest sequence number.
    newest: u64,
    /// Bit n: that many before it was heard.
    heard: u64,
}

/// A fresh beat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fresh {
    /// The newest of its start.
    Newest,
    /// The first of a new start.
    NewStart,
    /// Overtaken by a newer one: it says nothing new.
    Overtaken,
}

/// Why a beat isn't fresh.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, Ord, PartialEq, PartialOrd)]
pub enum Stale {
    /// Its sender doesn't know of this start yet. Answer with a beat of one's own, so that it does.
    #[error("sent to nobody, or to an earlier start")]
    OtherStart,
    /// It was heard before, or is of an earlier start.
    #[error("heard before")]
    Replayed,
}

impl Session {
    /// Nothing is known yet; `own` is random.
    #[must_use]
    pub const fn new(own: Nonce) -> Self {
        Self {
            own,
            current: None,
            retired: VecDeque::new(),
        }
    }

    /// What beats of this side are from.
    #[must_use]
    pub const fn own(&self) -> Nonce {
        self.own
    }

    /// What beats of this side are to.
    #[must_use]
    pub fn other(&self) -> Option<Nonce> {
        self.current.map(|current| current.from)
    }

    /// Must [`Self::renew`] be called? The list of earlier starts is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.retired.len() >= MOST_RETIRED
    }

    /// Continues under another random nonce: nothing that was sent before is fresh any longer.
    pub fn renew(&mut self, own: Nonce) {
        // The other side's start is kept, so that it is told of the new nonce.
        self.own = own;
        self.retired.clear();
    }

    /// The other side's start, as an authentic but not fresh beat has it: beats of this side are sent to it, so that it
    /// can send fresh ones.
    pub fn introduce(&mut self, from: Nonce) {
        if self.current.is_none() && !self.retired.contains(&from) {
            self.current = Some(Current {
                from,
                newest: 0,
                heard: 0,
            });
        }
    }

    /// Is this authentic beat fresh?
    ///
    /// # Errors
    /// When it isn't.
    pub fn accept(&mut self, beat: &Beat) -> Result<Fresh, Stale> {
        if beat.to != Some(self.own) {
            return Err(Stale::OtherStart);
        }
        if self.retired.contains(&beat.from) {
            return Err(Stale::Replayed);
        }
        match &mut self.current {
            Some(current) if current.from == beat.from => current.accept(beat.sequence),
            earlier => {
                let began = Current {
                    from: beat.from,
                    newest: beat.sequence,
                    heard: 1,
                };
                if let Some(earlier) = earlier.replace(began) {
                    self.retired.push_back(earlier.from);
                    self.retired.truncate(MOST_RETIRED);
                }
                Ok(Fresh::NewStart)
            }
        }
    }
}

impl Current {
    fn accept(&mut self, sequence: u64) -> Result<Fresh, Stale> {
        if self.heard == 0 {
            (self.newest, self.heard) = (sequence, 1);
            return Ok(Fresh::NewStart);
        }
        if let Some(ahead) = sequence.checked_sub(self.newest).filter(|ahead| *ahead > 0) {
            self.heard = shifted(self.heard, ahead) | 1;
            self.newest = sequence;
            return Ok(Fresh::Newest);
        }
        let behind = self.newest - sequence;
        let bit = 1u64.checked_shl(u32::try_from(behind).unwrap_or(u32::MAX));
        match bit {
            Some(bit) if behind < WINDOW && self.heard & bit == 0 => {
                self.heard |= bit;
                Ok(Fresh::Overtaken)
            }
            _ => Err(Stale::Replayed),
        }
    }
}

fn shifted(bits: u64, by: u64) -> u64 {
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    bits.checked_shl(by).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::beat::{GatewayState, HostName};

    const OWN: Nonce = Nonce(100);

    fn beat(from: u64, to: Option<Nonce>, sequence: u64) -> Beat {
        Beat {
            from: Nonce(from),
            to,
            sequence,
            interval_ms: 50,
            host: HostName::default(),
            boot: None,
            gateway: GatewayState::Unknown,
            announcement: None,
            asks: None,
            answers: None,
            sent_us: 0,
            echo: None,
        }
    }

    #[test]
    fn a_recorded_beat_is_never_fresh_again() {
        let mut session = Session::new(OWN);
        assert_eq!(session.accept(&beat(1, Some(OWN), 1)), Ok(Fresh::NewStart));
        assert_eq!(session.accept(&beat(1, Some(OWN), 2)), Ok(Fresh::Newest));
        assert_eq!(session.accept(&beat(1, Some(OWN), 1)), Err(Stale::Replayed));
        // The other side is restarted, and its former beats are played again.
        assert_eq!(session.accept(&beat(2, Some(OWN), 1)), Ok(Fresh::NewStart));
        assert_eq!(session.accept(&beat(1, Some(OWN), 3)), Err(Stale::Replayed));
        // This side is restarted, and all is played again.
        let mut session = Session::new(Nonce(101));
        assert_eq!(
            session.accept(&beat(2, Some(OWN), 2)),
            Err(Stale::OtherStart)
        );
    }

    #[test]
    fn two_that_start_at_once_come_to_know_each_other() {
        let (mut one, mut two) = (Session::new(Nonce(1)), Session::new(Nonce(2)));
        let first = beat(1, one.other(), 1);
        assert_eq!(two.accept(&first), Err(Stale::OtherStart));
        two.introduce(first.from);
        let answer = beat(2, two.other(), 1);
        assert_eq!(one.accept(&answer), Ok(Fresh::NewStart));
        let second = beat(1, one.other(), 2);
        assert_eq!(two.accept(&second), Ok(Fresh::NewStart));
    }

    #[test]
    fn a_recorded_introduction_keeps_nobody_out() {
        let mut session = Session::new(OWN);
        session.introduce(Nonce(1));
        assert_eq!(session.accept(&beat(2, Some(OWN), 5)), Ok(Fresh::NewStart));
    }

    #[test]
    fn after_many_starts_a_new_nonce_refuses_them_all() {
        let mut session = Session::new(OWN);
        let mut sent = Vec::new();
        for from in 0..1000 {
            let first = beat(from, Some(session.own()), 1);
            assert_eq!(session.accept(&first), Ok(Fresh::NewStart));
            sent.push(first);
            if session.is_full() {
                session.renew(Nonce(session.own().0 + 1));
            }
        }
        for played in sent {
            assert!(session.accept(&played).is_err(), "{played:?}");
        }
    }

    proptest! {
        #[test]
        fn no_sequence_number_counts_twice(numbers in prop::collection::vec(0u64..300, 1..400)) {
            let mut session = Session::new(OWN);
            let mut heard = HashSet::new();
            for number in numbers {
                if session.accept(&beat(1, Some(OWN), number)).is_ok() {
                    prop_assert!(heard.insert(number), "{number}");
                }
            }
        }
    }
}
