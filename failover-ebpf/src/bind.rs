//! A `bind(2)` on a watched port, reported with its result when the protocol's own function returns:
//! so independent of the caller, the system call or io_uring.
//!
//! Nothing else on the machine is slower for it. With the system call's tracepoints, every system
//! call of every process is: 64 ns on the machine where it was measured, 40 % of a short one.
//! They are used where functions can't be watched, in `bind_call`.

use aya_ebpf::{helpers::generated::bpf_ktime_get_boot_ns, macros::fexit, programs::FExitContext};
use aya_log_ebpf::debug;
use failover_ebpf::{Event, KIND_BIND};

use crate::{
    address::{Asked, asked},
    filter::{wanted_namespace, watched},
    kernel::{Typed, global},
    owner, report,
    socket::is_tcp_stream,
};

/// A bind to tell.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bind {
    pub socket: u64,
    pub netns: u32,
    pub uid: u32,
    pub asked: Asked,
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
    let Some(asked) = asked::<false>(context.arg(1), context.arg::<u64>(2) as i32, is_watched)
    else {
        return;
    };
    let socket = Typed(context.arg(0)).target(global!(LAYOUT.members.socket_sk));
    if !is_tcp_stream(
        socket.member(global!(LAYOUT.members.sock_type)),
        socket.member(global!(LAYOUT.members.sock_protocol)),
    ) {
        return;
    }
    let netns = socket.namespace();
    if !wanted_namespace(netns) {
        return;
    }
    let bind = Bind {
        socket: socket.0 as u64,
        netns,
        uid: socket.member(global!(LAYOUT.members.sock_uid)),
        asked,
    };
    // Behind the arguments lies what it returns (kernel/bpf/btf.c, `btf_ctx_access`, 6.18).
    tell(&bind, context.arg::<u64>(3) as i32);
    debug!(context, "bind on port {}", asked.port);
}

/// Is this a port to tell binds of?
#[inline(always)]
pub fn is_watched(port: u16) -> bool {
    watched(port, port)
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
