//! The keys of a pair: one a direction, two of which may be valid while they are replaced.

use std::fmt;

use ring::hmac;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The number of bytes of a key: as many as SHA-256 has, beyond which a longer one adds nothing (RFC 2104, 3).
pub const LENGTH: usize = 32;
/// While keys are replaced, the old and the new ones are valid.
const MOST_PAIRS: usize = 2;

/// Names a key in a datagram, so that its receiver need not try all.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct KeyId(pub u32);

/// A key for one direction.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    key: hmac::Key,
}

impl Key {
    /// A key of these bytes.
    #[must_use]
    pub fn new(id: KeyId, bytes: &[u8; LENGTH]) -> Self {
        Self {
            id,
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// For signing and verifying.
    pub(crate) const fn hmac(&self) -> &hmac::Key {
        &self.key
    }
}

// The bytes are nobody's business.
impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Key({:08x})", self.id.0)
    }
}

/// The keys of both directions, as a file has them.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct KeyPair {
    /// Names both.
    pub id: KeyId,
    /// For what this host sends, in hexadecimal digits.
    send: Digits,
    /// For what it receives.
    receive: Digits,
}

impl KeyPair {
    /// A pair of these keys.
    #[must_use]
    pub fn new(id: KeyId, send: &[u8; LENGTH], receive: &[u8; LENGTH]) -> Self {
        Self {
            id,
            send: Digits(*send),
            receive: Digits(*receive),
        }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyPair({:08x})", self.id.0)
    }
}

/// The keys that are valid now, the newest first.
#[derive(Clone, Debug)]
pub struct KeyRing {
    send: Key,
    receive: Vec<Key>,
}

/// Keys that can't be used.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum KeyError {
    /// There are none.
    #[error("there is no key; make one with `failover guard pair`")]
    None,
    /// More than a replacement needs.
    #[error(
        "there are {0} pairs of keys, of which at most {MOST_PAIRS} may be valid; remove the older ones"
    )]
    TooMany(usize),
    /// Two have one name.
    #[error("two pairs of keys have the same id; make a new pair with `failover guard pair`")]
    Twice,
}

impl KeyRing {
    /// The keys of these pairs, the newest first, which signs.
    ///
    /// # Errors
    /// When there are none, or too many.
    pub fn new(pairs: &[KeyPair]) -> Result<Self, KeyError> {
        let first = pairs.first().ok_or(KeyError::None)?;
        if pairs.len() > MOST_PAIRS {
            return Err(KeyError::TooMany(pairs.len()));
        }
        if pairs.iter().skip(1).any(|pair| pair.id == first.id) {
            return Err(KeyError::Twice);
        }
        Ok(Self {
            send: Key::new(first.id, &first.send.0),
            receive: pairs
                .iter()
                .map(|pair| Key::new(pair.id, &pair.receive.0))
                .collect(),
        })
    }

    /// Signs what is sent.
    #[must_use]
    pub const fn send(&self) -> &Key {
        &self.send
    }

    /// Verifies what is received under this name.
    #[must_use]
    pub fn receive(&self, id: KeyId) -> Option<&Key> {
        self.receive.iter().find(|key| key.id == id)
    }
}

/// A key as text.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
struct Digits([u8; LENGTH]);

/// Not a key.
#[derive(Debug, Error)]
#[error("a key has {} hexadecimal digits; make a new pair with `failover guard pair`", 2 * LENGTH)]
struct NoKey;

impl TryFrom<String> for Digits {
    type Error = NoKey;

    fn try_from(text: String) -> Result<Self, NoKey> {
        let mut bytes = [0; LENGTH];
        let digits: Vec<u32> = text
            .chars()
            .map(|digit| digit.to_digit(16).ok_or(NoKey))
            .collect::<Result<_, _>>()?;
        if digits.len() != 2 * LENGTH {
            return Err(NoKey);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let value = pair.iter().fold(0, |value, digit| value * 16 + digit);
            *byte = u8::try_from(value).map_err(|_| NoKey)?;
        }
        Ok(Self(bytes))
    }
}

impl From<Digits> for String {
    fn from(key: Digits) -> Self {
        key.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: u32) -> KeyPair {
        KeyPair::new(KeyId(id), &[1; LENGTH], &[2; LENGTH])
    }

    #[test]
    fn a_pair_is_read_as_it_is_written_and_never_shown() {
        let text = serde_json::to_string(&pair(7)).expect("text");
        let read: KeyPair = serde_json::from_str(&text).expect("a pair");
        assert_eq!(read, pair(7));
        assert_eq!(format!("{read:?}"), "KeyPair(00000007)");
        for wrong in [text.replace("01", "0g"), text.replace("0101", "01")] {
            assert!(serde_json::from_str::<KeyPair>(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn two_pairs_are_valid_while_they_are_replaced_and_no_more() {
        let ring = KeyRing::new(&[pair(2), pair(1)]).expect("a ring");
        assert_eq!(ring.send().id(), KeyId(2));
        assert!(ring.receive(KeyId(1)).is_some() && ring.receive(KeyId(2)).is_some());
        assert!(ring.receive(KeyId(3)).is_none());
        let error = |pairs: &[KeyPair]| KeyRing::new(pairs).expect_err("no ring");
        assert_eq!(error(&[]), KeyError::None);
        assert_eq!(error(&[pair(1), pair(1)]), KeyError::Twice);
        assert_eq!(error(&[pair(1), pair(2), pair(3)]), KeyError::TooMany(3));
    }
}
