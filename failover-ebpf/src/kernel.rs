//! Reading the running kernel's memory: globals set at load time, tracepoint records, members of
//! structures. The verifier or `bpf_probe_read_kernel` checks every address, so a wrong offset reads
//! a wrong value or fails, and never harms the machine.

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

/// A field of a tracepoint's record that lies at `USUAL` in every kernel so far. There it takes one
/// instruction instead of a call, and where it lies is constant to the verifier, which drops the
/// other branch.
#[inline(always)]
pub fn usual_field<T: Copy, const USUAL: u32>(
    context: &TracePointContext,
    offset: u32,
) -> Option<T> {
    if offset != USUAL {
        return field(context, offset);
    }
    let address = (context.as_ptr() as u64 + u64::from(USUAL)) as *const T;
    // SAFETY: the verifier has seen that it lies in the record, and it is aligned there.
    Some(unsafe { core::ptr::read_volatile(address) })
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
