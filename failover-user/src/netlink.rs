//! Asking the kernel over netlink(7): one question, all its answers, never waiting for long.

use std::{fmt::Debug, io, time::Duration};

use netlink_packet_core::{
    DecodeError, NLM_F_DUMP, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable,
};
use rustix::{
    fd::OwnedFd,
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
/// Far more than ports or routes have answers.
const MOST_ANSWERS: usize = 4096;

/// Which part of the kernel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Protocol {
    Route,
    SockDiag,
}

/// The kernel can't be asked, or its answer isn't one.
#[derive(Debug, Error)]
pub enum NetlinkError {
    /// The socket.
    #[error(transparent)]
    Socket(#[from] rustix::io::Errno),
    /// The kernel said no.
    #[error(transparent)]
    Refused(io::Error),
    /// The answer is damaged.
    #[error("the answer can't be read: {0}")]
    Damaged(#[from] DecodeError),
    /// There is no end to the answers.
    #[error("more than {MOST_ANSWERS} answers")]
    TooMany,
}

/// A socket to ask with, in the network namespace of the thread that opened it. One that returned an
/// error may still get late answers: ask the next question on another.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    pub(crate) fn open(protocol: Protocol) -> Result<Self, NetlinkError> {
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
    pub(crate) fn request<M>(&self, flags: u16, message: M) -> Result<Vec<M>, NetlinkError>
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
        send(&self.0, &bytes, SendFlags::empty())?;
        collect(&self.0, flags & NLM_F_DUMP == NLM_F_DUMP)
    }
}

fn collect<M: NetlinkDeserializable + Debug>(
    socket: &OwnedFd,
    many: bool,
) -> Result<Vec<M>, NetlinkError> {
    let mut answers = Vec::new();
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (_, length) = recv(socket, buffer.as_mut_slice(), RecvFlags::TRUNC)?;
        let mut rest = buffer.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let packet = NetlinkMessage::<M>::deserialize(rest)?;
            match packet.payload {
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Error(error) if error.code.is_some() => {
                    return Err(NetlinkError::Refused(error.to_io()));
                }
                NetlinkPayload::Done(_) => return Ok(answers),
                _ => {}
            }
            if answers.len() > MOST_ANSWERS {
                return Err(NetlinkError::TooMany);
            }
            // Messages are aligned to four bytes (NLMSG_ALIGN, include/uapi/linux/netlink.h, 6.18).
            let length = (packet.header.length as usize).max(16).next_multiple_of(4);
            rest = rest.get(length..).unwrap_or_default();
        }
        if !many {
            return Ok(answers);
        }
    }
}
