//! The stopper: stops the local gateway in its own system call, when it has bound its port and before it can
//! listen. And the sent counter, which shows that nothing was sent before that.
//!
//! An object of its own beside the event program, because it outlives the daemon: its maps, programs and links
//! are pinned. It chooses the process by port, control group and parent; it knows nothing of
//! primaries, strikes or takeovers. On the host this file is an empty program.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
#[path = "../address.rs"]
mod address;
#[cfg(target_arch = "bpf")]
mod bind;
#[cfg(target_arch = "bpf")]
mod bind_call;
#[cfg(target_arch = "bpf")]
#[path = "../kernel.rs"]
mod kernel;
#[cfg(target_arch = "bpf")]
mod listen;
#[cfg(target_arch = "bpf")]
mod sent;
#[cfg(target_arch = "bpf")]
mod signal;
#[cfg(target_arch = "bpf")]
#[path = "../socket.rs"]
mod socket;
#[cfg(target_arch = "bpf")]
mod target;
#[cfg(target_arch = "bpf")]
mod task;

#[cfg(not(target_arch = "bpf"))]
fn main() {}

/// Unreachable: the verifier rejects a program that could get here.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `bpf_send_signal` and `bpf_probe_read_kernel` are for GPL-compatible programs only
/// (kernel/trace/bpf_trace.c, 6.18).
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
