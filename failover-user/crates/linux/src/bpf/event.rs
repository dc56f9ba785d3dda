//! A kernel event, checked: what comes out of the ring buffer is bytes until it has passed here.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use failover_ebpf::{self as contract, tcp_state};

use crate::escape::Escaped;

/// An event that passed every check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KernelEvent {
    /// A TCP socket on a watched port changed its state.
    TcpState(TcpStateChange),
    /// Somebody tried to bind to a watched port.
    Bind(Bind),
}

/// Which socket, whose, and when.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Origin {
    /// `CLOCK_BOOTTIME`.
    pub time: Duration,
    /// Process that owns the socket; `None` for a connection that nobody has accepted yet.
    pub pid: Option<u32>,
    /// Thread of that process that acted.
    pub tid: Option<u32>,
    /// Owner of the socket.
    pub uid: u32,
    /// Name of the process: its own choice, perhaps hostile, so never a ground for a decision.
    pub comm: String,
    /// Inode of the socket's network namespace.
    pub netns: u32,
}

/// See [`KernelEvent::TcpState`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TcpStateChange {
    /// Which socket, whose, and when.
    pub origin: Origin,
    /// Before.
    pub old: TcpState,
    /// After.
    pub new: TcpState,
    /// The local end. An IPv4-mapped address is shown as IPv4.
    pub local: SocketAddr,
    /// The other end; unspecified for listeners.
    pub remote: SocketAddr,
    /// Why the connection ended, where the kernel has a reason.
    pub error: Option<i32>,
}

impl TcpStateChange {
    /// Somebody listens from now on.
    #[must_use]
    pub fn begins_to_listen(&self) -> bool {
        self.new == TcpState::Listen
    }

    /// A socket listens no longer. A new connection's socket begins as a copy of the one that listens, and
    /// goes from LISTEN to SYN_RECV (inet_csk_clone_lock, net/ipv4/inet_connection_sock.c, 6.18): that is
    /// no end. A listener itself can only close.
    #[must_use]
    pub fn ends_listening(&self) -> bool {
        self.old == TcpState::Listen && self.new == TcpState::Close
    }

    /// A client's connection has arrived at a listener.
    #[must_use]
    pub fn is_new_connection(&self) -> bool {
        self.old == TcpState::Listen && self.new == TcpState::SynRecv
    }
}

impl Origin {
    /// The process, for people.
    #[must_use]
    pub fn who(&self) -> String {
        match self.pid {
            Some(pid) => format!("{} (pid {pid})", Escaped(&self.comm)),
            None => "a process that isn't known".to_owned(),
        }
    }
}

/// See [`KernelEvent::Bind`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bind {
    /// Which socket, whose, and when.
    pub origin: Origin,
    /// The address asked for.
    pub local: SocketAddr,
    /// The errno of a refused one.
    pub result: Result<(), i32>,
}

/// Declares the states once, with number and name.
macro_rules! tcp_states {
    ($($variant:ident = $number:ident),+ $(,)?) => {
        /// State of a TCP socket, as in tcp(7) and netstat(8).
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[expect(missing_docs, reason = "the names are those of tcp(7)")]
        pub enum TcpState {
            $($variant),+
        }

        impl TcpState {
            fn from_number(number: u8) -> Option<Self> {
                match number {
                    $(tcp_state::$number => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name, as the kernel spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($number)),+
                }
            }
        }
    };
}

tcp_states!(
    Established = ESTABLISHED,
    SynSent = SYN_SENT,
    SynRecv = SYN_RECV,
    FinWait1 = FIN_WAIT1,
    FinWait2 = FIN_WAIT2,
    TimeWait = TIME_WAIT,
    Close = CLOSE,
    CloseWait = CLOSE_WAIT,
    LastAck = LAST_ACK,
    Listen = LISTEN,
    Closing = CLOSING,
    NewSynRecv = NEW_SYN_RECV,
);

impl fmt::Display for TcpState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl KernelEvent {
    /// Checks a record of the ring buffer. `None`: not one that this program can have written.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let raw = read_record(bytes)?;
        let comm = raw.comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let known = |number: u32| (number != 0).then_some(number);
        let origin = Origin {
            time: Duration::from_nanos(raw.time),
            pid: known(raw.pid),
            tid: known(raw.tid),
            uid: raw.uid,
            comm: String::from_utf8_lossy(comm).into_owned(),
            netns: raw.netns,
        };
        let local = SocketAddr::new(address(raw.family, raw.local_address)?, raw.local_port);
        match raw.kind {
            contract::KIND_TCP_STATE => Some(Self::TcpState(TcpStateChange {
                origin,
                old: TcpState::from_number(raw.old_state)?,
                new: TcpState::from_number(raw.new_state)?,
                local,
                remote: SocketAddr::new(address(raw.family, raw.remote_address)?, raw.remote_port),
                error: (raw.error > 0).then_some(raw.error),
            })),
            contract::KIND_BIND => Some(Self::Bind(Bind {
                origin,
                local,
                result: match raw.error {
                    0.. => Ok(()),
                    errno => Err(errno.checked_neg()?),
                },
            })),
            _ => None,
        }
    }

    /// Which socket, whose, and when.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        match self {
            Self::TcpState(change) => &change.origin,
            Self::Bind(bind) => &bind.origin,
        }
    }
}

