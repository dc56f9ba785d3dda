//! Has the kernel's OOM killer end a process, whatever control groups for memory there are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{lab::Lab, wait};

/// For the program that uses it all up.
const LIMIT: &str = "32M";
/// The killer takes nobody else while there is this one (proc_pid_oom_score_adj(5)).
const FIRST: &str = "1000";

/// Ends this process, a unit's in this control group of version 2, and waits until it is gone. `None`: this kernel limits
/// no group's memory.
///
/// # Panics
/// When it isn't ended.
#[must_use]
pub fn end(lab: &Lab, unit: &Path, process: u32) -> Option<()> {
    write(Path::new(&format!("/proc/{process}/oom_score_adj")), FIRST);
    let limit = unit.join("memory.max");
    if limit.exists() {
        // It has more, and none of it can be reclaimed: there is no swap for it.
        write(&limit, "1M");
        await_end(process);
        return Some(());
    }
    let group = Group::new(lab)?;
    write(&group.0.join("memory.limit_in_bytes"), LIMIT);
    let members = group.0.join("cgroup.procs");
    write(&members, &process.to_string());
    let hog = format!("echo $$ >'{}'; exec tail /dev/zero", members.display());
    let mut hog = Command::new("sh")
        .args(["-c", &hog])
        .stdout(Stdio::null())
        .spawn()
        .expect("sh can be run");
    await_end(process);
    let _ = hog.wait();
    let events =
        fs::read_to_string(group.0.join("memory.oom_control")).expect("the group's events");
    assert!(!events.contains("oom_kill 0"), "{events}");
    Some(())
}

/// A control group of version 1 that limits memory. Who is moved into it leaves its unit's of version 2 as it is.
struct Group(PathBuf);

impl Group {
    fn new(lab: &Lab) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("reading /proc/self/mounts");
        let place = mounts.lines().find_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let &[_, place, "cgroup", options, ..] = words.as_slice() else {
                return None;
            };
            options
                .split(',')
                .any(|option| option == "memory")
                .then(|| PathBuf::from(place))
        })?;
        let name = lab.directory().file_name().expect("a lab has a name");
        let group = place.join(name);
        fs::create_dir(&group).expect("making a control group");
        Some(Self(group))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Not while somebody who has ended is still on the way out.
        wait::attempt(wait::LONG, || fs::remove_dir(&self.0).ok());
    }
}

fn await_end(process: u32) {
    let stat = format!("/proc/{process}/stat");
    wait::until("the OOM killer has ended it", wait::LONG, || {
        let stat = fs::read_to_string(&stat).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("writing {}: {error}", file.display()));
}
