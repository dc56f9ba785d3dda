//! The contract between the stopper, the kernel program that stops a gateway in its bind, and user space: what is
//! to be stopped, the record of a stop, and the names of maps, globals and programs.

use core::mem::size_of;

/// Of this contract. Maps and programs outlive the process that made them, so a later version of user space
/// may find those of an earlier one.
pub const VERSION: u32 = 1;

/// The most groups in a control group's path: a user's unit lies five deep, in containers a few more.
pub const MOST_GROUPS: usize = 16;
/// Longest name of a control group: `NAME_MAX` (include/uapi/linux/limits.h, 6.18).
pub const GROUP_NAME_LENGTH: usize = 255;
/// Characters of a [`GroupName`]'s piece: 64 bytes with the zero, for a kernel program's stack has 512.
pub const PIECE_LENGTH: usize = 63;

/// A control group's name in pieces of at most 63 characters, each with zeros up to 64 bytes. The first that is
/// shorter, or empty, is the last.
pub type GroupName = [[u64; (PIECE_LENGTH + 1) / 8]; GROUP_NAME_LENGTH / PIECE_LENGTH + 1];
/// The most process-number namespaces in one another, and the machine's own (`MAX_PID_NS_LEVEL`,
/// include/linux/pid_namespace.h, 6.18).
pub const MOST_PID_NAMESPACES: u32 = 33;

/// Is it armed, and for which port: all that a bind of somebody else's costs. This record may never change
/// its form: every version has to be able to disarm every other.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Control {
    /// [`VERSION`] of who loaded the programs.
    pub version: u32,
    /// 0: disarmed.
    pub port: u32,
}

/// Which process to stop. Written only while disarmed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Target {
    /// Names of the control group and of those above it, from the innermost on.
    pub groups: [GroupName; MOST_GROUPS],
    /// Id of the group in which the outermost of these lies (the inode of its directory).
    pub root: u64,
    /// How many names there are.
    pub depth: u32,
    /// Inode of the network namespace, or 0 for any.
    pub netns: u32,
    /// Inode of the process-number namespace that `process` is of.
    pub pid_namespace: u32,
    /// [`PROCESS`] or [`CHILD`].
    pub which: u32,
    /// The process, or the one whose child it is.
    pub process: u32,
    /// Always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<Target>() == MOST_GROUPS * size_of::<GroupName>() + 8 + 6 * 4);

/// [`Target::which`]: that very process.
pub const PROCESS: u32 = 1;
/// [`Target::which`]: any child of that process.
pub const CHILD: u32 = 2;

/// One stop, as it lies in the ring buffer. Checked like every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stop {
    /// `CLOCK_BOOTTIME`, nanoseconds.
    pub time: u64,
    /// Id of the process's control group (the inode of its directory).
    pub control_group: u64,
    /// In the numbers of [`Target::pid_namespace`].
    pub pid: u32,
    /// Thread of `pid` that bound.
    pub tid: u32,
    /// What `bpf_send_signal` said: 0 or a negative errno.
    pub result: i32,
    /// [`BOUND`] or [`LISTENED`].
    pub kind: u32,
    /// Of the socket.
    pub port: u16,
    /// [`AF_INET`](crate::AF_INET) or [`AF_INET6`](crate::AF_INET6).
    pub family: u16,
    /// Always zero.
    pub reserved: u32,
    /// In network byte order; IPv4 in the first four bytes.
    pub address: [u8; 16],
    /// Always zero: keeps the size a multiple of eight.
    pub reserved_too: u64,
}

const _: () = assert!(size_of::<Stop>() == 64);

/// [`Stop::kind`]: its bind succeeded, and it was sent SIGSTOP.
pub const BOUND: u32 = 1;
/// [`Stop::kind`]: it came to listen all the same, and was sent SIGKILL.
pub const LISTENED: u32 = 2;

/// Byte offsets of what leads from a task to its control group and its process numbers, and from a packet to the
/// control group that sent it, from BTF.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(missing_docs, reason = "named after structure and member")]
pub struct TaskMembers {
    pub task_cgroups: u32,
    pub css_set_dfl_cgrp: u32,
    pub cgroup_kn: u32,
    pub kernfs_name: u32,
    pub kernfs_parent: u32,
    pub kernfs_id: u32,
    pub task_real_parent: u32,
    pub task_group_leader: u32,
    pub task_thread_pid: u32,
    pub pid_level: u32,
    pub pid_numbers: u32,
    pub upid_nr: u32,
    pub upid_ns: u32,
    pub pid_namespace_inum: u32,
    pub sk_buff_sk: u32,
    pub sock_cgroup: u32,
}

const _: () = assert!(size_of::<TaskMembers>() == 16 * 4);

impl TaskMembers {
    /// What the kernel program is compiled with, before the loader puts in the real one.
    pub const ZERO: Self = Self {
        task_cgroups: 0,
        css_set_dfl_cgrp: 0,
        cgroup_kn: 0,
        kernfs_name: 0,
        kernfs_parent: 0,
        kernfs_id: 0,
        task_real_parent: 0,
        task_group_leader: 0,
        task_thread_pid: 0,
        pid_level: 0,
        pid_numbers: 0,
        upid_nr: 0,
        upid_ns: 0,
        pid_namespace_inum: 0,
        sk_buff_sk: 0,
        sock_cgroup: 0,
    };
}

/// Name of the array with one [`Control`].
pub const MAP_CONTROL: &str = "CONTROL";
/// Name of the array with one [`Target`].
pub const MAP_TARGET: &str = "TARGET";
/// Name of the ring buffer of [`Stop`]s.
pub const MAP_STOPS: &str = "STOPS";
/// Name of the map from control group to the number of packets that were sent from it, by CPU.
pub const MAP_SENT: &str = "SENT";
/// Name of the per-CPU counter of packets that had no room in [`MAP_SENT`].
pub const MAP_UNCOUNTED: &str = "UNCOUNTED";
/// Name of the global that holds the [`TaskMembers`].
pub const GLOBAL_TASKS: &str = "TASKS";

/// Size of the ring buffer: a page of the machines with the largest, and far more stops than there can be.
pub const STOPS_BYTES: u32 = 1 << 16;
/// Control groups that are counted apart.
pub const MOST_COUNTED: u32 = 4096;
