//! Who listens on a port, asked of the kernel itself (sock_diag(7)): the truth that everything else
//! is measured against.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::{
    netlink::{NetlinkError, Socket},
    sock_diag,
    sock_diag::{Query, bound::Bound},
};

/// A dump takes less than a microsecond a socket, and this long only where somebody hinders it.
const PATIENCE: Duration = Duration::from_secs(2);
/// More sockets than a gateway listens with, of each account that one may belong to.
const MOST_OF_AN_ACCOUNT: usize = 256;
/// Limit for all other listeners; the rest is counted. Any account can listen on the port at
/// millions of loopback addresses.
const MOST_OF_OTHERS: usize = 1024;

/// A listening socket.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Listener {
    /// Where it listens. An IPv4-mapped address is shown as IPv4.
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

/// Who listens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listening {
    /// In the order of their addresses.
    pub sockets: Vec<Listener>,
    /// Number of further listeners that were not examined.
    pub left_out: usize,
}

/// Whose sockets are never left out for the number of others'.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// Accounts that the gateway may belong to.
    pub accounts: BTreeSet<u32>,
    /// Sockets that were seen before, by inode.
    pub inodes: BTreeSet<u32>,
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
        Ok(self.look(&Interest::default())?.sockets)
    }

    /// The same, bounded where many listen.
    ///
    /// # Errors
    /// When sock_diag isn't there or doesn't answer.
    pub fn look(&mut self, interest: &Interest) -> Result<Listening, ListenersError> {
        let port = self.port;
        self.ask(interest)
            .map_err(|source| ListenersError { port, source })
    }

    fn ask(&mut self, interest: &Interest) -> Result<Listening, NetlinkError> {
        // One that failed may still get late answers.
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => sock_diag::open()?,
        };
        let mut sifted = Sifted::new(interest);
        let deadline = Instant::now() + PATIENCE;
        let query = Query::listeners(self.port);
        sock_diag::each(&socket, &query, deadline, |found| {
            let source = found.source;
            if source.port() == self.port {
                sifted.add(Listener {
                    address: SocketAddr::new(source.ip().to_canonical(), source.port()),
                    uid: found.uid,
                    inode: found.inode,
                    only_v6: found.is_only_v6(),
                });
            }
            ControlFlow::Continue(())
        })?;
        self.socket = Some(socket);
        Ok(sifted.listening())
    }
}

/// What is kept of any number of listeners.
struct Sifted<'interest> {
    interest: &'interest Interest,
    /// How many are kept of each account of interest.
    of_accounts: BTreeMap<u32, usize>,
    kept: Vec<Listener>,
    known: Vec<Listener>,
    others: Vec<Listener>,
    left_out: usize,
}

impl<'interest> Sifted<'interest> {
    fn new(interest: &'interest Interest) -> Self {
        Self {
            interest,
            of_accounts: BTreeMap::new(),
            kept: Vec::new(),
            known: Vec::new(),
            others: Vec::new(),
            left_out: 0,
        }
    }

    fn add(&mut self, listener: Listener) {
        if self.interest.accounts.contains(&listener.uid) {
            let count = self.of_accounts.entry(listener.uid).or_default();
            if *count < MOST_OF_AN_ACCOUNT {
                *count += 1;
                self.kept.push(listener);
                return;
            }
        }
        let place = match self.interest.inodes.contains(&listener.inode) {
            true => &mut self.known,
            false => &mut self.others,
        };
        if place.len() < MOST_OF_OTHERS {
            place.push(listener);
        } else {
            self.left_out += 1;
        }
    }

    fn listening(self) -> Listening {
        let mut sockets = self.kept;
        let room = MOST_OF_OTHERS.saturating_sub(self.known.len());
        let left_out = self.left_out + self.others.len().saturating_sub(room);
        sockets.extend(self.known);
        sockets.extend(self.others.into_iter().take(room));
        sockets.sort_unstable();
        Listening { sockets, left_out }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use proptest::{collection::vec, prelude::*};

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

    #[test]
    fn thousands_of_listeners_hide_neither_the_gateways_accounts_nor_the_known_ones() {
        let listener = |uid, number: u32| Listener {
            address: (Ipv4Addr::from_bits(0x7f00_0000 + number), 18789).into(),
            uid,
            inode: 1000 * uid + number,
            only_v6: false,
        };
        let known = listener(7, 70_000);
        let interest = Interest {
            accounts: [5].into(),
            inodes: [known.inode].into(),
        };
        let mut sifted = Sifted::new(&interest);
        for number in 0..50_000 {
            sifted.add(listener(9, number));
        }
        let gateway = listener(5, 60_000);
        sifted.add(gateway);
        sifted.add(known);
        let Listening { sockets, left_out } = sifted.listening();
        assert!(sockets.contains(&gateway) && sockets.contains(&known));
        assert_eq!(sockets.len(), MOST_OF_OTHERS + 1);
        assert_eq!(sockets.len() + left_out, 50_002);
    }

    proptest! {
        #[test]
        fn none_is_lost_from_the_count_whatever_listens(
            listeners in vec((0_u32..4, any::<u16>(), any::<u32>()), 0..3000),
            accounts in proptest::collection::btree_set(0_u32..4, 0..3),
        ) {
            let interest = Interest { accounts, inodes: (0..5).collect() };
            let mut sifted = Sifted::new(&interest);
            for (uid, address, inode) in &listeners {
                sifted.add(Listener {
                    address: (Ipv4Addr::from_bits(u32::from(*address)), 1).into(),
                    uid: *uid,
                    inode: *inode,
                    only_v6: false,
                });
            }
            let Listening { sockets, left_out } = sifted.listening();
            prop_assert_eq!(sockets.len() + left_out, listeners.len());
            let most = interest.accounts.len() * MOST_OF_AN_ACCOUNT + MOST_OF_OTHERS;
            prop_assert!(sockets.len() <= most);
            prop_assert!(left_out == 0 || sockets.len() >= MOST_OF_OTHERS);
            prop_assert!(sockets.is_sorted());
        }
    }
}
