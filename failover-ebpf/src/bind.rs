//! A `bind(2)` on a watched port, reported with its result when the protocol's own function returns:
//! so independent of the caller, the system call or io_uring.
//!
//! Nothing else on the machine is slower for it. With the system call's tracepoints, every system
//! call of every process is: 64 ns on the machine where it was measured, 40 % of a short one.
//! They are used where functions can't be watched, in `bind_call`.

use aya_ebpf::{
    helpers::{bpf_probe_read_user, generated::bpf_ktime_get_boot_ns},
    macros::fexit,
    programs::FExitContext,
};
use aya_log_ebpf::debug;
use failover_ebpf::{AF_INET, AF_INET6, Event, IPPROTO_TCP, KIND_BIND};

use crate::{
    kernel::{Typed, global, read, wanted_namespace, watched},
    owner, report,
    state::widened,
};

/// `SOCK_STREAM` (include/linux/net.h, 6.18).
pub const SOCK_STREAM: u16 = 1;
/// `IPPROTO_MPTCP` (include/uapi/linux/in.h, 6.18).
const IPPROTO_MPTCP: u16 = 262;
/// `AF_UNSPEC`, which `bind` takes for `AF_INET` on the wildcard address (inet_bind_sk, 6.18).
const AF_UNSPEC: u16 = 0;
/// Shortest `sockaddr_in` and `sockaddr_in6` that `bind` takes (inet_bind_sk and inet6_bind_sk).
const SOCKADDR_IN_LENGTH: i32 = 16;
const SOCKADDR_IN6_LENGTH: i32 = 24;

/// A bind to tell.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bind {
    pub socket: u64,
    pub netns: u32,
    pub uid: u32,
    pub asked: Asked,
}

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

/// Binds of IPv4 sockets.
#[fexit]
pub fn inet_bind(context: FExitContext) -> i32 {
    returned(&context);
    0
}

/// Binds of IPv6 sockets.
#[fexit]
pub fn inet6_bind(context: FExitContext) -> i32 {
    returned(&context);
    0
}

/// Binds of MPTCP sockets.
#[fexit]
pub fn mptcp_bind(context: FExitContext) -> i32 {
    returned(&context);
    0
}

/// `int inet_bind(struct socket *sock, struct sockaddr *uaddr, int addr_len)`, and the like.
#[inline(always)]
fn returned(context: &FExitContext) {
    let Some(asked) = asked::<false>(context.arg(1), context.arg::<u64>(2) as i32) else {
        return;
    };
    let socket = Typed(context.arg(0)).target(global!(LAYOUT.members.socket_sk));
    // SCTP's are stream sockets, too, and MPTCP's are told: below them there are TCP's.
    let protocol: u16 = socket.member(global!(LAYOUT.members.sock_protocol));
    let kind: u16 = socket.member(global!(LAYOUT.members.sock_type));
    if kind != SOCK_STREAM || !carries_tcp(protocol) {
        return;
    }
    let netns = socket.namespace();
    if !wanted_namespace(netns) {
        return;
    }
    let bind = Bind {
        socket: socket.address(),
        netns,
        uid: socket.member(global!(LAYOUT.members.sock_uid)),
        asked,
    };
    // Behind the arguments lies what it returns (kernel/bpf/btf.c, `btf_ctx_access`, 6.18).
    tell(&bind, context.arg::<u64>(3) as i32);
    debug!(context, "bind on port {}", asked.port);
}

/// Is it TCP, or has it TCP below?
#[inline(always)]
pub fn carries_tcp(protocol: u16) -> bool {
    protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP
}

/// Tells a bind of the current task's.
#[inline(always)]
pub fn tell(bind: &Bind, result: i32) {
    let owner = owner::current();
    report::send(&Event {
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        socket: bind.socket,
        pid: owner.pid,
        tid: owner.tid,
        uid: bind.uid,
        netns: bind.netns,
        error: result,
        local_port: bind.asked.port,
        remote_port: 0,
        family: bind.asked.family,
        kind: KIND_BIND,
        old_state: 0,
        new_state: 0,
        reserved: [0; 3],
        local_address: bind.asked.address,
        remote_address: [0; 16],
        comm: owner.comm,
    });
}

/// Reads a `struct sockaddr`. `None` when it is not one to tell: another port or family, or not
/// readable.
#[inline(always)]
pub fn asked<const OF_USER: bool>(address: u64, length: i32) -> Option<Asked> {
    if length < SOCKADDR_IN_LENGTH {
        return None;
    }
    // sa_family and the port lie at the same place in sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)).
    let [family, port] = read_from::<[u16; 2], OF_USER>(address, 0)?;
    let port = u16::from_be(port);
    if !watched(port, port) {
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
