//! A process, and what of it can't be mistaken: its number together with the time of its start, and
//! a descriptor that tells its end.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, pidfd_open},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{fs_credentials::FsCredentials, procfs::read};

/// A line with 52 numbers and a name of 64 bytes at most (man 5 proc_pid_stat).
pub const LONGEST_STAT: u64 = 2048;
/// The lines up to the accounts (man 5 proc_pid_status).
pub const LONGEST_STATUS: u64 = 4096;
/// A thread of the kernel's own (PF_KTHREAD, include/linux/sched.h, 6.18).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// A program's path (PATH_MAX).
const LONGEST_WORD: u64 = 4096;
/// More than a start command's environment; what is behind it isn't looked at.
const LONGEST_ENVIRONMENT: u64 = 256 * 1024;

/// A process that was seen alive, and no later one of its number.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ProcessKey {
    /// Its number (thread group).
    pub pid: u32,
    /// When it began, in ticks of the boot clock (man 5 proc_pid_stat).
    pub started: u64,
}

impl ProcessKey {
    /// The process that has this number now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let started = started(pid)?;
        Some(Self { pid, started })
    }
}

/// Waits for a process's end.
#[derive(Debug)]
pub struct Lifetime {
    key: ProcessKey,
    /// `None` where the kernel has none (before 5.3).
    descriptor: Option<AsyncFd<OwnedFd>>,
}

impl Lifetime {
    /// Of this process, if it still lives. Inside a tokio runtime.
    #[must_use]
    pub fn of(key: ProcessKey) -> Option<Self> {
        let pid = i32::try_from(key.pid).ok().and_then(Pid::from_raw)?;
        let descriptor = pidfd_open(pid, PidfdFlags::NONBLOCK).ok();
        // SAFETY: an `OwnedFd` owns its descriptor until it is dropped, and never changes it.
        let descriptor = descriptor.and_then(|descriptor| unsafe {
            AsyncFd::register_with_interest(descriptor, Interest::READABLE).ok()
        });
        // Asked after the descriptor was opened: so it is this process's, if it lives.
        let lifetime =
            (started(key.pid) == Some(key.started)).then_some(Self { key, descriptor })?;
        lifetime.is_alive().then_some(lifetime)
    }

    /// Which process.
    #[must_use]
    pub const fn key(&self) -> ProcessKey {
        self.key
    }

    /// Does the kernel tell of its end?
    #[must_use]
    pub const fn tells(&self) -> bool {
        self.descriptor.is_some()
    }

    /// Does it live, all of its threads counted?
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let Some(descriptor) = &self.descriptor else {
            // One that can't be looked at, for want of descriptors say, hasn't ended by that.
            return match started(self.key.pid) {
                Some(started) => started == self.key.started,
                None => !is_gone(self.key.pid),
            };
        };
        let mut asked = [PollFd::new(descriptor, PollFlags::IN)];
        let ended = poll(&mut asked, Some(&Timespec::default()));
        !matches!(ended, Ok(1..))
    }

    /// Waits until it has ended. For ever where the kernel doesn't tell. Cancel-safe.
    pub async fn ended(&self) {
        match &self.descriptor {
            Some(descriptor) => {
                let ready: io::Result<_> = descriptor.readable().await;
                if ready.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            None => std::future::pending().await,
        }
    }
}

/// Does this process run the very file that this one does? A daemon that has given up rights may not
/// look at the file of one that has more (ptrace(2)): then it uses the name of the call, which
/// anybody can choose, so the answer may only be used for messages.
#[must_use]
pub fn is_this_program(pid: u32) -> bool {
    let file = |process: &str| {
        let file = fs::metadata(format!("/proc/{process}/exe"))?;
        Ok::<_, io::Error>((file.dev(), file.ino()))
    };
    match (file("self"), file(&pid.to_string())) {
        (Ok(ours), Ok(its)) => ours == its,
        (Ok(_), Err(error)) if error.kind() == io::ErrorKind::PermissionDenied => {
            let words = read(Path::new(&format!("/proc/{pid}/cmdline")), LONGEST_WORD);
            let called = words.split(|byte| *byte == 0).next().unwrap_or_default();
            let called = Path::new(OsStr::from_bytes(called)).file_name();
            let ours = std::env::current_exe().unwrap_or_default();
            called.is_some() && called == ours.file_name()
        }
        _ => false,
    }
}

