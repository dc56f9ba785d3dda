//! Sends the current process a signal, which it acts on before its system call returns, and tells user space.

use aya_ebpf::{
    helpers::generated::{bpf_ktime_get_boot_ns, bpf_send_signal},
    macros::map,
    maps::RingBuf,
};
use failover_ebpf::stop::{BOUND, LISTENED, STOPS_BYTES, Stop};

use crate::{address::Asked, target::Chosen};

/// include/uapi/asm-generic/signal.h, 6.18: the same on x86-64 and arm64.
const SIGKILL: u32 = 9;
const SIGSTOP: u32 = 19;

#[map]
static STOPS: RingBuf = RingBuf::with_byte_size(STOPS_BYTES, 0);

/// It has bound the port: stopped.
#[inline(always)]
pub fn stop(chosen: &Chosen, asked: &Asked) {
    send(chosen, asked, SIGSTOP, BOUND);
}

/// It listens: a stopped listener would take connections and never answer, so killed.
#[inline(always)]
pub fn kill(chosen: &Chosen, asked: &Asked) {
    send(chosen, asked, SIGKILL, LISTENED);
}

#[inline(always)]
fn send(chosen: &Chosen, asked: &Asked, signal: u32, kind: u32) {
    // To the process, by the kernel itself: no other thread, and no right, can be in its way
    // (kernel/trace/bpf_trace.c, bpf_send_signal_common, 6.18).
    // SAFETY: a number.
    let result = unsafe { bpf_send_signal(signal) };
    if let Some(mut slot) = STOPS.reserve::<Stop>(0) {
        slot.write(Stop {
            // SAFETY: no arguments.
            time: unsafe { bpf_ktime_get_boot_ns() },
            control_group: chosen.control_group,
            pid: chosen.pid,
            tid: chosen.tid,
            result: result as i32,
            kind,
            port: asked.port,
            family: asked.family,
            reserved: 0,
            address: asked.address,
            reserved_too: 0,
        });
        slot.submit(0);
    }
}
