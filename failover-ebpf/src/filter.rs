//! What the event program reports: the ports and the network namespace that user space has chosen.

use failover_ebpf::Filter;

use crate::kernel::global;

/// Set by user space before loading, constant to the verifier.
#[unsafe(no_mangle)]
pub static FILTER: Filter = Filter::ZERO;

/// Is one of the ports watched?
#[inline(always)]
pub fn watched(one: u16, other: u16) -> bool {
    let (local, primary) = (global!(FILTER.local_port), global!(FILTER.primary_port));
    one == local || one == primary || other == local || other == primary
}

/// Is this a namespace to report?
#[inline(always)]
pub fn wanted_namespace(netns: u32) -> bool {
    let wanted = global!(FILTER.netns);
    wanted == 0 || wanted == netns
}