/// When a process began; `None` when it is gone, or only waits to be reaped.
#[must_use]
pub fn started(pid: u32) -> Option<u64> {
    Some(stat(pid)?.started)
}

/// The process that began this one, or took it over from the one that did.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    Some(stat(pid)?.parent).filter(|parent| *parent != 0)
}

fn stat(pid: u32) -> Option<Stat> {
    let text = read(Path::new(&format!("/proc/{pid}/stat")), LONGEST_STAT);
    Stat::of(&text)
}

/// It is known not to be there, or only waits to be reaped.
fn is_gone(pid: u32) -> bool {
    match fs::File::open(format!("/proc/{pid}/stat")) {
        Ok(_) => true,
        Err(error) => matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)),
    }
}

/// What the kernel says of a process that lives (man 5 proc_pid_stat).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stat {
    /// Number of its parent.
    pub parent: u32,
    /// In ticks of the boot clock.
    pub started: u64,
    /// Number of its session.
    pub session: u32,
    /// Whether it is a thread of the kernel's own.
    pub is_kernel_thread: bool,
}

impl Stat {
    /// `None` of one that is gone, or only waits to be reaped. The name may hold anything, a parenthesis
    /// too; after the last one there are only numbers.
    pub fn of(stat: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(stat);
        let mut words = text.rsplit_once(") ")?.1.split(' ');
        // The fields 3, 4, 6, 9 and 22.
        let state = words.next()?;
        let parent = words.next()?.parse().ok()?;
        let session = words.nth(1)?;
        let flags = words.nth(2)?;
        let started = words.nth(12)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self {
            parent,
            started,
            session: session.parse().unwrap_or_default(),
            is_kernel_thread: flags.parse().unwrap_or(0) & KERNEL_THREAD != 0,
        })
    }
}

/// Was this very process stopped by a signal, with all of its threads? `false` also of one that is gone. In a
/// frozen control group it still is.
#[must_use]
pub fn is_stopped(process: ProcessKey) -> bool {
    let tasks = PathBuf::from(format!("/proc/{}/task", process.pid));
    let Ok(threads) = fs::read_dir(tasks) else {
        return false;
    };
    let mut states = threads
        .flatten()
        .map(|thread| state_in(&read(&thread.path().join("stat"), LONGEST_STAT)))
        // One that has ended meanwhile.
        .filter(Option::is_some)
        .peekable();
    let any = states.peek().is_some();
    any && states.all(|state| state == Some(STOPPED))
        && started(process.pid) == Some(process.started)
}

/// `T` in the third field (man 5 proc_pid_stat).
const STOPPED: char = 'T';

/// The name, in parentheses, may hold anything.
fn state_in(stat: &[u8]) -> Option<char> {
    let text = String::from_utf8_lossy(stat);
    text.rsplit_once(") ")?.1.chars().next()
}

/// The accounts that a process runs as: real, effective, saved and of the file system (credentials(7)),
/// each once. None when it is gone.
#[must_use]
pub fn accounts(pid: u32) -> Vec<u32> {
    let text = read(Path::new(&format!("/proc/{pid}/status")), LONGEST_STATUS);
    accounts_in(&text)
}

/// The kernel escapes line breaks in the name, which comes first (proc_task_name, fs/proc/array.c, 6.18).
fn accounts_in(status: &[u8]) -> Vec<u32> {
    let text = String::from_utf8_lossy(status);
    let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
    let words = line.unwrap_or_default().split_ascii_whitespace();
    let accounts: Option<BTreeSet<u32>> = words.map(|word| word.parse().ok()).collect();
    accounts.unwrap_or_default().into_iter().collect()
}

