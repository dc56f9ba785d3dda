//! A bind that succeeded, where the protocol's own function returns: whatever the caller, be it the system
//! call or io_uring.

use aya_ebpf::{macros::fexit, programs::FExitContext};

use crate::{
    address::asked,
    kernel::{Typed, global},
    signal::stop,
    socket::is_tcp_stream,
    target::{chosen, is_armed_for, port},
};

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
    // Behind the arguments lies what it returns (kernel/bpf/btf.c, `btf_ctx_access`, 6.18).
    if port() == 0 || context.arg::<u64>(3) as i32 != 0 {
        return;
    }
    let Some(asked) = asked::<false>(context.arg(1), context.arg::<u64>(2) as i32, is_armed_for)
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
    if let Some(chosen) = chosen(socket.namespace()) {
        stop(&chosen, &asked);
    }
}
