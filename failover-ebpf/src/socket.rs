//! Which sockets count, and how to get from a descriptor to one.

use aya_ebpf::helpers::generated::bpf_get_current_task;
use failover_ebpf::IPPROTO_TCP;

use crate::kernel::{global, read};

/// `SOCK_STREAM` (include/linux/net.h, 6.18).
const SOCK_STREAM: u16 = 1;
/// `IPPROTO_MPTCP` (include/uapi/linux/in.h, 6.18).
const IPPROTO_MPTCP: u16 = 262;

/// Is it a stream of TCP's, or has it one below? SCTP's are stream sockets, too.
#[inline(always)]
pub fn is_tcp_stream(kind: u16, protocol: u16) -> bool {
    kind == SOCK_STREAM && (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
}

/// The TCP stream socket behind a descriptor of the current task, and the inode of its network
/// namespace.
#[inline(always)]
pub fn stream_behind(descriptor: i32) -> Option<(u64, u32)> {
    let socket = socket_of(descriptor)?;
    let kind = read(socket, global!(LAYOUT.members.sock_type))?;
    if !is_tcp_stream(kind, read(socket, global!(LAYOUT.members.sock_protocol))?) {
        return None;
    }
    let net: u64 = read(socket, global!(LAYOUT.members.sock_net))?;
    Some((socket, read(net, global!(LAYOUT.members.net_inum))?))
}

/// The `struct sock` behind a descriptor of the current task. A descriptor that is no socket yields
/// some address of another kind, which reads as no stream socket of our namespace.
#[inline(always)]
fn socket_of(descriptor: i32) -> Option<u64> {
    // SAFETY: no arguments.
    let task = unsafe { bpf_get_current_task() };
    let files: u64 = read(task, global!(LAYOUT.members.task_files))?;
    let table: u64 = read(files, global!(LAYOUT.members.files_fdt))?;
    let count: u32 = read(table, global!(LAYOUT.members.fdtable_max_fds))?;
    let descriptor = u32::try_from(descriptor).ok()?;
    if descriptor >= count {
        return None;
    }
    let array: u64 = read(table, global!(LAYOUT.members.fdtable_fd))?;
    let file: u64 = read(array.wrapping_add(u64::from(descriptor) * 8), 0)?;
    let socket: u64 = read(file, global!(LAYOUT.members.file_private_data))?;
    read(socket, global!(LAYOUT.members.socket_sk))
}