/// Was this very process begun with this variable in its environment?
#[must_use]
pub fn has_variable(process: ProcessKey, name: &str, value: &str) -> bool {
    let ProcessKey {
        pid,
        started: began,
    } = process;
    let process = PathBuf::from(format!("/proc/{pid}"));
    // It is shown to who may trace the process: its own account (proc_pid_environ(5)).
    let credentials = fs::metadata(&process).map(|of| FsCredentials::of(of.uid(), of.gid()));
    let environment = read(&process.join("environ"), LONGEST_ENVIRONMENT);
    drop(credentials);
    let wanted = format!("{name}={value}");
    let has_it = environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == wanted.as_bytes());
    // Another process may have got its number meanwhile.
    has_it && started(pid) == Some(began)
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::Duration,
    };

    use tokio::time::timeout;

    use super::*;

    fn sleeper() -> std::process::Child {
        Command::new("sleep")
            .arg("1000")
            .env("FAILOVER_TEST", "yes it is")
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[tokio::test]
    async fn the_end_of_a_process_is_told_even_before_it_is_reaped() {
        let mut child = sleeper();
        let pid = child.id();
        let started = started(pid).unwrap();
        let key = ProcessKey { pid, started };
        let lifetime = Lifetime::of(key).unwrap();
        assert!(lifetime.is_alive());
        let early = timeout(Duration::from_millis(50), lifetime.ended()).await;
        assert!(early.is_err());
        child.kill().unwrap();
        timeout(Duration::from_secs(5), lifetime.ended())
            .await
            .unwrap();
        assert!(!lifetime.is_alive());
        assert_eq!(super::started(pid), None);
        child.wait().unwrap();
        assert!(Lifetime::of(key).is_none());
    }

    #[tokio::test]
    async fn a_later_process_of_the_same_number_is_another_one() {
        let pid = std::process::id();
        let started = started(pid).unwrap() - 1;
        assert!(Lifetime::of(ProcessKey { pid, started }).is_none());
    }

    #[test]
    fn a_process_is_stopped_from_sigstop_to_sigcont() {
        use rustix::process::{Signal, kill_process};

        let mut child = sleeper();
        let key = ProcessKey::of(child.id()).unwrap();
        let pid = Pid::from_child(&child);
        let becomes = |wanted| {
            let deadline = std::time::Instant::now() + Duration::from_secs(5);
            while is_stopped(key) != wanted && std::time::Instant::now() < deadline {
                std::thread::yield_now();
            }
            is_stopped(key) == wanted
        };
        let mut seen = vec![!is_stopped(key)];
        kill_process(pid, Signal::STOP).unwrap();
        seen.push(becomes(true));
        let later = ProcessKey {
            started: key.started + 1,
            ..key
        };
        seen.push(!is_stopped(later));
        kill_process(pid, Signal::CONT).unwrap();
        seen.push(becomes(false));
        child.kill().unwrap();
        child.wait().unwrap();
        seen.push(!is_stopped(key));
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn a_variable_is_found_in_the_environment() {
        let mut child = sleeper();
        // The parent goes on before the kernel has noted where the environment is.
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        let pid = child.id();
        let key = ProcessKey::of(pid).unwrap();
        while !has_variable(key, "FAILOVER_TEST", "yes it is")
            && std::time::Instant::now() < deadline
        {
            std::thread::yield_now();
        }
        let found = |value| has_variable(key, "FAILOVER_TEST", value);
        let answers = [found("yes it is"), found("yes"), found("")];
        let later = ProcessKey {
            started: key.started + 1,
            ..key
        };
        let later = has_variable(later, "FAILOVER_TEST", "yes it is");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(answers, [true, false, false]);
        assert!(!later, "another process of the same number");
    }

    #[test]
    fn the_accounts_of_a_process_are_read_each_once() {
        let status = |uids: &str| format!("Name:\tx\\nUid:\t7\nPid:\t1\nUid:\t{uids}\nGid:\t9\n");
        for (uids, expected) in [
            ("1000\t1000\t1000\t1000", &[1000][..]),
            ("7\t0\t0\t0", &[0, 7]),
            ("", &[]),
            ("1000\tx", &[]),
        ] {
            assert_eq!(accounts_in(status(uids).as_bytes()), expected, "{uids}");
        }
        let own = accounts(std::process::id());
        assert!(
            own.contains(&rustix::process::geteuid().as_raw()),
            "{own:?}"
        );
        assert!(accounts(u32::MAX).is_empty());
    }

    #[test]
    fn a_name_cannot_pretend_to_be_numbers() {
        let numbers = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for name in ["a", "a) S 1 2", ") ) (", ""] {
            let stat = format!("42 ({name}) {numbers}");
            let stat = Stat::of(stat.as_bytes()).unwrap();
            assert_eq!(
                (stat.parent, stat.session, stat.started),
                (1, 3, 4711),
                "{name}"
            );
            assert!(!stat.is_kernel_thread);
        }
        for nonsense in ["", "42 (a)", "42 (a) S", "42 (a) S x x x"] {
            assert_eq!(Stat::of(nonsense.as_bytes()), None, "{nonsense}");
        }
    }
}
