//! Asking the kernel over netlink(7): one question, all its answers, never waiting for long.

use std::{
    fmt::Debug,
    io,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use netlink_packet_core::{
    DecodeError, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send,
        socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use thiserror::Error;

/// The kernel answers in microseconds; this is for the day when it doesn't.
const PATIENCE: Duration = Duration::from_secs(1);
/// What the kernel puts into one datagram at most (netlink_dump, net/netlink/af_netlink.c, 6.18).
const DATAGRAM: usize = 32 * 1024;
/// Far more than routes and interfaces have answers.
const MOST_ANSWERS: usize = 4096;
/// What changed during a dump is dumped again this often.
const MOST_ATTEMPTS: usize = 3;

/// `struct nlmsghdr`, and what follows each message (include/uapi/linux/netlink.h, 6.18).
const HEADER: usize = 16;
const ALIGNMENT: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// Something changed while it was dumped, so something may be missing or there twice.
const NLM_F_DUMP_INTR: u16 = 0x10;

/// Which part of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Protocol {
    /// rtnetlink(7).
    Route,
    /// sock_diag(7).
    SockDiag,
}

/// The kernel can't be asked, or its answer isn't one.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] Errno),
    /// The kernel said no.
    #[error(transparent)]
    Refused(io::Error),
    /// The answer is damaged.
    #[error("the answer can't be read: {0}")]
    Damaged(#[from] DecodeError),
    /// There is no end to the answers.
    #[error("more than {MOST_ANSWERS} answers")]
    TooMany,
    /// There is none in time.
    #[error("the kernel takes longer than it should")]
    TooLong,
    /// It changes faster than it is dumped.
    #[error("what was asked for changed while the kernel answered")]
    Changing,
}

/// A socket to ask with, in the network namespace of the thread that opened it. One that returned an
/// error may still get late answers: ask the next question on another.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens a socket for one part of the kernel.
    ///
    /// # Errors
    /// When the kernel refuses it.
    pub fn open(protocol: Protocol) -> Result<Self, NetlinkError> {
        let protocol = match protocol {
            Protocol::Route => None,
            Protocol::SockDiag => Some(netlink::SOCK_DIAG),
        };
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// Sends the request and returns what is answered.
    pub fn request<M>(&self, flags: u16, message: M) -> Result<Vec<M>, NetlinkError>
    where
        M: NetlinkSerializable + NetlinkDeserializable + Debug,
        NetlinkPayload<M>: From<M>,
    {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = 1;
        let mut packet = NetlinkMessage::new(header, NetlinkPayload::from(message));
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        let is_dump = flags & NLM_F_DUMP == NLM_F_DUMP;
        for _ in 0..MOST_ATTEMPTS {
            send(&self.0, &bytes, SendFlags::empty())?;
            let mut answers = Vec::new();
            let mut problem = None;
            let mut take = |message: &[u8]| {
                match NetlinkMessage::<M>::deserialize(message).map(|packet| packet.payload) {
                    Ok(NetlinkPayload::InnerMessage(answer)) => answers.push(answer),
                    Ok(_) => {}
                    Err(error) => problem = Some(error.into()),
                }
                if answers.len() > MOST_ANSWERS {
                    problem = Some(NetlinkError::TooMany);
                }
                match problem {
                    None => ControlFlow::Continue(()),
                    Some(_) => ControlFlow::Break(()),
                }
            };
            let received = receive(&self.0, is_dump, Instant::now() + PATIENCE, &mut take);
            match (problem, received) {
                (Some(problem), _) => return Err(problem),
                (None, Ok(())) => return Ok(answers),
                (None, Err(NetlinkError::Changing)) => {}
                (None, Err(error)) => return Err(error),
            }
        }
        Err(NetlinkError::Changing)
    }

    /// Asks for a dump, and gives each answer's payload to `take` until that breaks off. `payload`: what
    /// follows the header of a request of this type. After breaking off, ask the next question on another
    /// socket.
    pub fn dump(
        &self,
        message_type: u16,
        payload: &[u8],
        deadline: Instant,
        mut take: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), NetlinkError> {
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        let length = u32::try_from(HEADER + payload.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER + payload.len());
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&message_type.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        // Number and port: there is one question at a time, and the kernel fills in the port.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(payload);
        send(&self.0, &bytes, SendFlags::empty())?;
        receive(&self.0, true, deadline, &mut |message| {
            take(message.get(HEADER..).unwrap_or_default())
        })
    }
}

/// Gives each message of the answer to `take`, without those that only end it.
fn receive(
    socket: &OwnedFd,
    is_dump: bool,
    deadline: Instant,
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), NetlinkError> {
    let mut is_changing = false;
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let length = match recv(socket, buffer.as_mut_slice(), RecvFlags::TRUNC) {
            Ok((_, length)) => length,
            Err(Errno::INTR) => continue,
            Err(Errno::AGAIN) => return Err(NetlinkError::TooLong),
            Err(error) => return Err(error.into()),
        };
        let Some(datagram) = buffer.get(..length) else {
            return Err(NetlinkError::Damaged("an answer was cut off".into()));
        };
        match messages(datagram, &mut is_changing, take) {
            ControlFlow::Break(Ok(())) if is_changing => return Err(NetlinkError::Changing),
            ControlFlow::Break(end) => return end,
            ControlFlow::Continue(()) if !is_dump => return Ok(()),
            ControlFlow::Continue(()) if Instant::now() >= deadline => {
                return Err(NetlinkError::TooLong);
            }
            ControlFlow::Continue(()) => {}
        }
    }
}

