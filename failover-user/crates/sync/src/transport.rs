//! The way to the other host: one ssh command a connection, with our own options only, and the program first. A
//! [round](crate::session) has one connection for all that it does.
//!
//! ssh is not run by the worker itself but by a process of ours between the two, the transport: it also stands
//! between rsync and ssh (`rsync -e`), sends the program before anything that rsync sends, and kills its process
//! group at the deadline. So no ssh and no rsync outlives its limit, even where the worker was killed:
//! `rsync --timeout` doesn't end a pull from a host that is gone (measured: still there after 60 s).

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpgrp, kill_process_group, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    children::{self, Finished, Unfinished},
    pipes::{Pipes, pass_on},
    source::{Answer, AnswerError, LONGEST_ANSWER, Program, printable},
    spec::SourceSpec,
};

/// The name of the verb of this program's that is the transport.
pub const VERB: &str = "sync-transport";
/// The variable that has what it needs. rsync passes it on.
const VARIABLE: &str = "FAILOVER_SYNC_TRANSPORT";
/// What rsync calls the other host.
pub(crate) const HOST: &str = "source";
/// ssh's exit code for all that goes wrong on the way, a refused key included: ssh(1).
const SSH_FAILED: i32 = 255;
/// The limit of what is shown of standard error, in characters.
const LONGEST_COMPLAINT: usize = 500;
/// Of ssh's, in characters: the end.
const LONGEST_SSH_COMPLAINT: usize = 250;
/// What ssh may do: none of it is read from a file. With these values a pull ended 8.9 s after the link had gone
/// (measured). Compressed: the program that goes first is a third then, and rsync compresses only what it sends of files.
const OPTIONS: [&str; 20] = [
    "BatchMode=yes",
    "CheckHostIP=no",
    "ClearAllForwardings=yes",
    "Compression=yes",
    "ConnectTimeout=5",
    "ControlMaster=no",
    "ControlPath=none",
    "EscapeChar=none",
    "ForwardAgent=no",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "LogLevel=ERROR",
    "PermitLocalCommand=no",
    "PreferredAuthentications=publickey",
    "RequestTTY=no",
    "ServerAliveCountMax=2",
    "ServerAliveInterval=3",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
];

/// What the transport needs.
#[derive(Deserialize, Serialize)]
struct Errand {
    line: Line,
    within: Duration,
}

/// How it reaches the other host.
#[derive(Deserialize, Serialize)]
pub(crate) enum Line {
    /// By a connection of its own.
    Own(SourceSpec),
    /// By that of a [round](crate::session), through pipes that it has inherited.
    Round(Pipes),
}

/// The way to the other host, for one order.
#[derive(Clone, Debug)]
pub struct Way {
    /// This program, which has the transport's verb.
    pub executable: PathBuf,
    /// How the other host is reached.
    pub source: SourceSpec,
    /// The configured paths.
    pub paths: Vec<PathBuf>,
    /// The end of the order.
    pub deadline: Instant,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum WayError {
    /// Something here.
    #[error("{0}")]
    Local(String),
    /// The other host wasn't reached.
    #[error("{destination} is not reached: {words}; test with: failover check")]
    NotReached {
        /// How it was to be reached.
        destination: String,
        /// ssh's words.
        words: String,
    },
    /// It failed there.
    #[error("{destination} reports: {words}")]
    Refused {
        /// The other host.
        destination: String,
        /// Its words.
        words: String,
    },
    /// What it answered is not used.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// It took too long.
    #[error("{0} didn't answer within the limit")]
    TooLong(String),
}

impl Way {
    /// Has the program there do something.
    ///
    /// # Errors
    /// When the other host isn't reached, refuses, fails, or takes too long.
    pub fn ask(&self, verb: &str, input: Vec<u8>) -> Result<Answer, WayError> {
        let line = self.text(verb, input)?;
        match Answer::parse(line.trim_ascii(), &self.paths)? {
            Answer::Failed { error } => Err(self.refused(error)),
            answer => Ok(answer),
        }
    }

    /// The same for an answer that is no JSON.
    ///
    /// # Errors
    /// When the other host isn't reached, refuses, fails, or takes too long.
    pub fn text(&self, verb: &str, input: Vec<u8>) -> Result<Vec<u8>, WayError> {
        let mut command = self.command(verb)?;
        let finished = children::run(&mut command, input, LONGEST_ANSWER, self.deadline, || None);
        let Finished {
            status,
            output,
            complaint,
        } = finished.map_err(|error| self.unfinished(&error))?;
        match status.code() {
            // The program reports its failures as an answer, where it gets that far.
            Some(0 | 1) if !output.is_empty() => Ok(output),
            Some(_) | None => Err(self.ended(status, &complaint)),
        }
    }

    /// One connection, in which the program there does this.
    pub(crate) fn command(&self, verb: &str) -> Result<Command, WayError> {
        let mut command = Command::new(&self.executable);
        command.args([VERB, HOST, verb]);
        self.equip(&mut command, Line::Own(self.source.clone()))?;
        Ok(command)
    }

    /// Why a connection has ended like this.
    pub(crate) fn ended(&self, status: ExitStatus, complaint: &str) -> WayError {
        match status.code() {
            Some(SSH_FAILED) => WayError::NotReached {
                destination: self.source.destination.clone(),
                words: end_of(complaint),
            },
            Some(_) | None => self.refused(printable(complaint, LONGEST_COMPLAINT)),
        }
    }

