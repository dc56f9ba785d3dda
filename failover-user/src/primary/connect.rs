//! A TCP connect, and where the fault is when it fails.

use std::{io, net::SocketAddr, time::Duration};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};
use tokio::net::TcpStream;

use failover_decide::Failure;
use failover_linux::errno;

use crate::primary::{
    race::{Raced, race},
    reserve,
};

/// How a connect ended.
#[derive(Debug)]
pub(crate) enum Connect {
    /// The primary answered.
    Connected(TcpStream),
    /// It did not answer.
    Failed(Failure),
    /// PC-B has no route or no source address for it; with the reason.
    NoPath(String),
    /// PC-B could not send; with the reason.
    Unknown(String),
}

/// Connects to the address that answers first; all are tried within the time. A failure is that of the first
/// address, unless only a later one shows something about the primary.
pub(crate) async fn any(addresses: &[SocketAddr], within: Duration) -> Connect {
    let is_good = |connect: &Connect| matches!(connect, Connect::Connected(_));
    let lost = match race(addresses, within, one, is_good).await {
        Raced::Won(connect) => return connect,
        Raced::Lost(lost) => lost,
    };
    let says = |connect: &Connect| match connect {
        Connect::Connected(_) | Connect::Failed(_) => 0,
        Connect::Unknown(_) => 1,
        Connect::NoPath(_) => 2,
    };
    // Of equals the first.
    lost.into_iter()
        .min_by_key(says)
        .unwrap_or_else(|| Connect::Unknown("there is no address to connect to".to_owned()))
}

/// Connects to one address. The kernel's timeout is minutes; the caller needs its own.
pub(crate) async fn one(address: SocketAddr) -> Connect {
    from(address, true).await
}

/// The same for a permanent connection, which doesn't use the port that is reserved for probes.
pub(crate) async fn to_keep(address: SocketAddr) -> Connect {
    from(address, false).await
}

async fn from(address: SocketAddr, any_port: bool) -> Connect {
    let socket = match socket(address) {
        Ok(socket) => socket,
        // No IPv6 in this kernel.
        Err(errno @ Errno::AFNOSUPPORT) => {
            return Connect::NoPath(format!("PC-B can't send to {address}: {}", named(errno)));
        }
        Err(errno) => return Connect::Unknown(format!("no socket to be had: {}", named(errno))),
    };
    let (begun, socket) = match connect(&socket, &address) {
        // The kernel has no port left for it, or no address.
        Err(Errno::ADDRNOTAVAIL) if reserve::has_source_address(address) => {
            match any_port.then(|| reserve::connecting(address)) {
                Some(Ok(reserved)) => (Ok(()), reserved),
                Some(Err(errno)) => (Err(errno), socket),
                None => (Err(Errno::ADDRINUSE), socket),
            }
        }
        begun => (begun, socket),
    };
    match begun {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        // Only on this machine can the answer be there before the call returns.
        Err(Errno::CONNREFUSED) => return Connect::Failed(Failure::Refused),
        Err(errno) => return not_sent(address, errno),
    }
    let finished = async {
        let stream = TcpStream::from_std(socket.into())?;
        stream.writable().await?;
        io::Result::Ok((stream.take_error()?, stream))
    };
    match finished.await {
        Ok((None, stream)) if is_itself(&stream) => Connect::Unknown(format!(
            "the connection to {address} is connected to itself: nobody listens on this port of PC-B"
        )),
        Ok((None, stream)) => Connect::Connected(stream),
        Ok((Some(error), _)) => classify(&error),
        Err(error) => Connect::Unknown(format!("waiting for {address}: {error}")),
    }
}

/// A socket to connect with. If no descriptor is left, it uses the reserved one.
fn socket(address: SocketAddr) -> rustix::io::Result<rustix::fd::OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = || socket_with(family, SocketType::STREAM, flags, None);
    reserve::with_descriptor(socket)
}

