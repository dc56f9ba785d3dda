//! An ICMP echo: is anybody at this address?

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, getsockname,
        ipproto, recv, send, socket_with,
    },
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    task::yield_now,
    time::{Instant, interval_at},
};

/// Holds an answer with the longest IPv4 header before it; what is longer is no answer of ours.
const LONGEST_ANSWER: usize = 128;
/// ICMP header (RFC 792 and RFC 4443, section 4.1), and what tells our answer from others'.
const MESSAGE: usize = 8 + NONCE;
const NONCE: usize = 8;

/// A router may drop single requests: many limit their rate of answers, and everything else comes
/// first.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// Returns when the address has answered; its port means nothing. Asks again each second, so the caller
/// should give up on it sometime.
///
/// # Errors
/// When it can't be asked, or the network says that it can't be reached.
pub async fn echo(mut address: SocketAddr) -> io::Result<()> {
    address.set_port(0);
    let request = EchoRequest::new(address.ip());
    let (socket, kind) = socket(request.family)?;
    connect(&socket, &address)?;
    // The kernel gives a ping socket an identifier, which it keeps where others have their port
    // (ping_get_port, net/ipv4/ping.c, 6.18).
    let identifier = match kind {
        Kind::Ping => SocketAddr::try_from(getsockname(&socket)?)?.port(),
        Kind::Raw => request.identifier,
    };
    send(&socket, &request.message(), SendFlags::empty())?;
    let mut asked_again = interval_at(Instant::now() + ASKED_AGAIN, ASKED_AGAIN);
    // SAFETY: an `OwnedFd` owns its descriptor until it is dropped, and always returns that one.
    let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }?;
    let mut buffer = [0; LONGEST_ANSWER];
    loop {
        let mut ready = tokio::select! {
            ready = socket.readable() => ready?,
            _ = asked_again.tick() => {
                send(socket.get_ref(), &request.message(), SendFlags::empty())?;
                continue;
            }
        };
        let received = ready.try_io(|socket| {
            let (length, _) = recv(socket.get_ref(), &mut buffer, RecvFlags::empty())?;
            Ok(length)
        });
        match received {
            Ok(Ok(length)) => {
                let packet = buffer.get(..length).unwrap_or_default();
                if request.is_answered_by(packet, kind, identifier) {
                    return Ok(());
                }
                // A raw socket hears everything that the address sends, however much it is.
                yield_now().await;
            }
            Ok(Err(error)) => return Err(error),
            Err(_nothing_there) => {}
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// The kernel hands us the answers to this socket only.
    Ping,
    /// The kernel hands us every ICMP message from the address; IPv4's with their IP header.
    Raw,
}

/// A ping socket where net.ipv4.ping_group_range (for both families, icmp(7)) has our group, else a
/// raw one.
fn socket(family: AddressFamily) -> io::Result<(OwnedFd, Kind)> {
    let protocol = Some(match family {
        AddressFamily::INET => ipproto::ICMP,
        _ => ipproto::ICMPV6,
    });
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    if let Ok(socket) = socket_with(family, SocketType::DGRAM, flags, protocol) {
        return Ok((socket, Kind::Ping));
    }
    match socket_with(family, SocketType::RAW, flags, protocol) {
        Ok(socket) => Ok((socket, Kind::Raw)),
        Err(Errno::PERM) => Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it can't be pinged without CAP_NET_RAW, or a net.ipv4.ping_group_range with our \
             group; a witness with a port needs neither",
        )),
        Err(errno) => Err(errno.into()),
    }
}

/// An echo request. Every one is unlike all others.
struct EchoRequest {
    family: AddressFamily,
    nonce: u64,
    /// The first two bytes of the nonce are the identifier, the next two the sequence number.
    identifier: u16,
    sequence: u16,
}

impl EchoRequest {
    fn new(address: IpAddr) -> Self {
        let nonce = RandomState::new().hash_one(address);
        let [first, second, third, fourth, ..] = nonce.to_be_bytes();
        Self {
            family: match address {
                IpAddr::V4(_) => AddressFamily::INET,
                IpAddr::V6(_) => AddressFamily::INET6,
            },
            nonce,
            identifier: u16::from_be_bytes([first, second]),
            sequence: u16::from_be_bytes([third, fourth]),
        }
    }

    /// ICMP types of request and answer (RFC 792; RFC 4443, sections 4.1 and 4.2).
    fn types(&self) -> (u8, u8) {
        match self.family {
            AddressFamily::INET => (8, 0),
            _ => (128, 129),
        }
    }

