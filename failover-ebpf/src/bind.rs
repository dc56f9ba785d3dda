//! `bind(2)` on a watched port, with its result: taken down when it enters, told when it returns.
//!
//! Binds through io_uring don't pass here (since 6.11); the LISTEN that follows does, in `state`.

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid, bpf_probe_read_user,
        generated::{bpf_get_current_task, bpf_ktime_get_boot_ns},
    },
    macros::{map, tracepoint},
    maps::LruHashMap,
    programs::TracePointContext,
};
use aya_log_ebpf::debug;
use failover_ebpf::{AF_INET, AF_INET6, Event, KIND_BIND};

use crate::{
    kernel::{field, global, namespace_of, read, wanted_namespace, watched},
    owner, report,
    state::widened,
};

/// `SOCK_STREAM` (include/linux/net.h, 6.18).
const SOCK_STREAM: u16 = 1;
/// `AF_UNSPEC`, which `bind` takes for `AF_INET` on the wildcard address (inet_bind_sk, 6.18).
const AF_UNSPEC: u16 = 0;
/// Shortest `sockaddr_in` and `sockaddr_in6` that `bind` takes (inet_bind_sk and inet6_bind_sk).
const SOCKADDR_IN_LENGTH: i32 = 16;
const SOCKADDR_IN6_LENGTH: i32 = 24;

/// A bind that has entered the kernel and not returned.
#[repr(C)]
#[derive(Clone, Copy)]
struct PendingBind {
    socket: u64,
    netns: u32,
    uid: u32,
    port: u16,
    family: u16,
    reserved: u32,
    address: [u8; 16],
}

/// By thread. A thread killed in between leaves its entry, which the next one displaces.
#[map]
static PENDING_BINDS: LruHashMap<u64, PendingBind> = LruHashMap::with_max_entries(1024, 0);

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
    let owner = owner::current();
    report::send(&Event {
        // SAFETY: no arguments.
        time: unsafe { bpf_ktime_get_boot_ns() },
        socket: bind.socket,
        pid: owner.pid,
        tid: owner.tid,
        uid: bind.uid,
        netns: bind.netns,
        error: result as i32,
        local_port: bind.port,
        remote_port: 0,
        family: bind.family,
        kind: KIND_BIND,
        old_state: 0,
        new_state: 0,
        reserved: [0; 3],
        local_address: bind.address,
        remote_address: [0; 16],
        comm: owner.comm,
    });
    debug!(&context, "bind on port {}: {}", bind.port, result);
    0
}

/// `None` when it is not one to tell: another port, family, kind of socket or namespace.
#[inline(always)]
fn enter(context: &TracePointContext) -> Option<PendingBind> {
    let user_address: u64 = field(context, global!(LAYOUT.bind.umyaddr))?;
    let length = field::<u64>(context, global!(LAYOUT.bind.addrlen))? as i32;
    if length < SOCKADDR_IN_LENGTH {
        return None;
    }
    // sa_family and the port lie at the same place in sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)).
    let [family, port] = read_user::<[u16; 2]>(user_address, 0)?;
    let port = u16::from_be(port);
    if !watched(port) {
        return None;
    }
    let (family, address) = match family {
        AF_INET | AF_UNSPEC => (AF_INET, widened(read_user(user_address, 4)?)),
        AF_INET6 if length >= SOCKADDR_IN6_LENGTH => (AF_INET6, read_user(user_address, 8)?),
        _ => return None,
    };
    let descriptor = field::<u64>(context, global!(LAYOUT.bind.fd))? as i32;
    let socket = socket_of(descriptor)?;
    if read::<u16>(socket, global!(LAYOUT.members.sock_type))? != SOCK_STREAM {
        return None;
    }
    let netns = namespace_of(socket)?;
    if !wanted_namespace(netns) {
        return None;
    }
    let uid = read(socket, global!(LAYOUT.members.sock_uid))?;
    Some(PendingBind {
        socket,
        netns,
        uid,
        port,
        family,
        reserved: 0,
        address,
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

#[inline(always)]
fn read_user<T: Copy>(address: u64, offset: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address.wrapping_add(offset) as *const T) }.ok()
}
