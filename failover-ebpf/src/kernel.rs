//! Reading the running kernel's memory: globals set at load time, tracepoint records, members of
//! structures. Everything goes through `bpf_probe_read_kernel`, so a wrong offset reads a wrong
//! value or fails, and never harms the machine.

use aya_ebpf::{EbpfContext as _, helpers::bpf_probe_read_kernel, programs::TracePointContext};
use failover_ebpf::{Filter, Layout};

/// Where things lie. Set by user space before loading, constant to the verifier.
#[unsafe(no_mangle)]
pub static LAYOUT: Layout = Layout::ZERO;

/// What to report. Set likewise.
#[unsafe(no_mangle)]
pub static FILTER: Filter = Filter::ZERO;

/// Reads one member of a global that the loader has overwritten: volatile, so that the compiler
/// doesn't take the value it was compiled with.
macro_rules! global {
    ($global:ident . $($member:ident).+) => {
        // SAFETY: a valid, aligned, immutable static.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::$global.$($member).+) }
    };
}
pub(crate) use global;

/// A field of a tracepoint's record.
#[inline(always)]
pub fn field<T: Copy>(context: &TracePointContext, offset: u32) -> Option<T> {
    read(context.as_ptr() as u64, offset)
}

/// A member of a kernel structure.
#[inline(always)]
pub fn read<T: Copy>(structure: u64, offset: u32) -> Option<T> {
    let address = structure.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address; `T` is a plain number or an array of bytes.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}

/// Is the port one of the watched ones?
#[inline(always)]
pub fn watched(port: u16) -> bool {
    port == global!(FILTER.local_port) || port == global!(FILTER.primary_port)
}

/// The network namespace (inode) of a `struct sock`.
#[inline(always)]
pub fn namespace_of(sock: u64) -> Option<u32> {
    let net: u64 = read(sock, global!(LAYOUT.members.sock_net))?;
    read(net, global!(LAYOUT.members.net_inum))
}

/// Is this a namespace to report?
#[inline(always)]
pub fn wanted_namespace(netns: u32) -> bool {
    let wanted = global!(FILTER.netns);
    wanted == 0 || wanted == netns
}
