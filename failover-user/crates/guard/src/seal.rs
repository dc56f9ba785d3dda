//! A datagram: a beat under its authentication code.
//!
//! | bytes | contents |
//! | --- | --- |
//! | 4 | `FOB1`: the format |
//! | 4 | the key's id, big-endian |
//! | 32 | HMAC-SHA-256 (RFC 2104) of the eight bytes before it and of all after it |
//! | at most 1,160 | the beat, as JSON |
//!
//! Nothing of a datagram is read before its code has been verified, besides these forty bytes.

use ring::hmac;
use thiserror::Error;

use crate::{
    beat::Beat,
    keys::{KeyId, KeyRing},
};

const FORMAT: &[u8; 4] = b"FOB1";
const HEADER: usize = 8;
const CODE: usize = 32;
/// The least that every IPv6 link carries is 1,280 bytes (RFC 8200, 5), headers included: it is never in fragments.
pub const LONGEST: usize = 1200;

/// Why a datagram was refused.
#[derive(Clone, Copy, Debug, Eq, Error, Hash, Ord, PartialEq, PartialOrd)]
pub enum Refusal {
    /// It isn't one of ours.
    #[error("not a heartbeat of this format")]
    Format,
    /// Signed with a key that isn't known here.
    #[error("signed with an unknown key")]
    UnknownKey,
    /// The code is wrong: another key, or changed on its way.
    #[error("its authentication code is wrong")]
    WrongCode,
    /// Signed, and not readable all the same.
    #[error("signed, but not readable")]
    Malformed,
}

/// A beat that can't be sent.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("a heartbeat has more than {LONGEST} bytes")]
pub struct TooLong;

/// The datagram of a beat.
///
/// # Errors
/// When it is longer than any link surely carries.
pub fn seal(keys: &KeyRing, beat: &Beat) -> Result<Vec<u8>, TooLong> {
    let payload = serde_json::to_vec(beat).map_err(|_| TooLong)?;
    let key = keys.send();
    let mut datagram = Vec::with_capacity(HEADER + CODE + payload.len());
    datagram.extend_from_slice(FORMAT);
    datagram.extend_from_slice(&key.id().0.to_be_bytes());
    let mut code = hmac::Context::with_key(key.hmac());
    code.update(&datagram);
    code.update(&payload);
    datagram.extend_from_slice(code.sign().as_ref());
    datagram.extend_from_slice(&payload);
    if datagram.len() > LONGEST {
        return Err(TooLong);
    }
    Ok(datagram)
}

/// The beat of a datagram that was signed with one of these keys, and which. It may still be a recorded one: see
/// [`crate::session`].
///
/// # Errors
/// When it wasn't, or is no beat.
pub fn open(keys: &KeyRing, datagram: &[u8]) -> Result<(Beat, KeyId), Refusal> {
    if datagram.len() > LONGEST {
        return Err(Refusal::Format);
    }
    let (format, rest) = datagram.split_first_chunk::<4>().ok_or(Refusal::Format)?;
    let (id, rest) = rest.split_first_chunk::<4>().ok_or(Refusal::Format)?;
    let (code, payload) = rest.split_first_chunk::<CODE>().ok_or(Refusal::Format)?;
    if format != FORMAT {
        return Err(Refusal::Format);
    }
    let id = KeyId(u32::from_be_bytes(*id));
    let key = keys.receive(id).ok_or(Refusal::UnknownKey)?;
    let signed: Vec<u8> = [format.as_slice(), &id.0.to_be_bytes(), payload].concat();
    // In constant time.
    hmac::verify(key.hmac(), &signed, code).map_err(|_| Refusal::WrongCode)?;
    let beat = serde_json::from_slice(payload).map_err(|_| Refusal::Malformed)?;
    Ok((beat, id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        beat::{GatewayState, HostName, Nonce},
        keys::{KeyPair, LENGTH},
    };

    fn rings() -> (KeyRing, KeyRing) {
        let (one, two) = ([1; LENGTH], [2; LENGTH]);
        let ring = |pair| KeyRing::new(&[pair]).expect("a ring");
        (
            ring(KeyPair::new(KeyId(9), &one, &two)),
            ring(KeyPair::new(KeyId(9), &two, &one)),
        )
    }

    fn beat() -> Beat {
        Beat {
            from: Nonce(1),
            to: Some(Nonce(2)),
            sequence: 3,
            interval_ms: 50,
            host: HostName::from("pc-a".to_owned()),
            boot: None,
            gateway: GatewayState::Answering,
            announcement: None,
            asks: None,
            answers: None,
            sent_us: 4,
            echo: None,
        }
    }

    #[test]
    fn what_one_side_seals_the_other_opens() {
        let (primary, standby) = rings();
        let datagram = seal(&primary, &beat()).expect("a datagram");
        assert_eq!(open(&standby, &datagram), Ok((beat(), KeyId(9))));
    }

    #[test]
    fn what_a_side_sent_itself_is_refused() {
        let (primary, _) = rings();
        let datagram = seal(&primary, &beat()).expect("a datagram");
        assert_eq!(open(&primary, &datagram), Err(Refusal::WrongCode));
    }

    #[test]
    fn another_key_is_told_from_a_wrong_code() {
        let (primary, _) = rings();
        let other = KeyPair::new(KeyId(8), &[2; LENGTH], &[1; LENGTH]);
        let other = KeyRing::new(&[other]).expect("a ring");
        let datagram = seal(&primary, &beat()).expect("a datagram");
        assert_eq!(open(&other, &datagram), Err(Refusal::UnknownKey));
    }

    proptest! {
        #[test]
        fn a_datagram_that_was_changed_in_any_bit_is_refused(position: prop::sample::Index, bit in 0u8..8) {
            let (primary, standby) = rings();
            let mut datagram = seal(&primary, &beat()).expect("a datagram");
            let position = position.index(datagram.len());
            datagram[position] ^= 1 << bit;
            prop_assert!(open(&standby, &datagram).is_err());
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let (_, standby) = rings();
            prop_assert!(open(&standby, &bytes).is_err());
        }
    }
}
