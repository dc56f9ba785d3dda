//! `bind(2)` by the system call's tracepoints: noted at entry, reported at return. For
//! kernels that cannot trace functions: 64-bit ARM before Linux 6.4.
//!
//! Binds through io_uring don't pass here (since 6.11); the LISTEN that follows does, in `state`.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_current_task},
    macros::{map, tracepoint},
    maps::LruHashMap,
    programs::TracePointContext,
};
use aya_log_ebpf::debug;

use crate::{
    bind::{Bind, SOCK_STREAM, asked, carries_tcp, tell},
    kernel::{field, global, read, wanted_namespace},
    report,
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
    let asked = asked::<true>(user_address, length)?;
    let descriptor = field::<u64>(context, global!(LAYOUT.bind.fd))? as i32;
    let socket = socket_of(descriptor)?;
    if read::<u16>(socket, global!(LAYOUT.members.sock_type))? != SOCK_STREAM
        || !carries_tcp(read(socket, global!(LAYOUT.members.sock_protocol))?)
    {
        return None;
    }
    let net: u64 = read(socket, global!(LAYOUT.members.sock_net))?;
    let netns = read(net, global!(LAYOUT.members.net_inum))?;
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

/// The `struct sock` behind a descriptor of the current task. A descriptor that is no socket yields
/// some address of another kind, which reads as no stream socket of our namespace.
#[inline(always)]
fn socket_of(descriptor: i32) -> Option<u64> {
    // SAFETY: no arguments.
    let task = unsafe { bpf_get_current_task() };
    let files: u64 = read(task, global!(LAYOUT.members.task_files))?;
    let table: u64 = read(files, global!(LAYOUT.members.files_fdt))?;
    let count: u32 = read(table, global!(LAYOUT.members.fdtable_max_fds))?;
    let descriptor = u32::try_from(descriptor).ok()?;
    if descriptor >= count {
        return None;
    }
    let array: u64 = read(table, global!(LAYOUT.members.fdtable_fd))?;
    let file: u64 = read(array.wrapping_add(u64::from(descriptor) * 8), 0)?;
    let socket: u64 = read(file, global!(LAYOUT.members.file_private_data))?;
    read(socket, global!(LAYOUT.members.socket_sk))
}
