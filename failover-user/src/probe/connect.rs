//! A TCP connect, and whose fault it is when it fails.

use std::{io, net::SocketAddr, time::Duration};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use crate::{decide::Failure, errno};

/// How long an address is tried before the next is tried beside it (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// How a connect ended.
#[derive(Debug)]
pub(super) enum Connect {
    /// The primary answered.
    Connected(TcpStream),
    /// It did not.
    Failed(Failure),
    /// PC-B could not even ask; with the reason.
    Unknown(String),
}

/// Connects to whichever address answers first. Fails as the first address does, unless only a later
/// one says something about the primary.
pub(super) async fn any(addresses: &[SocketAddr]) -> Connect {
    if let [address] = addresses {
        return one(*address).await;
    }
    let mut attempts = JoinSet::new();
    let mut worst = None;
    let mut rest = addresses.iter().copied();
    loop {
        let next = rest.next();
        if let Some(address) = next {
            attempts.spawn(one(address));
        }
        let ended = match next {
            Some(_) => match timeout(STAGGER, attempts.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
            None => attempts.join_next().await,
        };
        match ended {
            Some(Ok(connected @ Connect::Connected(_))) => return connected,
            Some(Ok(failed)) => worst = Some(worse(worst, failed)),
            Some(Err(error)) => {
                let unknown = Connect::Unknown(format!("a connect was lost: {error}"));
                worst = Some(worse(worst, unknown));
            }
            None => {
                return worst.unwrap_or_else(|| {
                    Connect::Unknown("the primary has no address to connect to".to_owned())
                });
            }
        }
    }
}

/// What says more about the primary.
fn worse(before: Option<Connect>, now: Connect) -> Connect {
    match (before, now) {
        (None | Some(Connect::Unknown(_)), now) => now,
        (Some(before), _) => before,
    }
}

/// Connects to one address. The kernel gives up after minutes; the caller should sooner.
async fn one(address: SocketAddr) -> Connect {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = match socket_with(family, SocketType::STREAM, flags, None) {
        Ok(socket) => socket,
        Err(errno) => return Connect::Unknown(format!("no socket to be had: {}", named(errno))),
    };
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        // Only on this machine can the answer be there before the call returns.
        Err(Errno::CONNREFUSED) => return Connect::Failed(Failure::Refused),
        // The kernel refused before a packet was sent: no route, no address, not allowed.
        Err(errno) => {
            return Connect::Unknown(format!(
                "PC-B can't send to {address}: {}; see `ip route get {}`",
                named(errno),
                address.ip()
            ));
        }
    }
    let finished = async {
        let stream = TcpStream::from_std(socket.into())?;
        stream.writable().await?;
        io::Result::Ok((stream.take_error()?, stream))
    };
    match finished.await {
        Ok((None, stream)) => Connect::Connected(stream),
        Ok((Some(error), _)) => classify(&error),
        Err(error) => Connect::Unknown(format!("waiting for {address}: {error}")),
    }
}

/// What came back from the network, or from nobody.
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
