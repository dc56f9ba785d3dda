//! Reserves the resources of a probe for the time when other programs have exhausted them: a file descriptor, and a
//! source port.

use std::{
    fs::File,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, socket_with,
        sockopt::{set_ipv6_v6only, set_socket_linger, set_socket_reuseaddr},
    },
};

/// A descriptor that is closed for a socket when no other is left.
static DESCRIPTOR: Mutex<Option<File>> = Mutex::new(None);
/// Ports of each family, held by sockets that are bound and never used. The kernel gives no other socket a
/// bound port (__inet_hash_connect, net/ipv4/inet_hashtables.c, 6.18). Two, because the connection of a good
/// probe may be kept until the next one is good.
static PORTS: Mutex<[[Option<Port>; 2]; 2]> = Mutex::new([[None, None], [None, None]]);

struct Port {
    number: u16,
    _holder: OwnedFd,
}

/// Reserves what isn't reserved yet.
pub(crate) fn keep() {
    keep_descriptor();
    let mut ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let [v4, v6] = &mut *ports;
    for (ports, any) in [(v4, ([0; 4], 0).into()), (v6, ([0_u16; 8], 0).into())] {
        for port in ports.iter_mut().filter(|port| port.is_none()) {
            // Fails without that family, or when no port is left. The next call tries again.
            *port = bound(any).ok();
        }
    }
}

fn keep_descriptor() {
    let mut kept = DESCRIPTOR.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.is_none() {
        *kept = File::open("/dev/null").ok();
    }
}

/// Runs an operation that takes a descriptor; with the reserved one if no other is left.
pub(crate) fn with_descriptor<T>(
    take: impl Fn() -> rustix::io::Result<T>,
) -> rustix::io::Result<T> {
    keep_descriptor();
    match take() {
        Err(Errno::MFILE | Errno::NFILE) => {
            let mut kept = DESCRIPTOR.lock().unwrap_or_else(PoisonError::into_inner);
            drop(kept.take());
            take()
        }
        taken => taken,
    }
}

/// A socket that is connecting to this address from a reserved port. Closing it resets the connection: in
/// TIME-WAIT it would block the next one.
///
/// # Errors
/// `EADDRINUSE` if no port is available, or an error of connect(2).
pub(crate) fn connecting(address: SocketAddr) -> rustix::io::Result<OwnedFd> {
    keep();
    let ports = PORTS.lock().unwrap_or_else(PoisonError::into_inner);
    let [v4, v6] = &*ports;
    let (kept, any): (_, SocketAddr) = match address {
        SocketAddr::V4(_) => (v4, ([0; 4], 0).into()),
        SocketAddr::V6(_) => (v6, ([0_u16; 8], 0).into()),
    };
    for port in kept.iter().flatten() {
        let mut from = any;
        from.set_port(port.number);
        let socket = bound_to(from)?;
        set_socket_linger(&socket, Some(Duration::ZERO))?;
        match connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => return Ok(socket),
            // There is a connection from that port already.
            Err(Errno::ADDRNOTAVAIL) => {}
            Err(errno) => return Err(errno),
        }
    }
    Err(Errno::ADDRINUSE)
}

fn bound(any: SocketAddr) -> rustix::io::Result<Port> {
    let holder = bound_to(any)?;
    let number = SocketAddr::try_from(getsockname(&holder)?)?.port();
    Ok(Port {
        number,
        _holder: holder,
    })
}

fn bound_to(any: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let socket = open(any, SocketType::STREAM)?;
    set_socket_reuseaddr(&socket, true)?;
    if any.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    bind(&socket, &any)?;
    Ok(socket)
}

fn open(address: SocketAddr, kind: SocketType) -> rustix::io::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    with_descriptor(|| socket_with(family, kind, flags, None))
}

/// Is there a source address? A TCP connect fails with EADDRNOTAVAIL if there is none, and if no port is left; a
/// UDP one, which sends nothing, only in the first case.
pub(crate) fn has_source_address(address: SocketAddr) -> bool {
    open(address, SocketType::DGRAM)
        .and_then(|socket| connect(&socket, &address))
        .is_ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_ports_that_are_kept_can_be_connected_from_again_and_again() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let there = listener.local_addr().unwrap();
            let mut kept = None;
            for _ in 0..4 {
                let socket = connecting(there).unwrap();
                let (accepted, from) = listener.accept().unwrap();
                // One connection is kept until the next one is there.
                if let Some((_, _, before)) = kept.replace((socket, accepted, from)) {
                    assert_ne!(before, from);
                }
            }
            let _second = connecting(there).unwrap();
            assert_eq!(connecting(there).unwrap_err(), Errno::ADDRINUSE);
        }
    }

    #[test]
    fn what_takes_a_descriptor_is_tried_again_once_the_kept_one_is_given_up() {
        let tried = std::cell::Cell::new(0);
        let taken = with_descriptor(|| {
            tried.set(tried.get() + 1);
            match tried.get() {
                1 => Err(Errno::MFILE),
                _ => Ok(()),
            }
        });
        assert_eq!((taken, tried.get()), (Ok(()), 2));
        let failed: rustix::io::Result<()> = with_descriptor(|| Err(Errno::ACCESS));
        assert_eq!(failed, Err(Errno::ACCESS));
    }

    #[test]
    fn this_machine_has_an_address_to_send_to_itself_from() {
        assert!(has_source_address(([127, 0, 0, 1], 9).into()));
    }
}
