//! `bind(2)` by the system call's tracepoints: noted at entry, reported at return. For
//! kernels that cannot trace functions: 64-bit ARM before Linux 6.4.
//!
//! Binds through io_uring don't pass here (since 6.11); the LISTEN that follows does, in `state`.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{map, tracepoint},
    maps::LruHashMap,
    programs::TracePointContext,
};
use aya_log_ebpf::debug;

use crate::{
    address::asked,
    bind::{Bind, is_watched, tell},
    filter::wanted_namespace,
    kernel::{field, global, read},
    report,
    socket::stream_behind,
};

/// By thread. A thread killed in between leaves its entry, which the next one displaces.
#[map]
static PENDING_BINDS: LruHashMap<u64, Bind> = LruHashMap::with_max_entries(1024, 0);

/// Takes down a bind on a watched port.
#[tracepoint]
pub fn sys_enter_bind(context: TracePointContext) -> u32 {
    if let Some(bind) = enter(&context) {
        // When it fails, the bind is not told.
        if PENDING_BINDS
            .insert(bpf_get_current_pid_tgid(), bind, 0)
            .is_err()
        {
            report::lose();
        }
    }
    0
}

/// Tells the bind with its result.
#[tracepoint]
pub fn sys_exit_bind(context: TracePointContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: copied at once; only this thread writes under this key.
    let Some(bind) = (unsafe { PENDING_BINDS.get(thread) }).copied() else {
        return 0;
    };
    let _ = PENDING_BINDS.remove(thread);
    let Some(result) = field::<i64>(&context, global!(LAYOUT.bind.ret)) else {
        report::lose();
        return 0;
    };
    tell(&bind, result as i32);
    debug!(&context, "bind on port {}: {}", bind.asked.port, result);
    0
}

/// `None` when it is not one to tell: another port, family, kind of socket or namespace.
#[inline(always)]
fn enter(context: &TracePointContext) -> Option<Bind> {
    let user_address: u64 = field(context, global!(LAYOUT.bind.umyaddr))?;
    let length = field::<u64>(context, global!(LAYOUT.bind.addrlen))? as i32;
    let asked = asked::<true>(user_address, length, is_watched)?;
    let descriptor = field::<u64>(context, global!(LAYOUT.bind.fd))? as i32;
    let (socket, netns) = stream_behind(descriptor)?;
    if !wanted_namespace(netns) {
        return None;
    }
    let uid = read(socket, global!(LAYOUT.members.sock_uid))?;
    Some(Bind {
        socket,
        netns,
        uid,
        asked,
    })
}
