//! The tripwire: an idle connection to the primary that stays open between probes, so that the death of the primary
//! is noticed at once, even without other clients. No data is sent over it.
//!
//! A server soon closes a connection that had a request, such as that of an HTTP check (Node: after 6 s,
//! `server.keepAliveTimeout`). So the tripwire is a separate connection then. An idle connection is closed later:
//! by Node after 62 s, with a 408 (`server.headersTimeout`; both measured with OpenClaw 2026.9.6 on Node 24.21).
//! That is no death of the primary, so the tripwire reconnects at once, and reports only if that fails. In the
//! quiet state this costs a connect per minute, and no probe.

use std::{future::Future, io, net::SocketAddr, pin::Pin, time::Duration};

use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use failover_decide::{Evidence, Failure};
use failover_linux::sock_diag::acknowledged;

use crate::primary::{connect, connect::Connect};

/// A silent host is noticed after one idle second and three unanswered keepalives: 4 s (tcp(7)).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_COUNT: u32 = 3;
/// Limit for data from the primary, which should send none before a request.
const MOST_BYTES: usize = 64 * 1024;
/// A dying process closes its connections one by one, often before its listening socket: a connect at once would
/// still succeed, although no process is left to serve it.
const SETTLES: Duration = Duration::from_millis(50);
/// The time that the keepalives take.
const PATIENCE: Duration = Duration::from_secs(4);
/// The tripwire gives up on a server that closes an idle connection sooner than this.
const SHORTEST_LIFE: Duration = Duration::from_secs(2);

/// A tripwire; see the module.
pub(crate) struct Tripwire {
    state: State,
    /// The address to reconnect to, if it reconnects.
    renewed_to: Option<SocketAddr>,
}

enum State {
    Watching {
        stream: TcpStream,
        since: Instant,
        heard: usize,
    },
    Connecting(Connecting),
    /// It can't notice anything any more.
    Deaf,
}

/// Boxed, because waiting for it may be interrupted.
type Connecting = Pin<Box<dyn Future<Output = Connect>>>;

impl Tripwire {
    /// Uses this connection until it ends.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            state: watching(stream),
            renewed_to: None,
        }
    }

    /// Uses its own connections.
    pub(crate) fn to(primary: SocketAddr) -> Self {
        Self {
            state: connecting(primary, Duration::ZERO),
            renewed_to: Some(primary),
        }
    }

    /// Does it use its own connections to this address, and is it active?
    pub(crate) fn leads_to(&self, primary: SocketAddr) -> bool {
        self.renewed_to == Some(primary) && !matches!(self.state, State::Deaf)
    }

    /// The inode of its socket, while it has one.
    pub(crate) fn inode(&self) -> Option<u64> {
        match &self.state {
            State::Watching { stream, .. } => acknowledged::inode(stream),
            State::Connecting(_) | State::Deaf => None,
        }
    }

    /// Returns when the connection has died. Cancel-safe.
    pub(crate) async fn tripped(&mut self) -> Evidence {
        loop {
            let next = match &mut self.state {
                State::Watching {
                    stream,
                    since,
                    heard,
                } => match listen(stream, heard).await {
                    Some(Evidence::Closed) => match self.renewed_to {
                        Some(primary) if since.elapsed() >= SHORTEST_LIFE => {
                            connecting(primary, SETTLES)
                        }
                        _ => return Evidence::Closed,
                    },
                    Some(evidence) => return evidence,
                    None => State::Deaf,
                },
                State::Connecting(connecting) => match connecting.await {
                    Connect::Connected(stream) => watching(stream),
                    Connect::Failed(Failure::Refused) => return Evidence::Refused,
                    Connect::Failed(_) => return Evidence::TimedOut,
                    Connect::NoPath(reason) | Connect::Unknown(reason) => {
                        tracing::debug!(reason, "no tripwire until the next good probe");
                        State::Deaf
                    }
                },
                State::Deaf => std::future::pending().await,
            };
            self.state = next;
        }
    }
}

fn watching(stream: TcpStream) -> State {
    let set = set_socket_keepalive(&stream, true)
        .and_then(|()| set_tcp_keepidle(&stream, KEEPALIVE_IDLE))
        .and_then(|()| set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL))
        .and_then(|()| set_tcp_keepcnt(&stream, KEEPALIVE_COUNT));
    if let Err(error) = set {
        tracing::warn!(%error, "no keepalives: a silent death of the primary is noticed by probes only");
    }
    State::Watching {
        stream,
        since: Instant::now(),
        heard: 0,
    }
}

fn connecting(primary: SocketAddr, after: Duration) -> State {
    State::Connecting(Box::pin(async move {
        sleep(after).await;
        match timeout(PATIENCE, connect::to_keep(primary)).await {
            Ok(connect) => connect,
            Err(_) => Connect::Failed(Failure::TimedOut),
        }
    }))
}

