//! How two hosts agree on their keys: a Diffie-Hellman exchange (X25519, RFC 7748) and a code of six digits that an
//! operator compares, so that nobody in between can take part.
//!
//! The first side commits to its public key before it sees the other's, so that somebody in between can't search for
//! keys with the same code: one try in a million (as in RFC 6189, 4.4).
//!
//! 1. first to second: a digest of its public key and salt;
//! 2. second to first: its public key and salt;
//! 3. first to second: its public key and salt, which the digest must match.

use ring::{
    agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral},
    digest::{SHA256, digest},
    hkdf,
    rand::{SecureRandom as _, SystemRandom},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::keys::{KeyId, KeyPair, LENGTH};

/// Of a public key, a salt and a digest.
const SIZE: usize = 32;
/// Keeps these digests apart from those of any other use.
const PURPOSE: &[u8] = b"failover guard pair 1";

/// Which end of the exchange a host is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// It began.
    First,
    /// It waited.
    Second,
}

/// What the first side says first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Commitment(pub [u8; SIZE]);

/// What a side contributes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Contribution {
    /// Its public key.
    pub public: [u8; SIZE],
    /// Random.
    pub salt: [u8; SIZE],
}

/// An exchange in progress.
pub struct Exchange {
    private: EphemeralPrivateKey,
    own: Contribution,
}

/// What both sides have afterwards.
#[derive(Debug)]
pub struct Agreement {
    /// For the key file.
    pub pair: KeyPair,
    /// Six digits, the same on both sides: the operator compares them.
    pub code: String,
}

/// Why there is no agreement.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PairingError {
    /// No random numbers.
    #[error("the kernel gives no random numbers")]
    Random,
    /// The first side has changed its mind: somebody is in between.
    #[error(
        "the other side's key isn't the one that it announced; somebody may be in between: begin again"
    )]
    Commitment,
    /// No public key.
    #[error("the other side's key is none; begin again")]
    Key,
}

impl Exchange {
    /// Draws a key.
    ///
    /// # Errors
    /// When there are no random numbers.
    pub fn begin() -> Result<Self, PairingError> {
        let random = SystemRandom::new();
        let private = EphemeralPrivateKey::generate(&X25519, &random);
        let private = private.map_err(|_| PairingError::Random)?;
        let public = private
            .compute_public_key()
            .map_err(|_| PairingError::Random)?;
        let public = public
            .as_ref()
            .try_into()
            .map_err(|_| PairingError::Random)?;
        let mut salt = [0; SIZE];
        random.fill(&mut salt).map_err(|_| PairingError::Random)?;
        Ok(Self {
            private,
            own: Contribution { public, salt },
        })
    }

    /// What the first side says first.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        commitment(&self.own)
    }

    /// What this side contributes.
    #[must_use]
    pub const fn contribution(&self) -> &Contribution {
        &self.own
    }

    /// The keys. `committed` is what the first side said first: its own where this is the first side.
    ///
    /// # Errors
    /// When the other side isn't what it announced, or its key is none.
    pub fn agree(
        self,
        side: Side,
        committed: &Commitment,
        other: &Contribution,
    ) -> Result<Agreement, PairingError> {
        let own = self.own;
        let (first, second) = match side {
            Side::First => (&own, other),
            Side::Second => (other, &own),
        };
        if commitment(first) != *committed {
            return Err(PairingError::Commitment);
        }
        let said = [
            PURPOSE,
            &committed.0,
            &second.public,
            &second.salt,
            &first.public,
            &first.salt,
        ];
        let said = digest(&SHA256, &said.concat());
        let public = UnparsedPublicKey::new(&X25519, other.public);
        let agreed = agree_ephemeral(self.private, &public, |shared| {
            let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, said.as_ref()).extract(shared);
            let forth = expand(&secret, b"first to second")?;
            let back = expand(&secret, b"second to first")?;
            let [a, b, c, d, ..] = expand(&secret, b"name")?;
            let code = expand(&secret, b"code")?;
            Some((forth, back, u32::from_be_bytes([a, b, c, d]), code))
        });
        let (forth, back, id, code) = agreed.ok().flatten().ok_or(PairingError::Key)?;
        let (send, receive) = match side {
            Side::First => (&forth, &back),
            Side::Second => (&back, &forth),
        };
        let [a, b, c, d, e, f, g, h, ..] = code;
        // 64 bits for six digits: the remainder favours none by more than one in 10^13.
        let code = u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 1_000_000;
        Ok(Agreement {
            pair: KeyPair::new(KeyId(id), send, receive),
            code: format!("{:03} {:03}", code / 1000, code % 1000),
        })
    }
}

fn commitment(of: &Contribution) -> Commitment {
    let committed = digest(&SHA256, &[PURPOSE, &of.public, &of.salt].concat());
    let mut bytes = [0; SIZE];
    bytes.copy_from_slice(committed.as_ref());
    Commitment(bytes)
}

fn expand(secret: &hkdf::Prk, purpose: &[u8]) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let purpose = [purpose];
    let expanded = secret.expand(&purpose, hkdf::HKDF_SHA256).ok()?;
    expanded.fill(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        beat::{Beat, GatewayState, HostName, Nonce},
        keys::KeyRing,
        seal::{open, seal},
    };

    fn paired() -> (Agreement, Agreement) {
        let (first, second) = (
            Exchange::begin().expect("one"),
            Exchange::begin().expect("two"),
        );
        let committed = first.commitment();
        let (one, two) = (first.contribution().clone(), second.contribution().clone());
        let second = second.agree(Side::Second, &committed, &one);
        let first = first.agree(Side::First, &committed, &two);
        (first.expect("agreed"), second.expect("agreed"))
    }

    #[test]
    fn both_sides_have_the_same_code_and_read_what_the_other_signs() {
        let (first, second) = paired();
        assert_eq!(first.code, second.code);
        assert_eq!(first.code.len(), "123 456".len());
        let ring = |agreement: Agreement| KeyRing::new(&[agreement.pair]).expect("a ring");
        let (first, second) = (ring(first), ring(second));
        let beat = Beat {
            from: Nonce(1),
            to: None,
            sequence: 1,
            interval_ms: 50,
            host: HostName::default(),
            boot: None,
            gateway: GatewayState::Unknown,
            announcement: None,
            asks: None,
            answers: None,
            sent_us: 0,
            echo: None,
        };
        for (sender, receiver) in [(&first, &second), (&second, &first)] {
            let datagram = seal(sender, &beat).expect("a datagram");
            assert!(open(receiver, &datagram).is_ok());
            assert!(open(sender, &datagram).is_err());
        }
    }

    #[test]
    fn somebody_in_between_makes_two_codes() {
        let (first, _) = paired();
        let (other, _) = paired();
        assert_ne!(first.code, other.code);
    }

    #[test]
    fn a_side_that_changes_its_key_after_it_saw_the_other_is_found_out() {
        let [first, changed, second] = [(); 3].map(|()| Exchange::begin().expect("an exchange"));
        let agreed = second.agree(Side::Second, &first.commitment(), changed.contribution());
        assert_eq!(agreed.expect_err("no agreement"), PairingError::Commitment);
    }

    #[test]
    fn a_key_that_makes_every_secret_the_same_is_refused() {
        let (first, second) = (
            Exchange::begin().expect("one"),
            Exchange::begin().expect("two"),
        );
        let zero = Contribution {
            public: [0; SIZE],
            salt: first.own.salt,
        };
        let agreed = second.agree(Side::Second, &commitment(&zero), &zero);
        assert_eq!(agreed.expect_err("no agreement"), PairingError::Key);
    }
}
