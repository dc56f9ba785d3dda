//! Connections of the local gateway during a probe of the primary. Such a probe may end at PC-B's own gateway:
//! through a load balancer, a proxy or a forwarder, whatever its addresses. Then that gateway has accepted a
//! connection meanwhile, or received data over an existing one.

use std::{
    collections::VecDeque,
    fs,
    net::SocketAddr,
    num::NonZeroU16,
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use failover_decide::Time;
use failover_linux::{
    netlink::NetlinkError,
    sock_diag,
    sock_diag::{Found, Query},
};

/// Timeout for reading the connections. A hundred thousand take less.
const PATIENCE: Duration = Duration::from_millis(200);

/// Where `tcpi_last_data_recv` (milliseconds, 32 bits) begins in `struct tcp_info`
/// (include/uapi/linux/tcp.h, 6.18).
const LAST_DATA: usize = 52;
/// Limit for checks of the local gateway in progress, more than there ever are.
const MOST_OWN: usize = 64;

/// The local addresses of this process's last connections to the local gateway.
static OWN: Mutex<VecDeque<SocketAddr>> = Mutex::new(VecDeque::new());

/// The kernel has accepted a connection on the local gateway's port, or one has ended there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// When it happened.
    pub at: Time,
    /// The remote address.
    pub from: SocketAddr,
}

/// A connection that the local gateway has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Inbound {
    /// The remote address.
    pub from: SocketAddr,
    /// Time since it received data or was accepted, to a tick of the kernel's clock.
    pub idle: Duration,
}

impl Inbound {
    /// The connections on this port, without this process's own checks.
    ///
    /// # Errors
    /// When sock_diag(7) isn't available or doesn't answer.
    pub fn on(port: NonZeroU16) -> Result<Vec<Self>, NetlinkError> {
        let mut inbound = Vec::new();
        let query = Query::inbound(port.get()).with_info();
        let deadline = Instant::now() + PATIENCE;
        sock_diag::each(&sock_diag::open()?, &query, deadline, |found| {
            if found.source.port() == port.get() {
                inbound.push(Self::of(&found));
            }
            ControlFlow::Continue(())
        })?;
        inbound.retain(|one| !is_own_check(one.from));
        Ok(inbound)
    }

    fn of(found: &Found<'_>) -> Self {
        let far = found.destination;
        let idle = found.info().and_then(|info| {
            let bytes = info.get(LAST_DATA..)?.first_chunk()?;
            Some(Duration::from_millis(u32::from_ne_bytes(*bytes).into()))
        });
        Self {
            from: SocketAddr::new(far.ip().to_canonical(), far.port()),
            // An unknown time may be just now.
            idle: idle.unwrap_or_default(),
        }
    }
}

/// Records that this process checks the local gateway over this connection.
pub(crate) fn note_own_check(stream: &TcpStream) {
    if let Ok(local) = stream.local_addr() {
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if own.len() == MOST_OWN {
            own.pop_front();
        }
        own.push_back(canonical(local));
    }
}

/// Is it the local address of such a connection?
#[must_use]
pub fn is_own_check(from: SocketAddr) -> bool {
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    own.contains(&canonical(from))
}

fn canonical(mut address: SocketAddr) -> SocketAddr {
    address.set_ip(address.ip().to_canonical());
    match address {
        // Without a scope.
        SocketAddr::V6(v6) => SocketAddr::new((*v6.ip()).into(), v6.port()),
        v4 => v4,
    }
}

/// How many connections the kernel has accepted, on all ports of this network namespace
/// (`TCP_MIB_PASSIVEOPENS`, net/ipv4/tcp_minisocks.c, 6.18).
#[must_use]
pub fn passive_opens() -> Option<u64> {
    passive_opens_in(&fs::read_to_string("/proc/thread-self/net/snmp").ok()?)
}

/// Parses a line of names that is followed by a line of numbers.
fn passive_opens_in(table: &str) -> Option<u64> {
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let place = lines
        .next()?
        .split_whitespace()
        .position(|name| name == "PassiveOpens")?;
    lines.next()?.split_whitespace().nth(place)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        net::{TcpListener, TcpStream},
        thread::sleep,
    };

    use super::*;

    const WHILE: Duration = Duration::from_millis(200);

    #[test]
    fn what_comes_in_on_the_port_is_seen_with_its_age_and_what_goes_out_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let there = listener.local_addr().unwrap();
            let port = NonZeroU16::new(there.port()).unwrap();
            assert_eq!(Inbound::on(port).unwrap(), []);
            let mut client = TcpStream::connect(there).unwrap();
            let (_accepted, from) = listener.accept().unwrap();
            sleep(WHILE);
            let [seen] = <[Inbound; 1]>::try_from(Inbound::on(port).unwrap()).unwrap();
            assert_eq!(seen.from, from);
            assert!(seen.idle >= WHILE / 2, "{seen:?}");
            client.write_all(b"anybody there?").unwrap();
            let [seen] = <[Inbound; 1]>::try_from(Inbound::on(port).unwrap()).unwrap();
            assert!(seen.idle < WHILE / 2, "{seen:?}");
            let clients = NonZeroU16::new(from.port()).unwrap();
            assert_eq!(
                Inbound::on(clients).unwrap().len(),
                1,
                "the other way round"
            );
        }
    }

    #[tokio::test]
    async fn the_checks_of_this_process_are_none_of_the_primarys() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let there = listener.local_addr().unwrap();
        let port = NonZeroU16::new(there.port()).unwrap();
        let check = tokio::net::TcpStream::connect(there).await.unwrap();
        let (_accepted, from) = listener.accept().await.unwrap();
        assert!(!is_own_check(from));
        note_own_check(&check);
        assert!(is_own_check(from));
        assert_eq!(Inbound::on(port).unwrap(), []);
    }

    #[test]
    fn each_connection_that_is_accepted_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let before = passive_opens().unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _accepted = listener.accept().unwrap();
        assert!(passive_opens().unwrap() > before);
    }

    #[test]
    fn the_count_is_found_by_its_name() {
        let table =
            "Ip: Forwarding A\nIp: 1 2\nTcp: RtoAlgorithm PassiveOpens AttemptFails\nTcp: 1 77 3\n";
        assert_eq!(passive_opens_in(table), Some(77));
        for damaged in [
            "",
            "Tcp: PassiveOpens",
            "Tcp: PassiveOpens\nTcp: many",
            "Tcp: A\nTcp: 1",
        ] {
            assert_eq!(passive_opens_in(damaged), None);
        }
    }
}
