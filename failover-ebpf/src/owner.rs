//! The owner of a socket. State changes often run in softirq, where the current task is the one that was
//! interrupted. So the task is noted when it provably acts for itself (listen, connect,
//! close), under the socket's identity, and reported with every later event of that socket.

use aya_ebpf::{
    bindings::bpf_pidns_info,
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, generated::bpf_get_ns_current_pid_tgid,
    },
    macros::map,
    maps::LruHashMap,
};
use failover_ebpf::{COMM_LENGTH, tcp_state::*};

use crate::kernel::global;

/// A task, as the reader of the events sees it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Owner {
    /// Process (thread group).
    pub pid: u32,
    /// Thread.
    pub tid: u32,
    /// Its name at that time.
    pub comm: [u8; COMM_LENGTH],
}

/// Nobody known: a connection that the kernel accepted and no process has touched yet.
const NOBODY: Owner = Owner {
    pid: 0,
    tid: 0,
    comm: [0; COMM_LENGTH],
};

/// Sockets on the watched ports and their owners. When full, the longest unused is forgotten, which
/// costs a name in an event and nothing else.
#[map]
static OWNERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(16_384, 0);

/// The owner of a socket that changes its state.
#[inline(always)]
pub fn of_socket(socket: u64, old: u8, new: u8) -> Owner {
    match (old, new) {
        // inet_csk_listen_start and tcp_v4_connect run in the system call (net/ipv4, 6.18).
        (_, LISTEN | SYN_SENT) => {
            let owner = current();
            // A failure leaves the owner unknown later, no more.
            let _ = OWNERS.insert(socket, owner, 0);
            return owner;
        }
        // inet_csk_clone_lock, in softirq: a new socket, perhaps at the address of an old one.
        (_, SYN_RECV) => {
            let _ = OWNERS.remove(socket);
            return NOBODY;
        }
        _ => {}
    }
    // SAFETY: the value is copied at once; a race with eviction can only yield another owner's name.
    let known = unsafe { OWNERS.get(socket) }.copied();
    let owner = match (known, old, new) {
        (Some(owner), _, _) => owner,
        // tcp_close and tcp_shutdown run in the system call or at the process's exit.
        (None, ESTABLISHED, FIN_WAIT1) | (None, CLOSE_WAIT, LAST_ACK) => {
            let owner = current();
            let _ = OWNERS.insert(socket, owner, 0);
            owner
        }
        (None, LISTEN, CLOSE) => current(),
        (None, _, _) => NOBODY,
    };
    if new == CLOSE {
        let _ = OWNERS.remove(socket);
    }
    owner
}

/// The task that runs now. Only meaningful in a system call.
#[inline(always)]
pub fn current() -> Owner {
    let (pid, tid) = process_numbers();
    Owner {
        pid,
        tid,
        comm: bpf_get_current_comm().unwrap_or([0; COMM_LENGTH]),
    }
}

/// Process and thread number in the reader's process-number namespace; 0 where it has none there.
#[inline(always)]
fn process_numbers() -> (u32, u32) {
    let inode = global!(FILTER.pid_namespace_inode);
    if inode == 0 {
        return split(bpf_get_current_pid_tgid());
    }
    let device = global!(FILTER.pid_namespace_device);
    let mut numbers = bpf_pidns_info { pid: 0, tgid: 0 };
    // SAFETY: the helper writes the structure whose size it is told, or fails.
    let result = unsafe {
        bpf_get_ns_current_pid_tgid(
            device,
            inode,
            &raw mut numbers,
            size_of::<bpf_pidns_info>() as u32,
        )
    };
    if result == 0 {
        (numbers.tgid, numbers.pid)
    } else {
        (0, 0)
    }
}

#[inline(always)]
fn split(pid_tgid: u64) -> (u32, u32) {
    ((pid_tgid >> 32) as u32, pid_tgid as u32)
}
