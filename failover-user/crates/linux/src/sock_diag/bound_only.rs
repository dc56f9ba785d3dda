//! Sockets that are bound to a port and neither listen nor are connected: what a process has that was stopped
//! between bind(2) and listen(2). Neither ss(8) without asking for it nor /proc/net/tcp shows them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    sync::OnceLock,
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, socket_with};

use crate::{
    netlink::NetlinkError,
    sock_diag::{self, Query},
};

/// A look at all ports takes a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);
/// Any account can bind as many as it likes.
const MOST: usize = 1024;

/// Such a socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BoundSocket {
    /// What it is bound to. An IPv4-mapped address is shown as IPv4.
    pub address: SocketAddr,
    /// Who opened it.
    pub uid: u32,
    /// As in `/proc/PID/fd`.
    pub inode: u32,
}

/// Those on this port in the network namespace of the calling thread, at most 1024. `None`: this kernel doesn't
/// tell (before 6.8, `TCP_BOUND_INACTIVE`), so nothing is known.
///
/// # Errors
/// When sock_diag isn't there or doesn't answer.
pub fn on(port: u16) -> Result<Option<Vec<BoundSocket>>, NetlinkError> {
    let found = ask(port)?;
    if found.is_empty() && !kernel_tells() {
        return Ok(None);
    }
    Ok(Some(found))
}

fn ask(port: u16) -> Result<Vec<BoundSocket>, NetlinkError> {
    let mut all = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    sock_diag::each(
        &sock_diag::open()?,
        &Query::bound_only(port),
        deadline,
        |found| {
            let source = found.source;
            if source.port() == port {
                all.push(BoundSocket {
                    address: SocketAddr::new(source.ip().to_canonical(), source.port()),
                    uid: found.uid,
                    inode: found.inode,
                });
            }
            match all.len() < MOST {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        },
    )?;
    Ok(all)
}

/// Tried with a socket of our own, because distributions give older kernels newer abilities.
fn kernel_tells() -> bool {
    static TELLS: OnceLock<bool> = OnceLock::new();
    if let Some(tells) = TELLS.get() {
        return *tells;
    }
    // One that couldn't be tried says nothing of the next time.
    let Some(tells) = is_own_socket_told() else {
        return false;
    };
    *TELLS.get_or_init(|| tells)
}

fn is_own_socket_told() -> Option<bool> {
    let (family, kind) = (AddressFamily::INET, SocketType::STREAM);
    let own = socket_with(family, kind, SocketFlags::CLOEXEC, None).ok()?;
    bind(&own, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).ok()?;
    let address = SocketAddr::try_from(getsockname(&own).ok()?).ok()?;
    let found = ask(address.port()).ok()?;
    Some(found.iter().any(|one| one.address == address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_told_until_it_listens() {
        let own = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let place = Ipv4Addr::new(127, 66, 1, 7);
        bind(&own, &SocketAddr::from((place, 0))).unwrap();
        let address = SocketAddr::try_from(getsockname(&own).unwrap()).unwrap();
        let is_told = || {
            let found = on(address.port()).unwrap();
            found.map(|all| all.iter().any(|one| one.address == address))
        };
        let told = is_told();
        assert_ne!(told, Some(false));
        rustix::net::listen(&own, 1).unwrap();
        assert_eq!(is_told(), told.map(|_| false));
    }
}