    fn message(&self) -> [u8; MESSAGE] {
        let [one, two] = self.identifier.to_be_bytes();
        let [three, four] = self.sequence.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = self.nonce.to_be_bytes();
        let kind = self.types().0;
        let unsummed = [kind, 0, 0, 0, one, two, three, four, a, b, c, d, e, f, g, h];
        // Raw IPv4 needs it; the kernel fills in all others'.
        let [high, low] = checksum(&unsummed).to_be_bytes();
        [
            kind, 0, high, low, one, two, three, four, a, b, c, d, e, f, g, h,
        ]
    }

    fn is_answered_by(&self, packet: &[u8], kind: Kind, identifier: u16) -> bool {
        let message = match (self.family, kind) {
            // The low half of the first byte counts the header's words (RFC 791, section 3.1).
            (AddressFamily::INET, Kind::Raw) => packet
                .first()
                .and_then(|first| packet.get(usize::from(first & 0x0f) * 4..)),
            _ => Some(packet),
        };
        let Some(&[kind, 0, _, _, one, two, three, four, ref nonce @ ..]) = message else {
            return false;
        };
        kind == self.types().1
            && u16::from_be_bytes([one, two]) == identifier
            && u16::from_be_bytes([three, four]) == self.sequence
            && nonce == self.nonce.to_be_bytes()
    }
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(message: &[u8]) -> u16 {
    let sum = message
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok())
        .map(u16::from_be_bytes)
        .fold(0_u16, |sum, word| {
            let (sum, carry) = sum.overflowing_add(word);
            // No second carry: a sum that has just overflowed is less than its greatest value.
            sum + u16::from(carry)
        });
    !sum
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use tokio::time::timeout;

    use super::*;

    fn request(address: &str) -> EchoRequest {
        EchoRequest::new(address.parse().unwrap())
    }

    /// What a host would answer.
    fn answer(request: &EchoRequest) -> Vec<u8> {
        let mut answer = request.message().to_vec();
        answer[0] = request.types().1;
        answer
    }

    #[tokio::test]
    async fn the_loopback_answers_whoever_may_ask() {
        for address in ["127.0.0.1", "::1"] {
            let address = SocketAddr::new(address.parse().unwrap(), 9);
            let asked = timeout(Duration::from_secs(5), echo(address))
                .await
                .unwrap();
            match asked {
                Ok(()) => {}
                Err(error) => assert!(error.to_string().contains("CAP_NET_RAW"), "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn where_no_packet_can_go_the_kernel_says_why() {
        // A broadcast, which nobody allowed; or a machine without a network.
        let error = echo("255.255.255.255:9".parse().unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(error.raw_os_error(), Some(libc::EACCES | libc::ENETUNREACH))
                || error.to_string().contains("CAP_NET_RAW"),
            "{error}"
        );
    }

    #[test]
    fn only_the_answer_to_this_very_question_counts() {
        for address in ["10.0.0.1", "fd00::1"] {
            let request = request(address);
            let right = answer(&request);
            let is_answer =
                |packet: &[u8]| request.is_answered_by(packet, Kind::Ping, request.identifier);
            assert!(is_answer(&right));
            // The request itself, as a raw socket hears it on the loopback.
            assert!(!is_answer(&request.message()));
            for position in (0..right.len()).filter(|position| ![2, 3].contains(position)) {
                let mut wrong = right.clone();
                wrong[position] ^= 1;
                assert!(!is_answer(&wrong), "byte {position} of {address}");
            }
            for length in 0..right.len() {
                assert!(!is_answer(&right[..length]), "{length} bytes of {address}");
            }
            assert!(!request.is_answered_by(&right, Kind::Ping, !request.identifier));
        }
    }

    #[test]
    fn a_raw_socket_tells_the_ip_header_too() {
        let request = request("10.0.0.1");
        for words in [5_u8, 15] {
            let mut packet = vec![0; usize::from(words) * 4];
            packet[0] = 0x40 | words;
            packet.extend(answer(&request));
            assert!(request.is_answered_by(&packet, Kind::Raw, request.identifier));
            assert!(!request.is_answered_by(&packet, Kind::Ping, request.identifier));
        }
        assert!(!request.is_answered_by(&[], Kind::Raw, request.identifier));
        assert!(!request.is_answered_by(&[0x4f], Kind::Raw, request.identifier));
    }

    #[test]
    fn a_message_sums_up_to_nothing_with_its_checksum() {
        for _ in 0..1000 {
            assert_eq!(checksum(&request("10.0.0.1").message()), 0);
        }
        // RFC 1071, section 3.
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&example), !0xddf2);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_makes_it_panic(packet in vec(any::<u8>(), 0..LONGEST_ANSWER)) {
            for address in ["10.0.0.1", "fd00::1"] {
                for kind in [Kind::Ping, Kind::Raw] {
                    // Nobody guesses a nonce.
                    assert!(!request(address).is_answered_by(&packet, kind, 1));
                }
            }
        }
    }
}
