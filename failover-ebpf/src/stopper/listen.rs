//! The last resort: a process that must be stopped listens all the same, because its bind went past the
//! system call's tracepoints, or was one with listen() in io_uring, or another thread of it was quicker.
//! It is killed in its own system call, so that it never serves.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use failover_ebpf::{AF_INET, AF_INET6, IPPROTO_TCP, tcp_state::LISTEN};

use crate::{
    address::{Asked, widened},
    kernel::{Typed, global},
    signal::kill,
    target::{chosen, is_armed_for},
};

/// `inet_sock_set_state`: a TCP socket changes its state. To LISTEN it does in the system call
/// (inet_csk_listen_start, net/ipv4/inet_connection_sock.c, 6.18).
#[btf_tracepoint]
pub fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    if context.arg::<u64>(2) as u8 == LISTEN {
        listens(Typed(context.arg(0)));
    }
    0
}

#[inline(never)]
fn listens(socket: Typed) {
    let port: u16 = socket.member(global!(LAYOUT.members.sock_num));
    if !is_armed_for(port)
        || socket.member::<u16>(global!(LAYOUT.members.sock_protocol)) != IPPROTO_TCP
    {
        return;
    }
    let family = socket.member(global!(LAYOUT.members.sock_family));
    let address = match family {
        AF_INET => {
            let address: u32 = socket.member(global!(LAYOUT.members.sock_rcv_saddr));
            widened(address.to_ne_bytes())
        }
        AF_INET6 => socket.wide_member(global!(LAYOUT.members.sock_v6_rcv_saddr)),
        _ => return,
    };
    let asked = Asked {
        port,
        family,
        address,
        reserved: 0,
    };
    if let Some(chosen) = chosen(socket.namespace()) {
        kill(&chosen, &asked);
    }
}
