//! The sent counter: packets of IP by the control group of the socket that sent them. Netlink and Unix
//! sockets send none.

use aya_ebpf::{
    helpers::generated::bpf_skb_cgroup_id,
    macros::{cgroup_skb, map},
    maps::{PerCpuArray, PerCpuHashMap},
    programs::SkBuffContext,
};
use failover_ebpf::stop::MOST_COUNTED;

/// The packet may go on (kernel/bpf/cgroup.c, __cgroup_bpf_run_filter_skb, 6.18).
const PASS: i32 = 1;

#[map]
static SENT: PerCpuHashMap<u64, u64> = PerCpuHashMap::with_max_entries(MOST_COUNTED, 0);

#[map]
static UNCOUNTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Counts a packet on its way out.
#[cgroup_skb(egress)]
pub fn count_sent(context: SkBuffContext) -> i32 {
    // SAFETY: the context's own packet.
    let group = unsafe { bpf_skb_cgroup_id(context.skb.skb) };
    match SENT.get_ptr_mut(group) {
        // SAFETY: this CPU's value; at worst a nested interrupt's packet is missed by one.
        Some(count) => unsafe { *count += 1 },
        None => {
            if SENT.insert(group, 1, 0).is_err()
                && let Some(count) = UNCOUNTED.get_ptr_mut(0)
            {
                // SAFETY: the same.
                unsafe { *count += 1 };
            }
        }
    }
    PASS
}
