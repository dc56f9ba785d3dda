//! Sends events to user space: the ring buffer, and the count of lost events.

use aya_ebpf::{
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use failover_ebpf::{Event, RING_BYTES};

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(RING_BYTES, 0);

#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Hands the event over, or counts it as lost.
#[inline(always)]
pub fn send(event: &Event) {
    match EVENTS.reserve::<Event>(0) {
        Some(mut slot) => {
            slot.write(*event);
            slot.submit(0);
        }
        None => lose(),
    }
}

/// Counts a matching event that is lost.
#[inline(always)]
pub fn lose() {
    if let Some(count) = LOST.get_ptr_mut(0) {
        // SAFETY: a slot of this CPU; at worst a nested interrupt's increment is missed by one.
        unsafe { *count += 1 };
    }
}