    /// Gives a command that runs the transport what that needs.
    ///
    /// # Errors
    /// When no time is left.
    pub(crate) fn equip(&self, command: &mut Command, line: Line) -> Result<(), WayError> {
        let within = self.deadline.saturating_duration_since(Instant::now());
        if within.is_zero() {
            return Err(WayError::TooLong(self.source.destination.clone()));
        }
        let errand = Errand { line, within };
        let errand = serde_json::to_string(&errand);
        command.env(
            VARIABLE,
            errand.map_err(|error| WayError::Local(error.to_string()))?,
        );
        Ok(())
    }

    pub(crate) fn refused(&self, words: String) -> WayError {
        WayError::Refused {
            destination: self.source.destination.clone(),
            words,
        }
    }

    pub(crate) fn unfinished(&self, error: &Unfinished) -> WayError {
        match error {
            Unfinished::NotRun { .. } | Unfinished::Stopped(_) => {
                WayError::Local(error.to_string())
            }
            Unfinished::TooLong => WayError::TooLong(self.source.destination.clone()),
        }
    }
}

/// ssh's last words say why.
fn end_of(complaint: &str) -> String {
    let skipped = complaint.trim().chars().count();
    let skipped = skipped.saturating_sub(LONGEST_SSH_COMPLAINT);
    let end: String = complaint.trim().chars().skip(skipped).collect();
    printable(&end, LONGEST_SSH_COMPLAINT)
}

/// The file beside a private key that has the SHA-256 of the program that its line names.
#[must_use]
pub fn program_file(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".program");
    name.into()
}

/// Why the transport failed before ssh did anything.
#[derive(Debug, Error)]
pub enum TransportError {
    /// Not run by the worker.
    #[error("this verb is for the worker alone")]
    NoErrand,
    /// ssh would read it as an option.
    #[error("{0} is no destination for ssh")]
    Destination(String),
    /// The line names a program that this release doesn't have.
    #[error(
        "the key's line on the other host is not from this release; make it again: failover sync init"
    )]
    UnknownProgram,
    /// The system.
    #[error("running ssh: {0}")]
    System(#[from] io::Error),
}

/// The transport: the words are the other host's name, as rsync has it, and the command there. Its exit code is
/// ssh's.
///
/// # Errors
/// When ssh can't be run as the worker wants it.
pub fn carry(words: Vec<OsString>) -> Result<ExitCode, TransportError> {
    let errand = env::var(VARIABLE).map_err(|_| TransportError::NoErrand)?;
    let errand: Errand = serde_json::from_str(&errand).map_err(|_| TransportError::NoErrand)?;
    end_at_limit(errand.within);
    // sshd puts the words together with spaces again.
    let command = words.into_iter().skip(1).collect::<Vec<_>>();
    let command = command.join(" ".as_ref());
    match errand.line {
        Line::Own(source) => connect(&source, &command),
        Line::Round(pipes) => {
            pipes.carry(&command)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs this command on the other host. The exit code is ssh's.
fn connect(source: &SourceSpec, command: &OsStr) -> Result<ExitCode, TransportError> {
    let program = match fs::read_to_string(program_file(&source.key)) {
        Ok(hash) => Program::with_hash(hash.trim()).ok_or(TransportError::UnknownProgram)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Program::newest(),
        Err(error) => return Err(error.into()),
    };
    let mut ssh = ssh(source)?.arg(command).spawn()?;
    if let Some(mut to_ssh) = ssh.stdin.take() {
        // Not waited for: ssh may end before the process that writes here has closed its end.
        thread::spawn(move || {
            let sent = to_ssh.write_all(program.text().as_bytes());
            sent.and_then(|()| pass_on(&mut io::stdin().lock(), &mut to_ssh))
        });
    }
    let status = ssh.wait()?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The whole group goes at the limit. If the process that runs the transport is gone before that, so is the
/// transport, and ssh ends with its input.
fn end_at_limit(within: Duration) {
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    thread::spawn(move || {
        thread::sleep(within);
        let _ = kill_process_group(getpgrp(), Signal::KILL);
    });
}

fn ssh(source: &SourceSpec) -> Result<Command, TransportError> {
    if source.destination.is_empty() || source.destination.starts_with('-') {
        return Err(TransportError::Destination(source.destination.clone()));
    }
    let mut ssh = Command::new("ssh");
    ssh.args(["-F", "none", "-T", "-x", "-a"]);
    ssh.args(OPTIONS.into_iter().flat_map(|option| ["-o", option]));
    ssh.arg("-o")
        .arg(file_option("UserKnownHostsFile", &source.known_hosts));
    ssh.arg("-o").arg(file_option("IdentityFile", &source.key));
    if let Some(port) = source.port {
        ssh.args(["-p", &port.to_string()]);
    }
    ssh.args(["--", &source.destination]);
    ssh.stdin(Stdio::piped());
    ssh.env_remove(VARIABLE);
    Ok(ssh)
}

/// Quoted as ssh_config(5) has it, for spaces; a percent sign would begin a token.
fn file_option(name: &str, file: &Path) -> OsString {
    let file = file.to_string_lossy().replace('%', "%%");
    format!("{name}=\"{file}\"").into()
}
