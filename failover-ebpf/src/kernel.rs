//! Reading the running kernel's memory: globals set at load time, tracepoint records, members of
//! structures. The verifier or `bpf_probe_read_kernel` checks every address, so a wrong offset reads
//! a wrong value or fails, and never harms the machine.

use core::{array::from_fn, mem::transmute, ptr::read_volatile};

use aya_ebpf::{EbpfContext as _, helpers::bpf_probe_read_kernel, programs::TracePointContext};
use failover_ebpf::Layout;

/// Where things lie. Set by user space before loading, constant to the verifier.
#[unsafe(no_mangle)]
pub static LAYOUT: Layout = Layout::ZERO;

/// Reads one member of a global that the loader has overwritten: volatile, so that the compiler
/// doesn't take the value it was compiled with.
macro_rules! global {
    (LAYOUT . $($member:ident).+) => {
        // SAFETY: a valid, aligned, immutable static.
        unsafe { core::ptr::read_volatile(&raw const $crate::kernel::LAYOUT.$($member).+) }
    };
    (FILTER . $($member:ident).+) => {
        // SAFETY: the same.
        unsafe { core::ptr::read_volatile(&raw const $crate::filter::FILTER.$($member).+) }
    };
    (TASKS . $($member:ident).+) => {
        // SAFETY: the same.
        unsafe { core::ptr::read_volatile(&raw const $crate::task::TASKS.$($member).+) }
    };
}
pub(crate) use global;

/// A field of a tracepoint's record.
#[inline(always)]
pub fn field<T: Copy>(context: &TracePointContext, offset: u32) -> Option<T> {
    read(context.as_ptr() as u64, offset)
}

/// A pointer whose type the verifier knows: an argument of a typed program, or what one points to.
#[derive(Clone, Copy)]
pub struct Typed(pub *const u8);

impl Typed {
    /// A member, in one instruction instead of a call. The offset is constant to the verifier, which
    /// looks up what lies there in the kernel's own BTF (`btf_struct_access`, 5.10). What has been
    /// freed meanwhile reads as zero.
    #[inline(always)]
    pub fn member<T: Copy>(self, offset: u32) -> T {
        // SAFETY: as above; members that are plain numbers are aligned.
        unsafe { read_volatile(self.0.wrapping_add(offset as usize).cast()) }
    }

    /// What a member points to.
    #[inline(always)]
    pub fn target(self, offset: u32) -> Self {
        Self(self.member(offset))
    }

    /// Sixteen bytes: an IPv6 address.
    #[inline(always)]
    pub fn wide_member(self, offset: u32) -> [u8; 16] {
        let words: [u32; 4] = from_fn(|word| self.member(offset + 4 * word as u32));
        // SAFETY: both are sixteen bytes that may have any value.
        unsafe { transmute(words) }
    }

    /// The network namespace (inode) of a `struct sock`.
    #[inline(always)]
    pub fn namespace(self) -> u32 {
        let net = self.target(global!(LAYOUT.members.sock_net));
        net.member(global!(LAYOUT.members.net_inum))
    }
}

/// A member of a kernel structure.
#[inline(always)]
pub fn read<T: Copy>(structure: u64, offset: u32) -> Option<T> {
    let address = structure.wrapping_add(u64::from(offset)) as *const T;
    // SAFETY: the helper checks the address; `T` is a plain number or an array of bytes.
    unsafe { bpf_probe_read_kernel(address) }.ok()
}