/// How the connection ended; `None`: too much data came. Cancel-safe.
async fn listen(stream: &TcpStream, heard: &mut usize) -> Option<Evidence> {
    let mut buffer = [0; 1024];
    loop {
        let read = match stream.readable().await {
            Ok(()) => stream.try_read(&mut buffer),
            Err(error) => Err(error),
        };
        match read {
            Ok(0) => return Some(Evidence::Closed),
            Ok(length) => {
                *heard = heard.saturating_add(length);
                if *heard > MOST_BYTES {
                    return None;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Some(evidence(&error)),
        }
    }
}

fn evidence(error: &io::Error) -> Evidence {
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => Evidence::Reset,
        Some(libc::ECONNREFUSED) => Evidence::Refused,
        _ => Evidence::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::sockopt::set_socket_linger;
    use tokio::{io::AsyncWriteExt as _, net::TcpListener};

    use super::*;

    const LONG: Duration = Duration::from_secs(10);
    /// More than a second connect takes to come.
    const WHILE: Duration = Duration::from_millis(300);

    struct Primary {
        listener: TcpListener,
        address: SocketAddr,
    }

    impl Primary {
        async fn new() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            Self { listener, address }
        }

        /// The next connection that the tripwire makes.
        async fn meets(&self, tripwire: &mut Tripwire) -> TcpStream {
            tokio::select! {
                accepted = timeout(LONG, self.listener.accept()) => accepted.unwrap().unwrap().0,
                evidence = tripwire.tripped() => panic!("{evidence:?}"),
            }
        }
    }

    async fn tripped(tripwire: &mut Tripwire) -> Evidence {
        timeout(LONG, tripwire.tripped()).await.expect("it trips")
    }

    async fn is_quiet(tripwire: &mut Tripwire, period: Duration) {
        let tripped = timeout(period, tripwire.tripped()).await;
        assert!(tripped.is_err(), "{tripped:?}");
    }

    #[tokio::test]
    async fn the_connection_of_a_probe_trips_when_it_is_closed() {
        let primary = Primary::new().await;
        let stream = TcpStream::connect(primary.address).await.unwrap();
        let mut tripwire = Tripwire::new(stream);
        let accepted = primary.meets(&mut tripwire).await;
        is_quiet(&mut tripwire, WHILE).await;
        drop(accepted);
        assert_eq!(tripped(&mut tripwire).await, Evidence::Closed);
    }

    #[tokio::test]
    async fn a_connection_of_its_own_trips_when_the_primary_dies() {
        let primary = Primary::new().await;
        let mut tripwire = Tripwire::to(primary.address);
        assert!(tripwire.leads_to(primary.address));
        let accepted = primary.meets(&mut tripwire).await;
        is_quiet(&mut tripwire, SHORTEST_LIFE).await;
        let death = Instant::now();
        // As a process that is killed does: one after the other.
        drop(accepted);
        drop(primary.listener);
        assert_eq!(tripped(&mut tripwire).await, Evidence::Refused);
        assert!(death.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_connection_that_is_reset_trips_at_once() {
        let primary = Primary::new().await;
        let mut tripwire = Tripwire::to(primary.address);
        let accepted = primary.meets(&mut tripwire).await;
        is_quiet(&mut tripwire, SHORTEST_LIFE).await;
        set_socket_linger(&accepted, Some(Duration::ZERO)).unwrap();
        drop(accepted);
        assert_eq!(tripped(&mut tripwire).await, Evidence::Reset);
    }

    #[tokio::test]
    async fn a_server_that_closes_a_silent_connection_after_a_while_is_no_news() {
        let primary = Primary::new().await;
        let mut tripwire = Tripwire::to(primary.address);
        let mut accepted = primary.meets(&mut tripwire).await;
        is_quiet(&mut tripwire, SHORTEST_LIFE).await;
        // As Node does.
        let answer = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
        accepted.write_all(answer).await.unwrap();
        drop(accepted);
        let again = primary.meets(&mut tripwire).await;
        is_quiet(&mut tripwire, WHILE).await;
        assert!(tripwire.inode().is_some());
        // It gives up on a server that does so at once.
        drop(again);
        assert_eq!(tripped(&mut tripwire).await, Evidence::Closed);
    }

    #[tokio::test]
    async fn one_who_talks_without_end_is_not_listened_to() {
        let primary = Primary::new().await;
        let mut tripwire = Tripwire::to(primary.address);
        let mut accepted = primary.meets(&mut tripwire).await;
        let talks = async { while accepted.write_all(&[b'x'; 4096]).await.is_ok() {} };
        tokio::select! {
            () = talks => {}
            evidence = tripwire.tripped() => panic!("{evidence:?}"),
            () = sleep(LONG) => panic!("it listens"),
        }
        assert!(!tripwire.leads_to(primary.address));
    }
}
