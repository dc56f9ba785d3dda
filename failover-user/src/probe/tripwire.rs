//! The tripwire: the last good probe's connection, kept open with keepalives until the next, so that
//! a dying primary is noticed at once, whoever else is connected.

use std::{io, time::Duration};

use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl,
};
use tokio::net::TcpStream;

use super::acknowledged;
use crate::decide::Evidence;

/// A silent host is noticed one idle second and three unanswered keepalives later: 4 s (tcp(7)).
const KEEPALIVE_IDLE: Duration = Duration::from_secs(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
const KEEPALIVE_COUNT: u32 = 3;
/// A primary that talks to somebody who said nothing is odd, but no reason to listen for long.
const MOST_BYTES: usize = 64 * 1024;

pub(super) struct Tripwire {
    stream: Option<TcpStream>,
    heard: usize,
}

impl Tripwire {
    pub(super) fn new(stream: TcpStream) -> Self {
        let set = set_socket_keepalive(&stream, true)
            .and_then(|()| set_tcp_keepidle(&stream, KEEPALIVE_IDLE))
            .and_then(|()| set_tcp_keepintvl(&stream, KEEPALIVE_INTERVAL))
            .and_then(|()| set_tcp_keepcnt(&stream, KEEPALIVE_COUNT));
        if let Err(error) = set {
            tracing::warn!(%error, "no keepalives: a silent death of the primary is noticed by probes only");
        }
        Self {
            stream: Some(stream),
            heard: 0,
        }
    }

    /// Of its socket, as long as it has one.
    pub(super) fn inode(&self) -> Option<u64> {
        self.stream.as_ref().and_then(acknowledged::inode)
    }

    /// Returns when the connection has died. Cancel-safe.
    pub(super) async fn tripped(&mut self) -> Evidence {
        let mut buffer = [0; 1024];
        while let Some(stream) = &self.stream {
            let read = match stream.readable().await {
                Ok(()) => stream.try_read(&mut buffer),
                Err(error) => Err(error),
            };
            match read {
                Ok(0) => return Evidence::Closed,
                Ok(length) => {
                    self.heard = self.heard.saturating_add(length);
                    if self.heard > MOST_BYTES {
                        self.stream = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return evidence(&error),
            }
        }
        std::future::pending().await
    }
}

fn evidence(error: &io::Error) -> Evidence {
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE) => Evidence::Reset,
        Some(libc::ECONNREFUSED) => Evidence::Refused,
        _ => Evidence::TimedOut,
    }
}
