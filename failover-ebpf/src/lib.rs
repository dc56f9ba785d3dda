//! The contract between the kernel programs and user space: the event that goes through the ring
//! buffer, the names of the maps and globals, and the layout of the running kernel's structures.
//!
//! This is the only thing that both sides share. It knows nothing of aya, of tokio, or of what
//! anybody does with an event.
#![no_std]

pub mod stop;

use core::mem::size_of;

/// Longest command name, `TASK_COMM_LEN` (include/linux/sched.h, 6.18).
pub const COMM_LENGTH: usize = 16;

/// [`Event::kind`] of a TCP state change.
pub const KIND_TCP_STATE: u8 = 1;
/// [`Event::kind`] of a finished `bind(2)`.
pub const KIND_BIND: u8 = 2;

/// Address family numbers (include/linux/socket.h, 6.18).
pub const AF_INET: u16 = 2;
/// See [`AF_INET`].
pub const AF_INET6: u16 = 10;

/// `IPPROTO_TCP` (include/uapi/linux/in.h, 6.18).
pub const IPPROTO_TCP: u16 = 6;

/// TCP states (include/net/tcp_states.h, 6.18; frozen by `enum` values in include/uapi/linux/bpf.h).
pub mod tcp_state {
    #![expect(missing_docs, reason = "the names are those of tcp(7)")]
    pub const ESTABLISHED: u8 = 1;
    pub const SYN_SENT: u8 = 2;
    pub const SYN_RECV: u8 = 3;
    pub const FIN_WAIT1: u8 = 4;
    pub const FIN_WAIT2: u8 = 5;
    pub const TIME_WAIT: u8 = 6;
    pub const CLOSE: u8 = 7;
    pub const CLOSE_WAIT: u8 = 8;
    pub const LAST_ACK: u8 = 9;
    pub const LISTEN: u8 = 10;
    pub const CLOSING: u8 = 11;
    pub const NEW_SYN_RECV: u8 = 12;
}

/// One kernel event, as it lies in the ring buffer.
///
/// A plain record in host byte order (addresses excepted). User space checks every field before
/// it believes one, so a record of another version costs a message and nothing more.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// The socket's identity: the same for all events of one socket while it exists, nothing else.
    pub socket: u64,
    /// The task that owns the socket, or 0 where the kernel acted by itself and no owner is known.
    pub pid: u32,
    /// Thread of `pid`, or 0.
    pub tid: u32,
    /// Owner of the socket.
    pub uid: u32,
    /// Inode of the socket's network namespace, as in `/proc/PID/ns/net`.
    pub netns: u32,
    /// TCP state: `sk_err` when the connection ended, else 0. Bind: 0 or a negative errno.
    pub error: i32,
    /// Local port.
    pub local_port: u16,
    /// Remote port; 0 for binds and listeners.
    pub remote_port: u16,
    /// [`AF_INET`] or [`AF_INET6`].
    pub family: u16,
    /// [`KIND_TCP_STATE`] or [`KIND_BIND`].
    pub kind: u8,
    /// State before; 0 for binds.
    pub old_state: u8,
    /// State after; 0 for binds.
    pub new_state: u8,
    /// Always zero: no byte of kernel stack leaves uninitialised.
    pub reserved: [u8; 3],
    /// Local address in network byte order; IPv4 in the first four bytes.
    pub local_address: [u8; 16],
    /// Remote address, likewise; zero for binds.
    pub remote_address: [u8; 16],
    /// Command name of `pid`, NUL-terminated when shorter. Anybody can choose it: never trust it.
    pub comm: [u8; COMM_LENGTH],
}

const _: () = assert!(size_of::<Event>() == 96);

/// Where things lie in the running kernel: read at load time, compiled in nowhere.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Layout {
    /// Fields of `syscalls:sys_enter_bind` and `syscalls:sys_exit_bind`, from their tracefs format
    /// files; zero where they aren't used.
    pub bind: BindFields,
    /// Members of kernel structures, from BTF.
    pub members: Members,
}

