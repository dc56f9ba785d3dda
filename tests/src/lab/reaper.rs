//! Cleans up however a lab ends: normally, by a panic, Ctrl-C or SIGKILL.
//!
//! A process outside the lab, the reaper, holds the lab's namespaces and one end of a pipe. When
//! the other end closes, which the kernel ensures, it kills all processes in those namespaces and in the lab's
//! control groups. Then it removes those groups and the lab's directory.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Write},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setsid};

use super::{
    cgroup,
    namespace::{Identity, Namespace},
};
use crate::{signals, wait};

/// The answer to a valid line.
const HELD: &str = "held";
/// A killed process is gone in microseconds; one that isn't by then hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(10);

/// A lab's end of the pipe. Dropping it ends everything in the lab.
#[derive(Debug)]
pub struct Reaper {
    process: Child,
    /// `None` once it is closed.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Reaper {
    /// Starts the reaper, from this binary.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn start(lab_binary: &Path) -> Result<Self> {
        let mut command = Command::new(lab_binary);
        command
            .arg("reaper")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // SAFETY: runs between fork and exec; setsid is a bare system call and takes no lock. In a
        // session of its own, no terminal's Ctrl-C reaches it.
        unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
        let mut process = command
            .spawn()
            .with_context(|| format!("running {} reaper", lab_binary.display()))?;
        let orders = process.stdin.take();
        let answers = process.stdout.take().context("a reaper without a mouth")?;
        Ok(Self {
            process,
            orders,
            answers: BufReader::new(answers),
        })
    }

    /// Everything that runs in this namespace from now on will be killed.
    ///
    /// # Errors
    /// When the reaper is gone.
    pub fn hold_namespace(&mut self, namespace: &Namespace) -> Result<()> {
        self.order(&format!("namespace {}", namespace.path()))
    }

    /// This directory will be removed.
    ///
    /// # Errors
    /// When the reaper is gone.
    pub fn hold_directory(&mut self, directory: &Path) -> Result<()> {
        self.order(&format!("directory {}", directory.display()))
    }

    /// This control group will be emptied and removed.
    ///
    /// # Errors
    /// When the reaper is gone.
    pub fn hold_group(&mut self, group: &Path) -> Result<()> {
        self.order(&format!("group {}", group.display()))
    }

    /// The request is in force when this returns.
    fn order(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().context("the reaper was dismissed")?;
        writeln!(orders, "{order}").context("the lab's reaper is gone")?;
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .context("the lab's reaper is gone")?;
        ensure!(answer.trim() == HELD, "the reaper says {answer:?}");
        Ok(())
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        drop(self.orders.take());
        match self.process.wait() {
            Ok(status) if status.success() => {}
            ended => eprintln!("the lab's reaper ended badly: {ended:?}"),
        }
    }
}

/// The reaper itself: takes orders until the lab is gone, then reaps.
///
/// # Errors
/// When something could not be killed or removed.
pub fn run() -> Result<()> {
    signals::ignore_termination();
    let mut reaped = Reaped::default();
    for line in io::stdin().lock().lines() {
        // A lab that died in the middle of a word has nothing in what it meant to name.
        let Ok(line) = line else { break };
        match line.split_once(' ') {
            Some(("namespace", path)) => match File::open(path) {
                Ok(file) => reaped.namespaces.push(file),
                Err(_) => continue,
            },
            Some(("directory", path)) => reaped.directories.push(path.into()),
            Some(("group", path)) => reaped.groups.push(path.into()),
            _ => continue,
        }
        let mut answers = io::stdout().lock();
        let _ = writeln!(answers, "{HELD}").and_then(|()| answers.flush());
    }
    reaped.reap()
}

/// The resources of the lab.
#[derive(Debug, Default)]
struct Reaped {
    /// Held open, so that their identities can't be reused.
    namespaces: Vec<File>,
    directories: Vec<PathBuf>,
    groups: Vec<PathBuf>,
}

impl Reaped {
    fn reap(&self) -> Result<()> {
        let namespaces = self
            .namespaces
            .iter()
            .map(|file| file.metadata().map(|metadata| Identity::from(&metadata)))
            .collect::<io::Result<Vec<_>>>()
            .context("looking at the lab's namespaces")?;
        for group in &self.groups {
            cgroup::kill(group);
        }
        // Killed processes may have been making others.
        let emptied = wait::attempt(PATIENCE, || {
            (kill_all_in(&namespaces).ok()? == 0).then_some(())
        });
        // A killed process is in its group until its last memory is given back.
        let ungrouped = wait::attempt(PATIENCE, || {
            let mut groups = self.groups.iter();
            groups
                .all(|group| cgroup::remove(group).is_ok())
                .then_some(())
        });
        for directory in &self.directories {
            match fs::remove_dir_all(directory) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", directory.display()));
                }
                _ => {}
            }
        }
        emptied.context("processes in the lab's namespaces can't be killed")?;
        ungrouped.context("the lab's control groups can't be removed")
    }
}

/// Kills whatever runs in one of the namespaces, and returns how many there were.
fn kill_all_in(namespaces: &[Identity]) -> io::Result<usize> {
    let mut found = 0;
    for pid in processes()? {
        // The descriptor first: by then it is this process or none, never a later one of its number.
        let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else {
            continue;
        };
        let Ok(process) = pidfd_open(process, PidfdFlags::empty()) else {
            continue;
        };
        if Identity::of_process(pid).is_some_and(|identity| namespaces.contains(&identity)) {
            found += 1;
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
    Ok(found)
}

/// Process numbers of all that run in this namespace. Zombies are in none.
#[must_use]
pub fn processes_in(namespace: Identity) -> Vec<u32> {
    let mut processes = processes().unwrap_or_default();
    processes.retain(|pid| Identity::of_process(*pid) == Some(namespace));
    processes
}

fn processes() -> io::Result<Vec<u32>> {
    let entries = fs::read_dir("/proc")?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect())
}
