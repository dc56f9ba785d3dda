//! The address that a bind asks for, read from the kernel's copy of it or from the process's own memory.

use aya_ebpf::helpers::bpf_probe_read_user;
use failover_ebpf::{AF_INET, AF_INET6};

use crate::kernel::read;

/// `AF_UNSPEC`, which `bind` takes for `AF_INET` on the wildcard address (inet_bind_sk, 6.18).
const AF_UNSPEC: u16 = 0;
/// Shortest `sockaddr_in` and `sockaddr_in6` that `bind` takes (inet_bind_sk and inet6_bind_sk).
const SOCKADDR_IN_LENGTH: i32 = 16;
const SOCKADDR_IN6_LENGTH: i32 = 24;

/// The address asked for.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Asked {
    pub port: u16,
    pub family: u16,
    pub address: [u8; 16],
    /// Keeps the size a multiple of eight without hidden padding.
    pub reserved: u32,
}

/// Reads a `struct sockaddr`. `None` when it is not one to look at: another port or family, or not
/// readable.
#[inline(always)]
pub fn asked<const OF_USER: bool>(
    address: u64,
    length: i32,
    is_wanted: impl Fn(u16) -> bool,
) -> Option<Asked> {
    if length < SOCKADDR_IN_LENGTH {
        return None;
    }
    // sa_family and the port lie at the same place in sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)).
    let [family, port] = read_from::<[u16; 2], OF_USER>(address, 0)?;
    let port = u16::from_be(port);
    if !is_wanted(port) {
        return None;
    }
    let (family, address) = match family {
        AF_INET | AF_UNSPEC => (AF_INET, widened(read_from::<_, OF_USER>(address, 4)?)),
        AF_INET6 if length >= SOCKADDR_IN6_LENGTH => {
            (AF_INET6, read_from::<_, OF_USER>(address, 8)?)
        }
        _ => return None,
    };
    Some(Asked {
        port,
        family,
        address,
        reserved: 0,
    })
}

#[inline(always)]
fn read_from<T: Copy, const OF_USER: bool>(address: u64, offset: u32) -> Option<T> {
    if !OF_USER {
        return read(address, offset);
    }
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address.wrapping_add(u64::from(offset)) as *const T) }.ok()
}

/// An IPv4 address in the room of an IPv6 one.
#[inline(always)]
pub fn widened([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