/// Byte offsets in the records of `syscalls:sys_enter_bind` and `syscalls:sys_exit_bind`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the format files")]
pub struct BindFields {
    pub fd: u32,
    pub umyaddr: u32,
    pub addrlen: u32,
    pub ret: u32,
}

/// Byte offsets of members in kernel structures.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "named after structure and member")]
pub struct Members {
    pub sock_num: u32,
    pub sock_dport: u32,
    pub sock_family: u32,
    pub sock_rcv_saddr: u32,
    pub sock_daddr: u32,
    pub sock_v6_rcv_saddr: u32,
    pub sock_v6_daddr: u32,
    pub sock_net: u32,
    pub sock_protocol: u32,
    pub sock_err: u32,
    pub sock_uid: u32,
    pub sock_type: u32,
    pub tcp_sport: u32,
    pub net_inum: u32,
    pub task_files: u32,
    pub files_fdt: u32,
    pub fdtable_max_fds: u32,
    pub fdtable_fd: u32,
    pub file_private_data: u32,
    pub socket_sk: u32,
}

const _: () = assert!(size_of::<Layout>() == 24 * 4);

impl Layout {
    /// What the kernel program is compiled with, before the loader puts in the real one.
    pub const ZERO: Self = Self {
        bind: BindFields {
            fd: 0,
            umyaddr: 0,
            addrlen: 0,
            ret: 0,
        },
        members: Members {
            sock_num: 0,
            sock_dport: 0,
            sock_family: 0,
            sock_rcv_saddr: 0,
            sock_daddr: 0,
            sock_v6_rcv_saddr: 0,
            sock_v6_daddr: 0,
            sock_net: 0,
            sock_protocol: 0,
            sock_err: 0,
            sock_uid: 0,
            sock_type: 0,
            tcp_sport: 0,
            net_inum: 0,
            task_files: 0,
            files_fdt: 0,
            fdtable_max_fds: 0,
            fdtable_fd: 0,
            file_private_data: 0,
            socket_sk: 0,
        },
    };
}

/// What to report: ports, namespace, and whose process numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// The PID namespace of `pid` and `tid`: device and inode of
    /// `/proc/self/ns/pid`. Zero: the machine's first one.
    pub pid_namespace_device: u64,
    /// See `pid_namespace_device`.
    pub pid_namespace_inode: u64,
    /// The local gateway's port.
    pub local_port: u16,
    /// The primary's port; the same as `local_port` in most places.
    pub primary_port: u16,
    /// Inode of the network namespace to report, or 0 for all.
    pub netns: u32,
    /// A process whose TCP sockets are not reported, in the numbers of that namespace; 0 for none.
    pub ignored_pid: u32,
    /// Keeps the size a multiple of eight without hidden padding.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Filter>() == 32);

impl Filter {
    /// Matches nothing.
    pub const ZERO: Self = Self {
        pid_namespace_device: 0,
        pid_namespace_inode: 0,
        local_port: 0,
        primary_port: 0,
        netns: 0,
        ignored_pid: 0,
        reserved: 0,
    };
}

/// Name of the ring buffer map.
pub const MAP_EVENTS: &str = "EVENTS";
/// Name of the per-CPU counter map. Its one slot counts matching events that were lost:
/// the ring buffer was full, or a structure could not be read.
pub const MAP_LOST: &str = "LOST";
/// Name of the global that holds the [`Layout`].
pub const GLOBAL_LAYOUT: &str = "LAYOUT";
/// Name of the global that holds the [`Filter`].
pub const GLOBAL_FILTER: &str = "FILTER";

/// Size of the ring buffer: about 10,000 events, which is 200 ms at 5,000 connections a second
/// with both ends on this machine.
pub const RING_BYTES: u32 = 1 << 20;
