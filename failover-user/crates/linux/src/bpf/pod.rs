//! Records of the contract that go into a global or a map as they are.

use failover_ebpf::{
    Filter, Layout,
    stop::{Control, Target, TaskMembers},
};

/// One of those below.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Pod<T>(pub T);

// SAFETY: `repr(C)`, only numbers, no padding (sizes asserted in failover-ebpf), valid for any bits.
unsafe impl aya::Pod for Pod<Layout> {}
// SAFETY: the same.
unsafe impl aya::Pod for Pod<Filter> {}
// SAFETY: the same.
unsafe impl aya::Pod for Pod<TaskMembers> {}
// SAFETY: the same.
unsafe impl aya::Pod for Pod<Control> {}
// SAFETY: the same.
unsafe impl aya::Pod for Pod<Target> {}
