//! `inet_sock_set_state`: a TCP socket changes its state (net/ipv4/af_inet.c, 6.18).
//!
//! Read from the socket itself, with the same members as the tracepoint `sock:inet_sock_set_state`
//! has: for that one the kernel would fill a record for each event of the machine, which costs more
//! than all that is done here.

use aya_ebpf::{
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_skc_to_tcp_sock},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use aya_log_ebpf::debug;
use failover_ebpf::{AF_INET, AF_INET6, Event, IPPROTO_TCP, KIND_TCP_STATE, tcp_state::CLOSE};

use crate::{
    address::widened,
    filter::{wanted_namespace, watched},
    kernel::{Typed, global},
    owner, report,
};

/// Reports the change where a watched port is at either end.
#[btf_tracepoint]
pub fn inet_sock_set_state(context: BtfTracePointContext) -> i32 {
    let socket = Typed(context.arg(0));
    // The common case, a socket on other ports, ends after two short reads.
    let mut local_port: u16 = socket.member(global!(LAYOUT.members.sock_num));
    let remote_port = u16::from_be(socket.member(global!(LAYOUT.members.sock_dport)));
    if local_port == 0 && context.arg::<u64>(2) as u8 == CLOSE {
        local_port = former_port(socket);
    }
    if watched(local_port, remote_port) {
        tell(&context, socket, local_port, remote_port);
    }
    0
}

/// The local port of a socket that has none any more: one that the kernel chose, or that is a
/// listener's, is given back before the socket closes (tcp_set_state, net/ipv4/tcp.c, 6.18).
#[inline(always)]
fn former_port(socket: Typed) -> u16 {
    // SAFETY: the helper knows the type, and answers null when it is no TCP socket.
    let socket = unsafe { bpf_skc_to_tcp_sock(socket.0.cast_mut().cast()) };
    if socket.is_null() {
        return 0;
    }
    u16::from_be(Typed(socket.cast()).member(global!(LAYOUT.members.tcp_sport)))
}

/// A function of its own, so that the common case has a short way in and out.
#[inline(never)]
fn tell(context: &BtfTracePointContext, socket: Typed, local_port: u16, remote_port: u16) {
    // MPTCP and SCTP pass here too; the TCP socket below an MPTCP one has events of its own.
    if socket.member::<u16>(global!(LAYOUT.members.sock_protocol)) != IPPROTO_TCP {
        return;
    }
    let netns = socket.namespace();
    if !wanted_namespace(netns) {
        return;
    }
    let (old_state, new_state) = (context.arg::<u64>(1) as u8, context.arg::<u64>(2) as u8);
    let family = socket.member(global!(LAYOUT.members.sock_family));
    let four = |offset| widened(socket.member::<u32>(offset).to_ne_bytes());
    let (local_address, remote_address) = match family {
        AF_INET => (
            four(global!(LAYOUT.members.sock_rcv_saddr)),
            four(global!(LAYOUT.members.sock_daddr)),
        ),
        AF_INET6 => (
            socket.wide_member(global!(LAYOUT.members.sock_v6_rcv_saddr)),
            socket.wide_member(global!(LAYOUT.members.sock_v6_daddr)),
        ),
        _ => return,
    };
    // tcp_reset and tcp_write_err leave the reason before they close (net/ipv4/tcp_input.c and
    // tcp_timer.c, 6.18).
    let error = match new_state {
        CLOSE => socket.member(global!(LAYOUT.members.sock_err)),
        _ => 0,
    };
    let owner = owner::of_socket(socket.0 as u64, old_state, new_state);
    if owner.pid != 0 && owner.pid == global!(FILTER.ignored_pid) {
        return;
    }
    report::send(&Event {
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        socket: socket.0 as u64,
        pid: owner.pid,
        tid: owner.tid,
        uid: socket.member(global!(LAYOUT.members.sock_uid)),
        netns,
        error,
        local_port,
        remote_port,
        family,
        kind: KIND_TCP_STATE,
        old_state,
        new_state,
        reserved: [0; 3],
        local_address,
        remote_address,
        comm: owner.comm,
    });
    debug!(
        context,
        "port {} to {}: state {} to {}", local_port, remote_port, old_state, new_state
    );
}
