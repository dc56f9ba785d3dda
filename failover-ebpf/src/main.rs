//! The kernel program: tells user space of TCP state changes and binds on the watched ports.
//!
//! It filters and reports; it knows nothing of primaries, strikes or takeovers. On the host this
//! file is an empty program, so that `cargo build --workspace` needs no exclusions.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(target_arch = "bpf")]
mod address;
#[cfg(target_arch = "bpf")]
mod bind;
#[cfg(target_arch = "bpf")]
mod bind_call;
#[cfg(target_arch = "bpf")]
mod filter;
#[cfg(target_arch = "bpf")]
mod kernel;
#[cfg(target_arch = "bpf")]
mod owner;
#[cfg(target_arch = "bpf")]
mod report;
#[cfg(target_arch = "bpf")]
mod socket;
#[cfg(target_arch = "bpf")]
mod state;

#[cfg(not(target_arch = "bpf"))]
fn main() {}

/// Unreachable: the verifier rejects a program that could get here.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// `bpf_probe_read_kernel` is for GPL-compatible programs only (kernel/trace/bpf_trace.c, 6.18).
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
