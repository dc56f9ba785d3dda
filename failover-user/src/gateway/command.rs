//! Running a command: in a session of its own, its output in a file, its end told once.
//!
//! A gateway that it leaves behind must outlive this daemon, so nothing ties the two: no pipe that
//! would break, no terminal, no signal at exit.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::{fs::OpenOptionsExt as _, process::ExitStatusExt as _},
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group, setsid};
use tokio::{
    process::{Child, Command as Process},
    time::{Instant, sleep_until},
};

use super::CommandLine;
use crate::decide::{Command, CommandResult};

/// How long a killed command may take to go away; the kernel needs microseconds, a process stuck in
/// the disk for ever.
const GRACE: Duration = Duration::from_secs(5);
/// What is kept of a gateway's chatter before it is thrown away.
const LARGEST_OUTPUT: u64 = 1 << 20;
/// What is told of it when a command fails.
const TOLD_BYTES: u64 = 2048;
const TOLD_LINES: usize = 5;

/// A command in flight.
#[derive(Debug)]
pub struct RunningCommand {
    command: Command,
    since: Instant,
    child: Child,
    give_up: Option<Instant>,
}

impl RunningCommand {
    /// Runs it, with these additions to the environment.
    ///
    /// # Errors
    /// When there is no such program, or no process can be made.
    pub fn spawn(
        command: Command,
        line: &CommandLine,
        environment: &[(&str, String)],
        output: Option<&CommandOutput>,
    ) -> io::Result<Self> {
        let stream = || match output {
            Some(output) => Ok(Stdio::from(output.file.try_clone()?)),
            None => io::Result::Ok(Stdio::null()),
        };
        let mut process = Process::new(&line.program);
        process
            .args(&line.arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(stream()?)
            .stderr(stream()?);
        // SAFETY: runs between fork and exec; setsid is a bare system call and takes no lock.
        unsafe { process.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
        Ok(Self {
            command,
            since: Instant::now(),
            child: process.spawn()?,
            give_up: None,
        })
    }

    /// Which one it is.
    #[must_use]
    pub fn command(&self) -> Command {
        self.command
    }

    /// How long it has run.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Its process number, until it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it with its whole process group. [`Self::ended`] then returns soon, whatever happens.
    pub fn kill(&mut self) {
        self.give_up = Some(Instant::now() + GRACE);
        // Not reaped yet, so the number is still its own. The group is led by it since `setsid`.
        let id = self
            .child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(group) = id
            && let Err(error) = kill_process_group(group, Signal::KILL)
        {
            tracing::warn!(command = %self.command, %error, "the command can't be killed");
        }
    }

    /// Waits for its end. Cancel-safe.
    pub async fn ended(&mut self) -> CommandResult {
        let give_up = self.give_up;
        tokio::select! {
            status = self.child.wait() => match status {
                Ok(status) => result(status),
                Err(error) => CommandResult::NotRun { reason: error.to_string() },
            },
            () = async { match give_up {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            } } => CommandResult::Abandoned,
        }
    }
}

fn result(status: ExitStatus) -> CommandResult {
    match (status.code(), status.signal()) {
        (Some(0), _) => CommandResult::Succeeded,
        (Some(code), _) => CommandResult::Failed { code },
        (None, signal) => CommandResult::Signalled {
            signal: signal.unwrap_or_default(),
        },
    }
}

/// Where a command, and the gateway that it leaves behind, writes to.
#[derive(Debug)]
pub struct CommandOutput {
    file: File,
}

impl CommandOutput {
    /// A new file for this command in the state directory; an earlier gateway keeps its own.
    ///
    /// # Errors
    /// When the directory can't be written to.
    pub fn create(state_dir: &Path, command: Command) -> io::Result<Self> {
        let path = state_dir.join(format!("{command}.log"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Self { file })
    }

    /// Keeps it bounded, however much a gateway writes. Writers append, so they go on at the start.
    pub fn trim(&self) {
        if self
            .file
            .metadata()
            .is_ok_and(|metadata| metadata.len() > LARGEST_OUTPUT)
            && let Err(error) = self.file.set_len(0)
        {
            tracing::warn!(%error, "the command's output can't be shortened");
        }
    }

    /// The last lines, made harmless for a log.
    #[must_use]
    pub fn last_lines(&self) -> String {
        let read = || {
            let mut file = self.file.try_clone()?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TOLD_BYTES)))?;
            let mut bytes = Vec::new();
            file.take(TOLD_BYTES).read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        let bytes = read().unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = lines
            .get(lines.len().saturating_sub(TOLD_LINES)..)
            .unwrap_or_default();
        last.join(" | ")
            .chars()
            .map(|character| {
                if character.is_control() {
                    ' '
                } else {
                    character
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_dir() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn sh(script: &str) -> CommandLine {
        CommandLine {
            program: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        }
    }

    #[tokio::test]
    async fn the_exit_code_is_told_and_the_last_lines_are_kept() {
        let folder = state_dir();
        let output = CommandOutput::create(folder.path(), Command::Start).unwrap();
        let line = sh("echo one; printf 'two\\033[2J\\n' >&2; exit 7");
        let mut running = RunningCommand::spawn(Command::Start, &line, &[], Some(&output)).unwrap();
        assert_eq!(running.ended().await, CommandResult::Failed { code: 7 });
        assert_eq!(output.last_lines(), "one | two [2J");
    }

    #[tokio::test]
    async fn a_kill_takes_the_whole_group_with_it() {
        let folder = state_dir();
        let output = CommandOutput::create(folder.path(), Command::Start).unwrap();
        let line = sh("sleep 1000 & echo $!; wait");
        let mut running = RunningCommand::spawn(Command::Start, &line, &[], Some(&output)).unwrap();
        while output.last_lines().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        running.kill();
        assert_eq!(
            running.ended().await,
            CommandResult::Signalled { signal: 9 }
        );
        let grandchild: i32 = output.last_lines().trim().parse().unwrap();
        let gone = || {
            let stat = fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        while !gone() {
            assert!(
                Instant::now() < deadline,
                "process {grandchild} is still there"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[tokio::test]
    async fn output_is_bounded_however_much_is_written() {
        let folder = state_dir();
        let output = CommandOutput::create(folder.path(), Command::Start).unwrap();
        let line = sh("head -c 2000000 /dev/zero; echo end");
        let mut running = RunningCommand::spawn(Command::Start, &line, &[], Some(&output)).unwrap();
        assert_eq!(running.ended().await, CommandResult::Succeeded);
        output.trim();
        assert_eq!(output.file.metadata().unwrap().len(), 0);
    }
}
