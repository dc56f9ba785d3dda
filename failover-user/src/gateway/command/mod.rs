//! Runs a command in its own session, with its output in a file, and reports its end once.
//!
//! A gateway that it leaves behind must outlive this daemon, so nothing connects the two: its output goes to a pipe
//! that can't break (see [`crate::gateway::command::relay`]), and there is no terminal and no signal at exit.

pub(crate) mod account;
pub(crate) mod command_line;
pub(crate) mod executor;
pub(crate) mod failures;
pub(crate) mod force;
pub(crate) mod manager;
pub(crate) mod output;
pub mod relay;
pub(crate) mod shell;
pub(crate) mod start_watch;
pub(crate) mod survivors;
pub mod unit;

use std::{
    io,
    os::unix::process::ExitStatusExt as _,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{
    process::{Child, Command as Process},
    time::{Instant, sleep_until},
};

use failover_decide::{CommandResult, Step};

use crate::gateway::command::{account::Account, command_line::CommandLine, output::CommandOutput};
use failover_linux::spawn;

/// Timeout for a killed command to end. The kernel needs microseconds; a process that waits for a disk may
/// take for ever.
const GRACE: Duration = Duration::from_secs(5);

/// A command in progress.
#[derive(Debug)]
pub struct RunningCommand {
    command: Step,
    since: Instant,
    child: Child,
    give_up: Option<Instant>,
}

impl RunningCommand {
    /// Starts it, as this account or as the daemon's own, with these additions to the environment.
    ///
    /// # Errors
    /// When there is no such program, no process can be made, or it can't become the account.
    pub fn spawn(
        command: Step,
        line: &CommandLine,
        account: Option<&Account>,
        environment: &[(&str, String)],
        output: Option<&CommandOutput>,
    ) -> io::Result<Self> {
        let stream = || output.map_or_else(|| Ok(Stdio::null()), CommandOutput::stream);
        let mut process = alone(line, account)?;
        process
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdout(stream()?)
            .stderr(stream()?);
        Ok(Self {
            command,
            since: Instant::now(),
            child: process.spawn()?,
            give_up: None,
        })
    }

    /// The command.
    #[must_use]
    pub fn command(&self) -> Step {
        self.command
    }

    /// How long it has been running.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Its process ID, until it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it with its process group. [`Self::ended`] then returns soon in any case.
    pub fn kill(&mut self) {
        self.give_up = Some(Instant::now() + GRACE);
        if let Err(error) = kill_group(&self.child) {
            tracing::warn!(command = %self.command, %error, "the command can't be killed");
        }
    }

    /// Has it ended, whether or not its end was awaited?
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let pid = self.id().and_then(|pid| i32::try_from(pid).ok());
        let Some(pid) = pid.and_then(Pid::from_raw) else {
            return true;
        };
        let how = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        matches!(waitid(WaitId::Pid(pid), how), Ok(Some(_)))
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

/// A process to spawn: in its own session, as this account, and with nothing inherited from the daemon.
pub(crate) fn alone(line: &CommandLine, account: Option<&Account>) -> io::Result<Process> {
    let mut process = Process::new(&line.program);
    process.args(&line.arguments).stdin(Stdio::null());
    let change = match account {
        Some(account) => {
            process.env_clear().envs(account.environment(&line.program));
            Some(account.change()?)
        }
        None => {
            // systemd's variables are for the daemon, not for its commands.
            for name in ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"] {
                process.env_remove(name);
            }
            None
        }
    };
    spawn::isolated(process.as_std_mut(), change);
    Ok(process)
}

/// Kills a process of [`alone`] with its group, unless it has been reaped: until then its ID can't be
/// reused. It leads the group since `setsid`.
pub(crate) fn kill_group(child: &Child) -> io::Result<()> {
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    match id.and_then(Pid::from_raw) {
        Some(group) => Ok(kill_process_group(group, Signal::KILL)?),
        None => Ok(()),
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

#[cfg(test)]
mod tests {
    use std::{fs, os::fd::AsRawFd as _};

    use rustix::{fs::Mode, process::umask};

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
    async fn a_command_inherits_no_descriptor_and_has_a_session_of_its_own() {
        let folder = state_dir();
        let mut output = CommandOutput::create(folder.path(), Step::START, None).unwrap();
        // Open across exec, as one that a careless starter left.
        let null = fs::File::open("/dev/null").unwrap();
        let leaked = rustix::io::fcntl_dupfd_cloexec(&null, 100).unwrap();
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
        let line = sh(&format!(
            "ls /proc/$$/fd/0 /proc/$$/fd/{}; cut -d' ' -f1,6 /proc/$$/stat",
            leaked.as_raw_fd()
        ));
        let mut running =
            RunningCommand::spawn(Step::START, &line, None, &[], Some(&output)).unwrap();
        let pid = running.id().unwrap();
        assert_eq!(running.ended().await, CommandResult::Succeeded);
        output.arrived().await;
        let lines = output.last_lines();
        let expected = format!("No such file or directory | /proc/{pid}/fd/0 | {pid} {pid}");
        assert!(lines.ends_with(&expected), "{lines}");
    }

    #[tokio::test]
    async fn a_command_has_the_usual_mask_whatever_the_daemons_is() {
        let folder = state_dir();
        let mut output = CommandOutput::create(folder.path(), Step::START, None).unwrap();
        let before = umask(Mode::from_raw_mode(0o077));
        let running = RunningCommand::spawn(Step::START, &sh("umask"), None, &[], Some(&output));
        umask(before);
        assert_eq!(running.unwrap().ended().await, CommandResult::Succeeded);
        output.arrived().await;
        assert_eq!(output.last_lines(), "0022");
    }

    #[tokio::test]
    async fn the_exit_code_is_told_and_the_last_lines_are_kept() {
        let folder = state_dir();
        let mut output = CommandOutput::create(folder.path(), Step::START, None).unwrap();
        let line = sh("echo one; printf 'two\\033[2J\\n' >&2; exit 7");
        let mut running =
            RunningCommand::spawn(Step::START, &line, None, &[], Some(&output)).unwrap();
        assert_eq!(running.ended().await, CommandResult::Failed { code: 7 });
        output.arrived().await;
        assert_eq!(output.last_lines(), "one | two [2J");
    }

    #[tokio::test]
    async fn a_kill_takes_the_whole_group_with_it() {
        let folder = state_dir();
        let mut output = CommandOutput::create(folder.path(), Step::START, None).unwrap();
        let line = sh("sleep 1000 & echo $!; wait");
        let mut running =
            RunningCommand::spawn(Step::START, &line, None, &[], Some(&output)).unwrap();
        while output.last_lines().is_empty() {
            output.arrived().await;
        }
        running.kill();
        assert_eq!(
            running.ended().await,
            CommandResult::Signalled { signal: 9 }
        );
        output.arrived().await;
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
}
