//! Who listens on a port, asked of the kernel itself (sock_diag(7)): the truth that everything else
//! is measured against.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags, nlas::Nla},
};
use thiserror::Error;

use super::Bound;
use crate::netlink::{NetlinkError, Protocol, Socket};

/// A listening socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Where it listens. An IPv4-mapped address is told as IPv4.
    pub address: SocketAddr,
    /// Who opened it.
    pub uid: u32,
    /// The socket's inode, as in `/proc/PID/fd`.
    pub inode: u32,
    /// It takes no IPv4 connections (`IPV6_V6ONLY` in ipv6(7)).
    pub only_v6: bool,
}

impl Listener {
    /// What it is bound to.
    #[must_use]
    pub const fn bound(&self) -> Bound {
        Bound {
            ip: self.address.ip(),
            only_v6: self.only_v6,
        }
    }
}

/// The kernel can't be asked.
#[derive(Debug, Error)]
#[error("asking the kernel who listens on port {port}: {source}; `modprobe tcp_diag` may help")]
pub struct ListenersError {
    port: u16,
    source: NetlinkError,
}

/// Asks who listens on one port, in the network namespace of the thread that asked first.
#[derive(Debug)]
pub struct Listeners {
    port: u16,
    /// Kept from one question to the next: opening one costs as much as asking.
    socket: Option<Socket>,
}

impl Listeners {
    /// Of this port.
    #[must_use]
    pub const fn on(port: u16) -> Self {
        Self { port, socket: None }
    }

    /// The TCP sockets that listen there now.
    ///
    /// # Errors
    /// When sock_diag isn't there or doesn't answer.
    pub fn now(&mut self) -> Result<Vec<Listener>, ListenersError> {
        let port = self.port;
        self.ask().map_err(|source| ListenersError { port, source })
    }

    fn ask(&mut self) -> Result<Vec<Listener>, NetlinkError> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open(Protocol::SockDiag)?,
        };
        let mut found = Vec::new();
        for family in [AF_INET, AF_INET6] {
            let answers =
                socket.request(NLM_F_REQUEST | NLM_F_DUMP, question(family, self.port))?;
            let listeners = answers
                .iter()
                .filter_map(|answer| listener(answer, self.port));
            found.extend(listeners);
        }
        self.socket = Some(socket);
        Ok(found)
    }
}

fn question(family: u8, port: u16) -> SockDiagMessage {
    let mut socket_id = match family {
        AF_INET => SocketId::new_v4(),
        _ => SocketId::new_v6(),
    };
    // In a dump of listeners this is a filter (inet_diag_dump_icsk, net/ipv4/inet_diag.c, 6.18).
    socket_id.source_port = port;
    SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::LISTEN,
        socket_id,
    })
}

fn listener(answer: &SockDiagMessage, port: u16) -> Option<Listener> {
    let SockDiagMessage::InetResponse(response) = answer else {
        return None;
    };
    let header = &response.header;
    let address: IpAddr = header.socket_id.source_address;
    // Told of each listener of IPv6 (inet_diag_msg_attrs_fill, net/ipv4/inet_diag.c, 6.18).
    let only_v6 = |nla: &Nla| matches!(nla, Nla::SkV6Only(true));
    (header.socket_id.source_port == port).then(|| Listener {
        address: SocketAddr::new(address.to_canonical(), port),
        uid: header.uid,
        inode: header.inode,
        only_v6: response.nlas.iter().any(only_v6),
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_seen_while_it_listens_and_not_after() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let mut listeners = Listeners::on(address.port());
        let seen = listeners.now().unwrap();
        assert_eq!(
            seen.iter().map(|one| one.address).collect::<Vec<_>>(),
            [address]
        );
        drop(socket);
        assert_eq!(listeners.now().unwrap(), []);
    }

    #[test]
    fn both_families_are_looked_at() {
        let Ok(socket) = TcpListener::bind("[::1]:0") else {
            panic!("this machine has no IPv6 loopback, which the test needs");
        };
        let address = socket.local_addr().unwrap();
        let seen = Listeners::on(address.port()).now().unwrap();
        assert_eq!(seen[0].address, address);
    }
}