/// The messages of one datagram. Breaks off with how the answer ended, if it did.
fn messages(
    datagram: &[u8],
    is_changing: &mut bool,
    take: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> ControlFlow<Result<(), NetlinkError>> {
    let mut rest = datagram;
    while !rest.is_empty() {
        let Some((message, kind, flags)) = first(rest) else {
            let error = NetlinkError::Damaged("a message is longer than its datagram".into());
            return ControlFlow::Break(Err(error));
        };
        *is_changing |= flags & NLM_F_DUMP_INTR != 0;
        let code = message
            .get(HEADER..)
            .and_then(|payload| payload.first_chunk());
        let code = code.map_or(0, |code| i32::from_ne_bytes(*code));
        match kind {
            // A dump that fails ends with a negative code as well (netlink_dump_done).
            NLMSG_ERROR | NLMSG_DONE if code < 0 => {
                let error = io::Error::from_raw_os_error(code.wrapping_neg());
                return ControlFlow::Break(Err(NetlinkError::Refused(error)));
            }
            NLMSG_DONE => return ControlFlow::Break(Ok(())),
            NLMSG_ERROR => {}
            _ => {
                if take(message).is_break() {
                    return ControlFlow::Break(Ok(()));
                }
            }
        }
        let whole = message.len().next_multiple_of(ALIGNMENT);
        rest = rest.get(whole..).unwrap_or_default();
    }
    ControlFlow::Continue(())
}

/// The first message with its header, its type and its flags.
fn first(bytes: &[u8]) -> Option<(&[u8], u16, u16)> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?);
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?);
    let length = usize::try_from(length).ok()?;
    let message = bytes.get(..length).filter(|_| length >= HEADER)?;
    Some((message, kind, flags))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        bytes
    }

    type End = ControlFlow<Result<(), NetlinkError>>;

    fn read(datagram: &[u8]) -> (Vec<Vec<u8>>, bool, End) {
        let (mut taken, mut is_changing) = (Vec::new(), false);
        let end = messages(datagram, &mut is_changing, &mut |message| {
            taken.push(message[HEADER..].to_vec());
            ControlFlow::Continue(())
        });
        (taken, is_changing, end)
    }

    #[test]
    fn a_dump_that_was_changed_or_refused_is_no_answer() {
        let datagram = [
            message(20, NLM_F_DUMP_INTR, b"ab"),
            message(20, 0, b"cdefg"),
        ]
        .concat();
        let (taken, is_changing, end) = read(&datagram);
        assert_eq!(taken, [b"ab".to_vec(), b"cdefg".to_vec()]);
        assert!(is_changing && matches!(end, ControlFlow::Continue(())));
        for kind in [NLMSG_ERROR, NLMSG_DONE] {
            let (_, _, end) = read(&message(kind, 0, &(-libc::EPERM).to_ne_bytes()));
            let ControlFlow::Break(Err(NetlinkError::Refused(error))) = end else {
                panic!("{end:?}");
            };
            assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        }
        let (_, _, end) = read(&message(NLMSG_DONE, 0, &0_i32.to_ne_bytes()));
        assert!(matches!(end, ControlFlow::Break(Ok(()))));
    }

    proptest! {
        #[test]
        fn nonsense_ends_and_is_never_read_twice(datagram in vec(any::<u8>(), 0..200)) {
            let (taken, _, _) = read(&datagram);
            prop_assert!(taken.len() <= datagram.len() / HEADER);
        }

        #[test]
        fn what_was_sent_is_what_is_taken(
            payloads in vec(vec(any::<u8>(), 0..40), 0..10),
            cut in 0_usize..40,
        ) {
            let mut datagram = Vec::new();
            for payload in &payloads {
                datagram.extend(message(20, 0, payload));
            }
            let (taken, is_changing, end) = read(&datagram);
            prop_assert_eq!(&taken, &payloads);
            prop_assert!(!is_changing && matches!(end, ControlFlow::Continue(())));
            // Cut off somewhere, what is left of it is right.
            datagram.truncate(datagram.len().saturating_sub(cut));
            let (taken, _, _) = read(&datagram);
            prop_assert_eq!(&taken[..], &payloads[..taken.len()]);
        }
    }
}
