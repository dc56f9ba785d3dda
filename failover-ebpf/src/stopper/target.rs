//! Which process to stop: is the stopper armed, and is the current process the one?

use aya_ebpf::{macros::map, maps::Array};
use failover_ebpf::stop::{CHILD, Control, PROCESS, Target};

use crate::task::Task;

#[map]
static CONTROL: Array<Control> = Array::with_max_entries(1, 0);

#[map]
static TARGET: Array<Target> = Array::with_max_entries(1, 0);

/// The current process, which is the one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Chosen {
    pub control_group: u64,
    pub pid: u32,
    pub tid: u32,
}

/// The port that it is armed for: nobody's, 0, while it is disarmed.
#[inline(always)]
pub fn port() -> u16 {
    match CONTROL.get_ptr(0) {
        // SAFETY: the map's only value, read as user space may be writing it.
        Some(control) => unsafe { (&raw const (*control).port).read_volatile() as u16 },
        None => 0,
    }
}

/// Is it armed for this port?
#[inline(always)]
pub fn is_armed_for(wanted: u16) -> bool {
    wanted != 0 && port() == wanted
}

/// Is the current process, with a socket in that network namespace, the one to stop?
#[inline(always)]
pub fn chosen(netns: u32) -> Option<Chosen> {
    let target = TARGET.get(0)?;
    if target.netns != 0 && target.netns != netns {
        return None;
    }
    let task = Task::current();
    let group = task.group()?;
    if !group.is_at(target) {
        return None;
    }
    let leader = task.leader()?;
    let pid = leader.number_in(target.pid_namespace);
    let is_main = match target.which {
        PROCESS => pid == target.process,
        CHILD => {
            let parent = leader.parent()?.leader()?;
            parent.number_in(target.pid_namespace) == target.process
        }
        _ => false,
    };
    (is_main && target.process != 0).then(|| Chosen {
        control_group: group.id(),
        pid,
        tid: task.number_in(target.pid_namespace),
    })
}
