//! A bind that succeeded, by the system call's tracepoints: noted at entry, acted on at return. For kernels
//! that cannot trace functions. Binds through io_uring don't pass here (since 6.11); what listens without
//! having been stopped is ended in `listen`.

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{map, tracepoint},
    maps::LruHashMap,
    programs::TracePointContext,
};

use crate::{
    address::{Asked, asked},
    kernel::{field, global},
    signal::stop,
    socket::stream_behind,
    target::{Chosen, chosen, is_armed_for, port},
};

/// The bind of a process that must be stopped.
#[repr(C)]
#[derive(Clone, Copy)]
struct Pending {
    chosen: Chosen,
    asked: Asked,
    /// Keeps the size a multiple of eight without hidden padding.
    reserved: u32,
}

const _: () = assert!(size_of::<Asked>() == 24 && size_of::<Pending>() == 48);

/// By thread, and only of that one process. A thread killed in between leaves its entry, which the next one
/// displaces.
#[map]
static PENDING: LruHashMap<u64, Pending> = LruHashMap::with_max_entries(1024, 0);

/// Takes down a bind to stop at.
#[tracepoint]
pub fn sys_enter_bind(context: TracePointContext) -> u32 {
    if port() == 0 {
        return 0;
    }
    if let Some(pending) = enter(&context) {
        let noted = PENDING.insert(bpf_get_current_pid_tgid(), pending, 0);
        if noted.is_err() {
            // Stopped whatever comes of the bind, rather than not at all.
            stop(&pending.chosen, &pending.asked);
        }
    }
    0
}

/// Stops the process if the bind has succeeded.
#[tracepoint]
pub fn sys_exit_bind(context: TracePointContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: copied at once; only this thread writes under this key.
    let Some(pending) = (unsafe { PENDING.get(thread) }).copied() else {
        return 0;
    };
    let _ = PENDING.remove(thread);
    let result = field::<i64>(&context, global!(LAYOUT.bind.ret));
    // Disarmed meanwhile: whoever has done that will not let it go on a second time.
    if result == Some(0) && is_armed_for(pending.asked.port) {
        stop(&pending.chosen, &pending.asked);
    }
    0
}

#[inline(always)]
fn enter(context: &TracePointContext) -> Option<Pending> {
    let user_address: u64 = field(context, global!(LAYOUT.bind.umyaddr))?;
    let length = field::<u64>(context, global!(LAYOUT.bind.addrlen))? as i32;
    let asked = asked::<true>(user_address, length, is_armed_for)?;
    let descriptor = field::<u64>(context, global!(LAYOUT.bind.fd))? as i32;
    let (_, netns) = stream_behind(descriptor)?;
    let chosen = chosen(netns)?;
    Some(Pending {
        chosen,
        asked,
        reserved: 0,
    })
}
