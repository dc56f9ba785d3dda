//! `sock:inet_sock_set_state`: a TCP socket changes its state (net/ipv4/af_inet.c, 6.18).

use aya_ebpf::{
    helpers::generated::bpf_ktime_get_boot_ns, macros::tracepoint, programs::TracePointContext,
};
use aya_log_ebpf::debug;
use failover_ebpf::{AF_INET, AF_INET6, Event, IPPROTO_TCP, KIND_TCP_STATE, tcp_state::CLOSE};

use crate::{
    kernel::{field, global, namespace_of, read, usual_field, wanted_namespace, watched},
    owner, report,
};

/// Reports the change where a watched port is at either end.
#[tracepoint]
pub fn inet_sock_set_state(context: TracePointContext) -> u32 {
    // The common case, a socket on other ports, ends after two short reads.
    let (Some(local_port), Some(remote_port)) = (
        usual_field::<u16, 24>(&context, global!(LAYOUT.state.sport)),
        usual_field::<u16, 26>(&context, global!(LAYOUT.state.dport)),
    ) else {
        return 0;
    };
    if watched(local_port) || watched(remote_port) {
        if tell(&context, local_port, remote_port).is_none() {
            report::lose();
        }
    }
    0
}

/// `None` when the kernel's memory could not be read.
#[inline(always)]
fn tell(context: &TracePointContext, local_port: u16, remote_port: u16) -> Option<()> {
    // MPTCP and SCTP pass here too; the TCP socket below an MPTCP one has events of its own.
    if usual_field::<u16, 30>(context, global!(LAYOUT.state.protocol))? != IPPROTO_TCP {
        return Some(());
    }
    let socket = usual_field::<u64, 8>(context, global!(LAYOUT.state.skaddr))?;
    let netns = namespace_of(socket)?;
    if !wanted_namespace(netns) {
        return Some(());
    }
    let old_state = usual_field::<i32, 16>(context, global!(LAYOUT.state.oldstate))? as u8;
    let new_state = usual_field::<i32, 20>(context, global!(LAYOUT.state.newstate))? as u8;
    let family = usual_field::<u16, 28>(context, global!(LAYOUT.state.family))?;
    let (local_address, remote_address) = match family {
        AF_INET => (
            widened(usual_field::<u32, 32>(context, global!(LAYOUT.state.saddr))?.to_ne_bytes()),
            widened(usual_field::<u32, 36>(context, global!(LAYOUT.state.daddr))?.to_ne_bytes()),
        ),
        AF_INET6 => (
            field(context, global!(LAYOUT.state.saddr_v6))?,
            field(context, global!(LAYOUT.state.daddr_v6))?,
        ),
        _ => return Some(()),
    };
    // tcp_reset and tcp_write_err leave the reason before they close (net/ipv4/tcp_input.c and
    // tcp_timer.c, 6.18).
    let error = match new_state {
        CLOSE => read(socket, global!(LAYOUT.members.sock_err))?,
        _ => 0,
    };
    let owner = owner::of_socket(socket, old_state, new_state);
    if owner.pid != 0 && owner.pid == global!(FILTER.ignored_pid) {
        return Some(());
    }
    report::send(&Event {
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        socket,
        pid: owner.pid,
        tid: owner.tid,
        uid: read(socket, global!(LAYOUT.members.sock_uid))?,
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
    Some(())
}

/// An IPv4 address in the room of an IPv6 one.
#[inline(always)]
pub fn widened([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}
