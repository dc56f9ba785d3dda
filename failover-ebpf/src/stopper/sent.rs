//! The sent counter: packets by the control group of the socket that sent them. Netlink and Unix sockets send none.

use aya_ebpf::{
    macros::{btf_tracepoint, map},
    maps::{PerCpuArray, PerCpuHashMap},
    programs::BtfTracePointContext,
};
use failover_ebpf::stop::MOST_COUNTED;

use crate::{
    kernel::{global, read},
    task::Group,
};

/// Up to 5.15 flags may stand in place of the group, in the lowest bits (`struct sock_cgroup_data`,
/// include/linux/cgroup-defs.h, 5.10); a pointer has none there.
const FLAGS: u64 = 3;

#[map]
static SENT: PerCpuHashMap<u64, u64> = PerCpuHashMap::with_max_entries(MOST_COUNTED, 0);

#[map]
static UNCOUNTED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// `net_dev_queue`: a packet is about to be queued at an interface, the loopback one as well (__dev_queue_xmit,
/// net/core/dev.c, 6.18). A cgroup_skb program would see the same, and takes CAP_NET_ADMIN to attach.
#[btf_tracepoint]
pub fn net_dev_queue(context: BtfTracePointContext) -> i32 {
    if let Some(group) = sender(context.arg(0)) {
        count(group);
    }
    0
}

/// The control group of the socket that a `struct sk_buff` was sent from. What passes through has none. The small
/// sockets of a handshake (`struct request_sock`) end before that member: at most, their packets are counted under
/// a number that nothing reads.
#[inline(always)]
fn sender(packet: u64) -> Option<u64> {
    let socket: u64 = read(packet, global!(TASKS.sk_buff_sk))?;
    if socket == 0 {
        return None;
    }
    let group: u64 = read(socket, global!(TASKS.sock_cgroup))?;
    if group == 0 || group & FLAGS != 0 {
        return None;
    }
    Some(Group::of(group)?.id())
}

#[inline(always)]
fn count(group: u64) {
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
}
