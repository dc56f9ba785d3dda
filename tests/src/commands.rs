//! Start and stop commands that note each run and do as a script says.
//!
//! The daemon is given `failover-lab start …` and `failover-lab stop …`. Each run appends a line to
//! `commands.log` when it begins and one when it ends, and behaves as line n of `start.plan` or
//! `stop.plan` says, n being the how-manieth run of the command it is; the last line repeats.

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command as Process, ExitCode, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setsid},
};
use serde::{Deserialize, Serialize};

use crate::{PORT, duration, moment::Moment};

/// A gateway that was told to end is given this long.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);

/// Which command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// Starts the gateway.
    Start,
    /// Stops it.
    Stop,
}

impl Command {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
        }
    }
}

/// `failover-lab start` and `failover-lab stop`
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the plans, the log and the process number are
    #[arg(long)]
    directory: PathBuf,
    /// The gateway's port
    #[arg(long, default_value_t = PORT)]
    port: u16,
}

/// What a run of a command does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Behaviour {
    /// Succeeds once the gateway listens, or has gone.
    Ok,
    /// Does nothing for a while, then what `Ok` does.
    Slow(Duration),
    /// Fails, and changes nothing.
    Fail,
    /// Never returns, and has a child that never does either.
    Hang,
    /// A start that is the gateway itself.
    Foreground,
    /// Says that it succeeded, and changes nothing.
    Lie,
    /// Starts a gateway that dies after a while.
    OkThenDie(Duration),
    /// Starts a gateway that goes on for a while after SIGTERM; the stop doesn't wait for it.
    OkButDrain(Duration),
}

impl FromStr for Behaviour {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, span) = text.split_once(' ').unwrap_or((text, ""));
        let span = || duration(span).map_err(anyhow::Error::msg);
        Ok(match name {
            "ok" => Self::Ok,
            "slow" => Self::Slow(span()?),
            "fail" => Self::Fail,
            "hang" => Self::Hang,
            "foreground" => Self::Foreground,
            "lie" => Self::Lie,
            "ok-then-die" => Self::OkThenDie(span()?),
            "ok-but-drain" => Self::OkButDrain(span()?),
            _ => bail!("no behaviour is called `{text}`"),
        })
    }
}

/// A line of the log.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Record {
    /// When.
    pub time: Moment,
    /// Which command.
    pub command: Command,
    /// The how-manieth run of this command, from 1.
    pub run: usize,
    /// What happened.
    pub event: Event,
    /// The command's process number.
    pub pid: u32,
    /// As the plan says.
    pub behaviour: String,
}

/// What a line of the log tells.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    Begin,
    /// A run begins while another one hasn't ended: never right.
    Overlap,
    /// It has a child that only ends when it is killed.
    Child {
        /// That child.
        pid: u32,
    },
    /// It ends. One that is killed tells nothing.
    End {
        /// What it returns.
        code: u8,
    },
}

/// The folder with plans, log and process number.
#[derive(Clone, Debug)]
pub struct Commands {
    directory: PathBuf,
    lab_binary: PathBuf,
}

impl Commands {
    /// In this folder, which is made; all succeed unless planned otherwise.
    ///
    /// # Errors
    /// When the folder can't be made.
    pub fn new(directory: &Path, lab_binary: &Path) -> Result<Self> {
        fs::create_dir_all(directory).context("making the commands' folder")?;
        let commands = Self {
            directory: directory.to_owned(),
            lab_binary: lab_binary.to_owned(),
        };
        commands.plan(Command::Start, &["ok"])?;
        commands.plan(Command::Stop, &["ok"])?;
        Ok(commands)
    }

    /// Says what the runs of a command do, one after the other; the last repeats.
    ///
    /// # Errors
    /// When one of them is unknown, or can't be written down.
    pub fn plan(&self, command: Command, behaviours: &[&str]) -> Result<()> {
        for behaviour in behaviours {
            behaviour.parse::<Behaviour>()?;
        }
        fs::write(self.plan_file(command), behaviours.join("\n")).context("writing a plan")
    }

    /// The command line to give to the daemon.
    #[must_use]
    pub fn line(&self, command: Command) -> String {
        format!(
            "'{}' {} --directory '{}'",
            self.lab_binary.display(),
            command.name(),
            self.directory.display()
        )
    }

    /// What happened so far.
    ///
    /// # Panics
    /// When a line is not one of ours.
    #[must_use]
    pub fn log(&self) -> Vec<Record> {
        records(&self.directory).expect("reading the commands' log")
    }

    /// The commands that were run, in order.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let log = self.log();
        log.iter()
            .filter(|record| record.event == Event::Begin)
            .map(|record| record.command.name())
            .collect()
    }

    /// The local gateway's process number, if one was started and not stopped.
    #[must_use]
    pub fn gateway(&self) -> Option<u32> {
        gateway(&self.directory)
    }

    /// The log, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for record in self.log() {
            let _ = writeln!(text, "{record:?}");
        }
        text
    }

    fn plan_file(&self, command: Command) -> PathBuf {
        self.directory.join(format!("{}.plan", command.name()))
    }
}

