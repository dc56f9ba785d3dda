//! When does a listening socket keep another one from being bound to the same port?
//!
//! As `inet_csk_bind_conflict` and `inet_rcv_saddr_equal` decide it (net/ipv4/inet_connection_sock.c,
//! 6.18): the same address, or an unspecified one that covers it. `SO_REUSEADDR` changes nothing beside
//! a socket that listens already, nor does `SO_BINDTODEVICE` where only one of the two has it.
//! `SO_REUSEPORT` takes the same account and both sockets' consent, which can't be looked up and isn't
//! counted on. Another network namespace has ports of its own, and its sockets aren't seen here.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// An address that a socket is bound to, as far as it matters to others on the same port.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Bound {
    /// The address; an IPv4-mapped one as IPv4.
    pub ip: IpAddr,
    /// `[::]` without IPv4 (`IPV6_V6ONLY` in ipv6(7)).
    pub only_v6: bool,
}

impl Bound {
    /// What a gateway binds at least, unless it is known better: OpenClaw binds the loopback addresses
    /// or, with `--bind lan`, all of IPv4.
    pub const LOOPBACK: Self = Self {
        ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        only_v6: false,
    };

    /// Can't both be bound to the same port?
    #[must_use]
    pub fn excludes(self, other: Self) -> bool {
        match (self.ip, other.ip) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                self.ip == other.ip || self.ip.is_unspecified() || other.ip.is_unspecified()
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => other.covers_v4(),
            (IpAddr::V6(_), IpAddr::V4(_)) => self.covers_v4(),
        }
    }

    /// Does a listener that bound `listener` make the bind of a gateway fail that bound these addresses last?
    #[must_use]
    pub fn is_blocked_by(bound: &[Self], listener: Self) -> bool {
        let expected = match bound {
            [] => &[Self::LOOPBACK],
            bound => bound,
        };
        Self::essential(expected).any(|one| one.excludes(listener))
    }

    fn covers_v4(self) -> bool {
        self.ip.is_ipv4() || (self.ip.is_unspecified() && !self.only_v6)
    }

    /// Those without which a gateway doesn't start. OpenClaw needs IPv4 and does without its second
    /// socket on `::1` (measured with 2026.9.6); so do most that have one for each family.
    fn essential(bound: &[Self]) -> impl Iterator<Item = Self> {
        let any_v4 = bound.iter().any(|one| one.covers_v4());
        let bound = bound.iter().copied();
        bound.filter(move |one| !any_v4 || one.covers_v4())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{SocketAddr, TcpListener},
        os::fd::OwnedFd,
    };

    use proptest::prelude::*;
    use rustix::{
        io::Errno,
        net::{
            AddressFamily, SocketFlags, SocketType, bind, listen, socket_with,
            sockopt::{set_ipv6_v6only, set_socket_reuseaddr},
        },
    };

    use super::*;
    use crate::sock_diag::listeners::Listeners;

    fn socket(ip: IpAddr, only_v6: bool, reuse: bool) -> OwnedFd {
        let family = match ip {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        if ip.is_ipv6() {
            set_ipv6_v6only(&socket, only_v6).unwrap();
        }
        set_socket_reuseaddr(&socket, reuse).unwrap();
        socket
    }

    fn address() -> impl Strategy<Value = (IpAddr, bool)> {
        let addresses = [
            "0.0.0.0",
            "127.0.0.1",
            "127.0.0.2",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:127.0.0.2",
            "::ffff:0.0.0.0",
        ];
        let ip = prop::sample::select(addresses.to_vec()).prop_map(|text| text.parse().unwrap());
        (ip, any::<bool>()).prop_map(|(ip, only_v6): (IpAddr, bool)| {
            // A mapped address is none of IPv6's alone.
            let mapped = ip != ip.to_canonical();
            (ip, only_v6 && !mapped)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// The kernel says the same of any two sockets.
        #[test]
        fn the_kernel_decides_alike(first in address(), second in address(), reuse in any::<bool>()) {
            let taken = socket(first.0, first.1, reuse);
            bind(&taken, &SocketAddr::new(first.0, 0)).unwrap();
            listen(&taken, 1).unwrap();
            let taken = TcpListener::from(taken);
            let port = taken.local_addr().unwrap().port();
            let mut listeners = Listeners::on(port).now().unwrap();
            // Other tests' sockets may have the port on another address by now.
            listeners.retain(|one| one.address.ip() == first.0.to_canonical());
            prop_assert_eq!(listeners.len(), 1, "{:?}", listeners);
            let there = listeners.remove(0).bound();

            let wanted = Bound { ip: second.0.to_canonical(), only_v6: second.1 };
            let other = socket(second.0, second.1, reuse);
            let second = SocketAddr::new(second.0, port);
            let refused = bind(&other, &second) == Err(Errno::ADDRINUSE);
            drop(taken);
            if refused && bind(&other, &second).is_err() {
                // Another test's socket has this port, too.
                return Ok(());
            }
            prop_assert_eq!(there.excludes(wanted), refused, "{:?}, then {:?}", there, wanted);
            prop_assert_eq!(wanted.excludes(there), refused, "{:?}, then {:?}", there, wanted);
        }
    }

    #[test]
    fn what_a_gateway_needs_is_ipv4_where_it_has_that() {
        let bound = |ip: &str, only_v6| Bound {
            ip: ip.parse().unwrap(),
            only_v6,
        };
        let (four, six) = (bound("127.0.0.1", false), bound("::1", true));
        let (all, all_six) = (bound("::", false), bound("::", true));
        for (given, expected) in [
            (vec![four, six], vec![four]),
            (vec![six], vec![six]),
            (vec![all], vec![all]),
            (vec![all_six, four], vec![four]),
            (vec![], vec![]),
        ] {
            let found: Vec<Bound> = Bound::essential(&given).collect();
            assert_eq!(found, expected, "{given:?}");
        }
    }
}
