//! From a task to its control group and its process numbers.
//!
//! Everything is read with `bpf_probe_read_kernel`, which checks each address; what is being changed
//! meanwhile reads as something that doesn't match.

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_probe_read_kernel_str};
use failover_ebpf::stop::{
    GroupName, MOST_GROUPS, MOST_PID_NAMESPACES, PIECE_LENGTH, Target, TaskMembers,
};

use crate::kernel::{global, read};

/// Set by user space before loading, constant to the verifier.
#[unsafe(no_mangle)]
pub static TASKS: TaskMembers = TaskMembers::ZERO;

/// `struct upid`: a number and a pointer (include/linux/pid.h, 6.18; 5.10 alike).
const UPID_SIZE: u64 = 16;

/// A `struct task_struct`.
#[derive(Clone, Copy)]
pub struct Task(u64);

/// A `struct kernfs_node`: a control group's directory.
#[derive(Clone, Copy)]
pub struct Group(u64);

impl Task {
    #[inline(always)]
    pub fn current() -> Self {
        // SAFETY: no arguments.
        Self(unsafe { bpf_get_current_task() })
    }

    /// The thread that stands for its process.
    #[inline(always)]
    pub fn leader(self) -> Option<Self> {
        Some(Self(read(self.0, global!(TASKS.task_group_leader))?))
    }

    /// The process that forked it, or has adopted it.
    #[inline(always)]
    pub fn parent(self) -> Option<Self> {
        Some(Self(read(self.0, global!(TASKS.task_real_parent))?))
    }

    /// Its control group of version 2.
    #[inline(always)]
    pub fn group(self) -> Option<Group> {
        let set: u64 = read(self.0, global!(TASKS.task_cgroups))?;
        Group::of(read(set, global!(TASKS.css_set_dfl_cgrp))?)
    }

    /// Its number in that namespace; 0 where it has none there.
    #[inline(never)]
    pub fn number_in(self, namespace: u32) -> u32 {
        self.find_number_in(namespace).unwrap_or(0)
    }

    #[inline(always)]
    fn find_number_in(self, namespace: u32) -> Option<u32> {
        let pid: u64 = read(self.0, global!(TASKS.task_thread_pid))?;
        let level: u32 = read(pid, global!(TASKS.pid_level))?;
        let mut number = pid.wrapping_add(u64::from(global!(TASKS.pid_numbers)));
        for at in 0..MOST_PID_NAMESPACES {
            if at > level {
                break;
            }
            let of: u64 = read(number, global!(TASKS.upid_ns))?;
            if read::<u32>(of, global!(TASKS.pid_namespace_inum))? == namespace {
                return read(number, global!(TASKS.upid_nr));
            }
            number = number.wrapping_add(UPID_SIZE);
        }
        None
    }
}

impl Group {
    /// That of a `struct cgroup`.
    #[inline(always)]
    pub fn of(cgroup: u64) -> Option<Self> {
        Some(Self(read(cgroup, global!(TASKS.cgroup_kn))?))
    }

    /// The inode of its directory.
    #[inline(always)]
    pub fn id(self) -> u64 {
        read(self.0, global!(TASKS.kernfs_id)).unwrap_or(0)
    }

    /// Does it have this path?
    #[inline(never)]
    pub fn is_at(self, target: &Target) -> bool {
        let mut group = self;
        for level in 0..MOST_GROUPS {
            if level as u32 >= target.depth {
                break;
            }
            if !group.is_named(&target.groups[level]) {
                return false;
            }
            match read(group.0, global!(TASKS.kernfs_parent)) {
                Some(0) | None => return false,
                Some(parent) => group = Self(parent),
            }
        }
        group.id() == target.root
    }

    #[inline(always)]
    fn is_named(self, wanted: &GroupName) -> bool {
        let Some(mut name) = read::<u64>(self.0, global!(TASKS.kernfs_name)) else {
            return false;
        };
        for piece in 0..wanted.len() {
            // On the stack: what is kept for each CPU could be overwritten by another task that takes its turn.
            let mut found = [0_u64; (PIECE_LENGTH + 1) / 8];
            // SAFETY: the helper writes at most as much, and checks the address that it reads from.
            let length = unsafe {
                bpf_probe_read_kernel_str(
                    found.as_mut_ptr().cast(),
                    PIECE_LENGTH as u32 + 1,
                    name as *const _,
                )
            };
            if length <= 0 {
                return false;
            }
            for word in 0..found.len() {
                if found[word] != wanted[piece][word] {
                    return false;
                }
            }
            // With its zero: a piece that isn't full is the last.
            if length <= PIECE_LENGTH as i64 {
                return true;
            }
            name = name.wrapping_add(PIECE_LENGTH as u64);
        }
        false
    }
}
