//! Notification that a listener is gone, if the eBPF program is not loaded: sock_diag's own
//! notifications, which need no rights (sock_diag_net_init, net/core/sock_diag.c, 6.18). There are
//! none for sockets that begin to listen.

use std::io;

use rustix::{
    fd::OwnedFd,
    net::{
        AddressFamily, RecvFlags, SocketFlags, SocketType, bind,
        netlink::{self, SocketAddrNetlink},
        recv, socket_with,
    },
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::sock_diag::Found;

/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY` as a mask
/// (include/uapi/linux/sock_diag.h, 6.18).
const GROUPS: u32 = 0b101;
/// One socket with all that the kernel tells of it.
const LONGEST: usize = 4096;

/// Hears of every TCP socket of the network namespace that goes, and passes on those of one port.
#[derive(Debug)]
pub struct Destroyed {
    port: u16,
    socket: AsyncFd<OwnedFd>,
}

impl Destroyed {
    /// Sockets of this port, from now on. Inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel has no such notifications.
    pub fn on(port: u16) -> io::Result<Self> {
        let socket = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            Some(netlink::SOCK_DIAG),
        )?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        // SAFETY: an `OwnedFd` owns its descriptor until it is dropped, and never changes it.
        let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) }
            .map_err(io::Error::from)?;
        Ok(Self { port, socket })
    }

    /// Waits until one has gone, or some were missed. Cancel-safe.
    ///
    /// # Errors
    /// When the descriptor can't be waited for.
    pub async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.socket.readable().await?;
            let mut buffer = [0; LONGEST];
            let told = ready.try_io(|socket| {
                let received = recv(socket.get_ref(), buffer.as_mut_slice(), RecvFlags::empty());
                received.map(|(length, _)| length).map_err(io::Error::from)
            });
            match told {
                Ok(Ok(length)) => {
                    if concerns(buffer.get(..length).unwrap_or_default(), self.port) {
                        return Ok(());
                    }
                }
                // Too many came at once: this one may have been among them.
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Err(_would_block) => {}
            }
        }
    }
}

/// The size of the header of a kernel message (`struct nlmsghdr`).
const HEADER: usize = 16;

fn concerns(message: &[u8], port: u16) -> bool {
    let found = message.get(HEADER..).and_then(Found::parse);
    found.is_some_and(|found| found.source.port() == port)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Duration};

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_listener_that_goes_is_told_and_others_are_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let other = TcpListener::bind(address).unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut destroyed = Destroyed::on(port).unwrap();
            drop(other);
            let nothing = timeout(Duration::from_millis(100), destroyed.next()).await;
            assert!(nothing.is_err(), "{nothing:?}");
            drop(listener);
            timeout(Duration::from_secs(5), destroyed.next())
                .await
                .unwrap()
                .unwrap();
        }
    }

    #[test]
    fn nonsense_concerns_nobody() {
        for message in [&[][..], &[0; 3], &[0xff; 100], &[0; 4096]] {
            assert!(!concerns(message, 1));
        }
    }
}