/// Notes the run and does as the plan says.
///
/// # Errors
/// When something that the plan asks for goes wrong.
pub fn run(command: Command, options: &Options) -> Result<ExitCode> {
    let directory = &options.directory;
    // Held until this process ends, however it does, and by no child.
    let lock = File::create(directory.join("commands.lock")).context("opening the lock")?;
    let alone = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();

    let earlier = records(directory)?;
    let run = 1 + earlier
        .iter()
        .filter(|record| record.event == Event::Begin && record.command == command)
        .count();
    let plan = fs::read_to_string(directory.join(format!("{}.plan", command.name())))
        .context("reading the plan")?;
    let planned = plan.lines().nth(run - 1).or_else(|| plan.lines().last());
    let behaviour = planned.context("the plan is empty")?;
    let note = |event: Event| {
        let record = Record {
            time: Moment::now(),
            command,
            run,
            event,
            pid: std::process::id(),
            behaviour: behaviour.to_owned(),
        };
        append(directory, &record)
    };
    if !alone {
        note(Event::Overlap)?;
    }
    note(Event::Begin)?;
    let behaviour = behaviour.parse()?;
    let code = match command {
        Command::Start => start(behaviour, options, note)?,
        Command::Stop => stop(behaviour, options, note)?,
    };
    note(Event::End { code })?;
    Ok(code.into())
}

fn start(
    behaviour: Behaviour,
    options: &Options,
    note: impl Fn(Event) -> Result<()>,
) -> Result<u8> {
    match behaviour {
        Behaviour::Ok => start_gateway(options, &[]),
        Behaviour::Slow(span) => {
            thread::sleep(span);
            start_gateway(options, &[])
        }
        Behaviour::OkThenDie(span) => start_gateway(options, &["--exit-after", &told(span)]),
        Behaviour::OkButDrain(span) => start_gateway(options, &["--ignore-term", &told(span)]),
        Behaviour::Foreground => {
            let status = gateway_command(options)?
                .status()
                .context("running a gateway")?;
            Ok(u8::from(!status.success()))
        }
        Behaviour::Fail => Ok(1),
        Behaviour::Lie => Ok(0),
        Behaviour::Hang => hang(note),
    }
}

fn stop(behaviour: Behaviour, options: &Options, note: impl Fn(Event) -> Result<()>) -> Result<u8> {
    match behaviour {
        Behaviour::Ok => stop_gateway(options, LONGEST_DRAIN),
        Behaviour::Slow(span) => {
            thread::sleep(span);
            stop_gateway(options, LONGEST_DRAIN)
        }
        Behaviour::OkButDrain(_) => stop_gateway(options, Duration::ZERO),
        Behaviour::Fail => Ok(1),
        Behaviour::Lie => Ok(0),
        Behaviour::Hang => hang(note),
        Behaviour::Foreground | Behaviour::OkThenDie(_) => bail!("a stop can't do this"),
    }
}

/// Like `openclaw gateway start`: leaves a gateway behind, and returns when it listens.
fn start_gateway(options: &Options, how: &[&str]) -> Result<u8> {
    if gateway(&options.directory).is_some() {
        return Ok(0);
    }
    let pid_file = pid_file(&options.directory);
    let _ = fs::remove_file(&pid_file);
    let mut command = gateway_command(options)?;
    command
        .args(how)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: runs between fork and exec; setsid is a bare system call and takes no lock.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
    let mut gateway = command.spawn().context("running a gateway")?;
    loop {
        if pid_file.exists() {
            return Ok(0);
        }
        if gateway
            .try_wait()
            .context("waiting for the gateway")?
            .is_some()
        {
            return Ok(1);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn gateway_command(options: &Options) -> Result<Process> {
    let this = std::env::current_exe().context("finding this program")?;
    let port = options.port;
    let mut command = Process::new(this);
    command
        .arg("gateway")
        .args(["--listen", &format!("0.0.0.0:{port}")])
        .args(["--listen", &format!("[::]:{port}")])
        .arg("--pid-file")
        .arg(pid_file(&options.directory));
    Ok(command)
}

/// Ends the gateway, and waits so long until it is gone.
fn stop_gateway(options: &Options, patience: Duration) -> Result<u8> {
    let Some(pid) = gateway(&options.directory) else {
        return Ok(0);
    };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let process = pidfd_open(pid.context("no process number")?, PidfdFlags::empty());
    if let Ok(process) = process {
        pidfd_send_signal(&process, Signal::TERM).context("ending the gateway")?;
        let patience = Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        };
        poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&patience))
            .context("waiting for the gateway's end")?;
    }
    Ok(0)
}

fn hang(note: impl Fn(Event) -> Result<()>) -> Result<u8> {
    let mut child = Process::new("sleep")
        .arg("infinity")
        .spawn()
        .context("running sleep")?;
    note(Event::Child { pid: child.id() })?;
    let _ = child.wait();
    bail!("sleep infinity has ended")
}

/// The gateway's process number: one that was written down, and is still a gateway's.
fn gateway(directory: &Path) -> Option<u32> {
    let file = pid_file(directory);
    let pid = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    // The number may belong to somebody else by now. Who was told of this very file is ours.
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    arguments
        .split(|byte| *byte == 0)
        .any(|argument| argument == file.as_os_str().as_encoded_bytes())
        .then_some(pid)
}

fn pid_file(directory: &Path) -> PathBuf {
    directory.join("gateway.pid")
}

fn records(directory: &Path) -> Result<Vec<Record>> {
    let text = match fs::read_to_string(directory.join("commands.log")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).context("reading the log"),
    };
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("reading {line:?}")))
        .collect()
}

/// One write to a file opened for appending: lines never mix.
fn append(directory: &Path, record: &Record) -> Result<()> {
    let mut line = serde_json::to_string(record).context("making a line")?;
    line.push('\n');
    let mut log = OpenOptions::new()
        .append(true)
        .create(true)
        .open(directory.join("commands.log"))
        .context("opening the log")?;
    log.write_all(line.as_bytes()).context("writing the log")
}

fn told(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}