/// The result if the kernel refused before a packet was sent.
fn not_sent(address: SocketAddr, errno: Errno) -> Connect {
    let reason = |what: &str| {
        format!(
            "PC-B can't send to {address}: {}; {what}",
            errno::describe(errno.raw_os_error())
        )
    };
    let route = format!("see `ip route get {}`", address.ip());
    match errno {
        // No route to the network or host, the interface is down or gone, no source address.
        Errno::NETUNREACH
        | Errno::HOSTUNREACH
        | Errno::NETDOWN
        | Errno::NODEV
        | Errno::ADDRNOTAVAIL => Connect::NoPath(reason(&route)),
        // A packet filter, a route that prohibits it, or a security module.
        Errno::ACCESS | Errno::PERM => Connect::Unknown(reason(&format!(
            "{route}, `nft list ruleset`, and what confines this process"
        ))),
        Errno::ADDRINUSE => Connect::Unknown(reason(
            "all ports are used up: see `ss -s`, and net.ipv4.ip_local_port_range",
        )),
        _ => Connect::Unknown(reason(&route)),
    }
}

/// A connect to a port of this machine without a listener succeeds if the kernel chooses that very port as the
/// source (simultaneous open, RFC 9293, section 3.5).
fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(local), Ok(peer)) if local == peer)
}

/// The result of an error from the network.
fn classify(error: &io::Error) -> Connect {
    match error.raw_os_error() {
        Some(libc::ECONNREFUSED) => Connect::Failed(Failure::Refused),
        Some(libc::ETIMEDOUT) => Connect::Failed(Failure::TimedOut),
        // Ended from outside, as `ss --kill` does; or out of memory.
        Some(errno @ (libc::ECONNABORTED | libc::ENOMEM | libc::ENOBUFS)) => Connect::Unknown(
            format!("the connect was ended on PC-B: {}", errno::describe(errno)),
        ),
        Some(errno) => Connect::Failed(Failure::Unreachable { errno }),
        None => Connect::Unknown(error.to_string()),
    }
}

fn named(errno: Errno) -> String {
    errno::describe(errno.raw_os_error())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn of_several_addresses_the_one_that_answers_is_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        let nobody = TcpListener::bind("[::1]:0").unwrap();
        let gone = nobody.local_addr().unwrap();
        drop(nobody);
        match any(&[gone, there], LONG).await {
            Connect::Connected(stream) => assert_eq!(stream.peer_addr().unwrap(), there),
            other => panic!("{other:?}"),
        }
        let refused = any(&[gone], LONG).await;
        assert!(
            matches!(refused, Connect::Failed(Failure::Refused)),
            "{refused:?}"
        );
        let nowhere = any(&[], LONG).await;
        assert!(matches!(nowhere, Connect::Unknown(_)), "{nowhere:?}");
    }

    #[tokio::test]
    async fn a_socket_that_is_connected_to_itself_is_known() {
        let socket = socket(([127, 0, 0, 1], 0).into()).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let own = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
        match connect(&socket, &own) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(errno) => panic!("{errno}"),
        }
        let stream = TcpStream::from_std(socket.into()).unwrap();
        stream.writable().await.unwrap();
        assert!(is_itself(&stream));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        assert!(!is_itself(&stream));
    }

    #[test]
    fn no_route_is_told_from_what_is_not_allowed_and_from_ports_that_are_used_up() {
        let address: SocketAddr = ([192, 0, 2, 1], 1).into();
        for errno in [Errno::NETUNREACH, Errno::HOSTUNREACH, Errno::ADDRNOTAVAIL] {
            let said = not_sent(address, errno);
            assert!(
                matches!(&said, Connect::NoPath(why) if why.contains("ip route")),
                "{said:?}"
            );
        }
        for (errno, remedy) in [
            (Errno::ACCESS, "nft list ruleset"),
            (Errno::PERM, "nft list ruleset"),
            (Errno::ADDRINUSE, "ss -s"),
            (Errno::INVAL, "ip route get"),
        ] {
            let said = not_sent(address, errno);
            assert!(
                matches!(&said, Connect::Unknown(why) if why.contains(remedy)),
                "{said:?}"
            );
        }
    }
}
