//! How much a process counts beside others, for work that may take longer.

use std::{io, os::unix::process::CommandExt as _, process::Command};

use rustix::process::setpriority_process;

/// As nice(1) has it by default.
const NICE: i32 = 10;
/// A process (`IOPRIO_WHO_PROCESS`, ioprio_set(2)), and with 0 the calling one.
const WHO_PROCESS: libc::c_int = 1;
/// Only when nothing else wants the disk (`IOPRIO_CLASS_IDLE`, in the upper bits).
const IDLE: libc::c_int = 3 << 13;

/// Lets the child get less of the processor and the disk than others, with all that it starts. Where the kernel refuses,
/// as a system call filter does, it runs as others do: that is no reason not to run.
pub fn lower(command: &mut Command) {
    // In the child, because the daemon may not do that to another account's process without CAP_SYS_NICE.
    let prepare = || {
        let _ = lower_own();
        Ok(())
    };
    // SAFETY: makes bare system calls only: nothing is allocated, no lock is taken.
    unsafe { command.pre_exec(prepare) };
}

fn lower_own() -> io::Result<()> {
    setpriority_process(None, NICE)?;
    // SAFETY: takes numbers only, and touches no memory (ioprio_set(2)).
    match unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, IDLE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_counts_less_and_so_does_what_it_starts() {
        let script = "cut -d' ' -f19 /proc/self/stat; ionice -p $$ 2>/dev/null || echo idle";
        let mut command = Command::new("/bin/sh");
        lower(command.args(["-c", script]));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.lines().collect::<Vec<_>>(), ["10", "idle"]);
    }
}