/// IPv4-mapped addresses become what they stand for.
pub(super) fn address(family: u16, bytes: [u8; 16]) -> Option<IpAddr> {
    match family {
        contract::AF_INET => {
            let [a, b, c, d, ..] = bytes;
            Some(Ipv4Addr::new(a, b, c, d).into())
        }
        contract::AF_INET6 => Some(IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()),
        _ => None,
    }
}

/// Field by field in the order of `repr(C)`, which has no padding here: no cast, so no unsafe.
fn read_record(bytes: &[u8]) -> Option<contract::Event> {
    if bytes.len() != size_of::<contract::Event>() {
        return None;
    }
    let mut cursor = Cursor(bytes);
    Some(contract::Event {
        time: u64::from_ne_bytes(cursor.take()?),
        socket: u64::from_ne_bytes(cursor.take()?),
        pid: u32::from_ne_bytes(cursor.take()?),
        tid: u32::from_ne_bytes(cursor.take()?),
        uid: u32::from_ne_bytes(cursor.take()?),
        netns: u32::from_ne_bytes(cursor.take()?),
        error: i32::from_ne_bytes(cursor.take()?),
        local_port: u16::from_ne_bytes(cursor.take()?),
        remote_port: u16::from_ne_bytes(cursor.take()?),
        family: u16::from_ne_bytes(cursor.take()?),
        kind: u8::from_ne_bytes(cursor.take()?),
        old_state: u8::from_ne_bytes(cursor.take()?),
        new_state: u8::from_ne_bytes(cursor.take()?),
        reserved: cursor.take()?,
        local_address: cursor.take()?,
        remote_address: cursor.take()?,
        comm: cursor.take()?,
    })
}

pub(super) struct Cursor<'a>(pub &'a [u8]);

impl Cursor<'_> {
    pub fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::fuzz;

    /// A record with each field at the place that `repr(C)` gives it.
    fn record(kind: u8, family: u16, error: i32) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<contract::Event>()];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(
            offset_of!(contract::Event, time),
            &1_500_000_000_u64.to_ne_bytes(),
        );
        put(offset_of!(contract::Event, pid), &7_u32.to_ne_bytes());
        put(offset_of!(contract::Event, tid), &8_u32.to_ne_bytes());
        put(offset_of!(contract::Event, uid), &9_u32.to_ne_bytes());
        put(offset_of!(contract::Event, netns), &10_u32.to_ne_bytes());
        put(offset_of!(contract::Event, error), &error.to_ne_bytes());
        put(
            offset_of!(contract::Event, local_port),
            &18789_u16.to_ne_bytes(),
        );
        put(
            offset_of!(contract::Event, remote_port),
            &4242_u16.to_ne_bytes(),
        );
        put(offset_of!(contract::Event, family), &family.to_ne_bytes());
        put(offset_of!(contract::Event, kind), &[kind]);
        put(
            offset_of!(contract::Event, old_state),
            &[tcp_state::ESTABLISHED],
        );
        put(offset_of!(contract::Event, new_state), &[tcp_state::CLOSE]);
        put(offset_of!(contract::Event, local_address), &[10, 0, 0, 2]);
        put(offset_of!(contract::Event, remote_address), &[10, 0, 0, 1]);
        put(offset_of!(contract::Event, comm), b"gateway\0rubbish");
        bytes
    }

    #[test]
    fn a_state_change_arrives_with_every_field() {
        let bytes = record(
            contract::KIND_TCP_STATE,
            contract::AF_INET,
            libc::ECONNRESET,
        );
        let Some(KernelEvent::TcpState(change)) = KernelEvent::parse(&bytes) else {
            panic!("not parsed");
        };
        assert_eq!(change.origin.time, Duration::from_millis(1500));
        assert_eq!((change.origin.pid, change.origin.tid), (Some(7), Some(8)));
        assert_eq!((change.origin.uid, change.origin.netns), (9, 10));
        assert_eq!(change.origin.comm, "gateway");
        assert_eq!(
            (change.old, change.new),
            (TcpState::Established, TcpState::Close)
        );
        assert_eq!(change.local.to_string(), "10.0.0.2:18789");
        assert_eq!(change.remote.to_string(), "10.0.0.1:4242");
        assert_eq!(change.error, Some(libc::ECONNRESET));
    }

    #[test]
    fn a_bind_arrives_with_its_errno() {
        let bytes = record(contract::KIND_BIND, contract::AF_INET, -libc::EADDRINUSE);
        let Some(KernelEvent::Bind(bind)) = KernelEvent::parse(&bytes) else {
            panic!("not parsed");
        };
        assert_eq!(bind.result, Err(libc::EADDRINUSE));
    }

    #[test]
    fn a_mapped_address_is_told_as_what_it_stands_for() {
        let mapped = Ipv4Addr::new(10, 0, 0, 1).to_ipv6_mapped().octets();
        assert_eq!(
            address(contract::AF_INET6, mapped),
            Some(Ipv4Addr::new(10, 0, 0, 1).into())
        );
    }

    proptest! {
        #[test]
        fn no_record_breaks_it(bytes in vec(any::<u8>(), 90..102)) {
            fuzz::event(&bytes);
        }

        #[test]
        fn no_damage_breaks_it(
            kind in 0..4_u8,
            family in prop_oneof![Just(contract::AF_INET), Just(contract::AF_INET6), any::<u16>()],
            error: i32,
            damage in vec((0..size_of::<contract::Event>(), any::<u8>()), 0..24),
        ) {
            let mut bytes = record(kind, family, error);
            for (at, byte) in damage {
                bytes[at] = byte;
            }
            fuzz::event(&bytes);
        }
    }
}
