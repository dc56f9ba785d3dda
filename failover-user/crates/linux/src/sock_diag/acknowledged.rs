//! When did the primary last answer anybody on this machine? The kernel notes it for each connection.
//!
//! A probe that failed while others' connections go on says more of the probe than of the primary.

use std::{
    net::SocketAddr,
    ops::ControlFlow,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use crate::{
    netlink::NetlinkError,
    sock_diag,
    sock_diag::{Found, Query},
};

/// There may be a hundred thousand connections, of which the first live one is enough. With
/// more dead ones than this the scan ends.
const PATIENCE: Duration = Duration::from_millis(50);
/// Where `tcpi_last_data_recv` and `tcpi_last_ack_recv`, 32 bits each and in milliseconds, begin in
/// `struct tcp_info` (include/uapi/linux/tcp.h, 6.18). Older kernels' is shorter, but not that short.
const LAST_DATA: usize = 52;
const LAST_ACKNOWLEDGEMENT: usize = 56;
/// Both are counted in ticks of the kernel's clock; this is the longest that there is (HZ=100).
const TICK: Duration = Duration::from_millis(10);

/// How long ago at most one of these addresses last acknowledged or sent something, on any established
/// connection to it but our own, which are identified by inode. The first that is younger than `enough` is
/// sufficient. `None`: there is no other connection. Never less than 10 ms, as the kernel doesn't
/// know better.
///
/// # Errors
/// When sock_diag(7) isn't there or doesn't answer.
pub fn acknowledged(
    primary: &[SocketAddr],
    own: &[u64],
    enough: Duration,
) -> Result<Option<Duration>, NetlinkError> {
    let Some(first) = primary.first() else {
        return Ok(None);
    };
    let hosts = primary.iter().map(SocketAddr::ip).collect();
    let query = Query::connections(hosts).on_port(first.port()).with_info();
    let mut youngest = None;
    let asked = sock_diag::each(
        &sock_diag::open()?,
        &query,
        Instant::now() + PATIENCE,
        |found| {
            youngest = youngest.into_iter().chain(age(&found, primary, own)).min();
            match youngest {
                Some(age) if age < enough => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        },
    );
    match asked {
        // What was seen until then says nothing of the primary's death.
        Err(NetlinkError::TooLong) | Ok(_) => Ok(youngest),
        Err(error) => Err(error),
    }
}

/// The inode of a socket, as sock_diag tells it.
pub fn inode(socket: impl AsFd) -> Option<u64> {
    rustix::fs::fstat(socket).ok().map(|stat| stat.st_ino)
}

fn age(found: &Found<'_>, primary: &[SocketAddr], own: &[u64]) -> Option<Duration> {
    let is_primary = |address: &SocketAddr| {
        address.port() == found.destination.port()
            && address.ip().to_canonical() == found.destination.ip().to_canonical()
    };
    if own.contains(&u64::from(found.inode)) || !primary.iter().any(is_primary) {
        return None;
    }
    since(found.info()?)
}

/// Acknowledgements that come along with data in order aren't always noted as such (tcp_rcv_established,
/// net/ipv4/tcp_input.c, 6.18), so both count.
fn since(info: &[u8]) -> Option<Duration> {
    let at = |offset: usize| {
        let bytes = info.get(offset..)?.first_chunk()?;
        Some(u32::from_ne_bytes(*bytes))
    };
    let youngest = at(LAST_DATA)?.min(at(LAST_ACKNOWLEDGEMENT)?);
    Some(Duration::from_millis(youngest.into()) + TICK)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        thread::sleep,
        time::Instant,
    };

    use super::*;

    /// More than any clock tick.
    const WHILE: Duration = Duration::from_millis(200);

    const LONG: Duration = Duration::from_secs(5);

    fn seen(primary: &[SocketAddr], own: &[u64]) -> Result<Option<Duration>, NetlinkError> {
        acknowledged(primary, own, Duration::ZERO)
    }

    /// A listener, a connection to it, and its other end.
    fn connection(address: &str) -> (TcpListener, TcpStream, TcpStream) {
        let listener = TcpListener::bind(address).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        (listener, client, accepted)
    }

    #[test]
    fn what_was_just_acknowledged_is_young_and_grows_older() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (listener, mut client, _accepted) = connection(address);
            let primary = [listener.local_addr().unwrap()];
            sleep(WHILE);
            let begun = Instant::now();
            client.write_all(b"anybody there?").unwrap();
            // Not at once, if the other end waits for something to send it along with.
            while seen(&primary, &[]).unwrap().unwrap() >= WHILE {
                assert!(begun.elapsed() < LONG, "not acknowledged");
            }
            sleep(WHILE);
            let older = seen(&primary, &[]).unwrap().unwrap();
            assert!(older >= WHILE, "{older:?}");
        }
    }

    #[test]
    fn the_first_that_is_young_enough_will_do_and_is_never_younger_than_the_youngest() {
        let (listener, _first, _accepted) = connection("127.0.0.1:0");
        let primary = [listener.local_addr().unwrap()];
        let _others: Vec<TcpStream> = (0..50)
            .map(|_| TcpStream::connect(primary[0]).unwrap())
            .collect();
        let youngest = seen(&primary, &[]).unwrap().unwrap();
        let first = acknowledged(&primary, &[], LONG).unwrap().unwrap();
        assert!(youngest < LONG && first < LONG, "{youngest:?} {first:?}");
    }

    #[test]
    fn what_the_primary_sends_counts_as_well() {
        let (listener, mut client, mut accepted) = connection("127.0.0.1:0");
        let primary = [listener.local_addr().unwrap()];
        sleep(WHILE);
        let begun = Instant::now();
        accepted.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        let age = seen(&primary, &[]).unwrap().unwrap();
        assert!(age < begun.elapsed() + 3 * TICK, "{age:?}");
    }

    #[test]
    fn the_youngest_of_several_tells() {
        let (listener, _old, _accepted) = connection("127.0.0.1:0");
        let primary = [listener.local_addr().unwrap()];
        sleep(WHILE);
        let begun = Instant::now();
        let _young = TcpStream::connect(primary[0]).unwrap();
        let age = seen(&primary, &[]).unwrap().unwrap();
        assert!(age < begun.elapsed() + 3 * TICK, "{age:?}");
    }

    #[test]
    fn our_own_connections_say_nothing() {
        let (listener, client, _accepted) = connection("127.0.0.1:0");
        let primary = [listener.local_addr().unwrap()];
        let own = inode(&client).unwrap();
        assert!(seen(&primary, &[own + 1]).unwrap().is_some());
        assert_eq!(seen(&primary, &[own]).unwrap(), None);
    }

    #[test]
    fn connections_to_others_say_nothing() {
        let (listener, client, accepted) = connection("127.0.0.1:0");
        let there = listener.local_addr().unwrap();
        let elsewhere: SocketAddr = ([127, 0, 0, 2], there.port()).into();
        assert_eq!(seen(&[elsewhere], &[]).unwrap(), None);
        let other_port = TcpListener::bind("127.0.0.1:0").unwrap();
        let nobody = other_port.local_addr().unwrap();
        assert_eq!(seen(&[nobody], &[]).unwrap(), None);
        assert_eq!(seen(&[], &[]).unwrap(), None);
        // Closed by the other side, it is no longer established.
        drop(accepted);
        let begun = Instant::now();
        while seen(&[there], &[]).unwrap().is_some() {
            assert!(begun.elapsed() < LONG, "it still counts");
        }
        drop(client);
    }

    #[test]
    fn an_ipv4_primary_is_found_behind_an_ipv6_socket() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let _client = TcpStream::connect(format!("[::ffff:127.0.0.1]:{port}")).unwrap();
        let primary = [listener.local_addr().unwrap()];
        assert!(seen(&primary, &[]).unwrap().is_some());
    }

    #[test]
    fn a_shorter_record_than_any_kernels_is_no_age() {
        assert_eq!(since(&[0; 59]), None);
        let mut info = vec![0xff; 60];
        info[56..].copy_from_slice(&1500_u32.to_ne_bytes());
        assert_eq!(since(&info), Some(Duration::from_millis(1510)));
    }
}
