//! What one run of a command does.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command as Process, ExitCode, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FlockOperation, flock},
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, setsid},
};

use super::{Command, Event, Record, append, gateway, let_go_file, pid_file, records};
use crate::{PORT, duration, moment::Moment, wait};

/// Timeout for a gateway to end after SIGTERM.
const LONGEST_DRAIN: Duration = Duration::from_secs(60);

/// `failover-lab start`, `failover-lab stop` and `failover-lab fence`
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
pub(super) enum Behaviour {
    /// Succeeds once the gateway listens, or has gone; a fence at once.
    Ok,
    /// Does nothing for a while, then what `Ok` does.
    Slow(Duration),
    /// A start that does nothing until [`super::Commands::unblock`], then what `Ok` does.
    Held,
    /// Fails, and changes nothing.
    Fail,
    /// Fails as `openclaw` does that can't read its configuration: exit code 78.
    Refuse,
    /// A start that fails, but whose gateway comes up after a while.
    FailButRun(Duration),
    /// Never returns, and has a child that never does either.
    Hang,
    /// A start that is the gateway itself.
    Foreground,
    /// Says that it succeeded, and changes nothing: so does a start while a gateway hangs, and a stop
    /// beside a gateway that somebody runs in a terminal.
    Lie,
    /// Starts a gateway that listens for this time, then is gone for as long, and so on.
    CrashLoop(Duration),
    /// Starts a gateway that continues for a while after SIGTERM; the stop doesn't wait for it.
    OkButDrain(Duration),
    /// Starts a gateway that answers only a while after it listens.
    AnswerLater(Duration),
    /// Starts a gateway that is gone after a while, and hangs all the same.
    Outlive(Duration),
    /// Starts a gateway that listens no longer after SIGTERM, but lives on for a while; the stop
    /// doesn't wait for that.
    OkButLinger(Duration),
}

impl FromStr for Behaviour {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, span) = text.split_once(' ').unwrap_or((text, ""));
        let span = || duration(span).map_err(anyhow::Error::msg);
        Ok(match name {
            "ok" => Self::Ok,
            "slow" => Self::Slow(span()?),
            "held" => Self::Held,
            "fail" => Self::Fail,
            "refuse" => Self::Refuse,
            "fail-but-run" => Self::FailButRun(span()?),
            "hang" => Self::Hang,
            "foreground" => Self::Foreground,
            "lie" => Self::Lie,
            "crash-loop" => Self::CrashLoop(span()?),
            "answer-later" => Self::AnswerLater(span()?),
            "outlive" => Self::Outlive(span()?),
            "ok-but-drain" => Self::OkButDrain(span()?),
            "ok-but-linger" => Self::OkButLinger(span()?),
            _ => bail!("no behaviour is called `{text}`"),
        })
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
        Command::Fence => fence(behaviour, note)?,
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
        Behaviour::Held => {
            while !let_go_file(&options.directory).exists() {
                thread::sleep(wait::POLL);
            }
            start_gateway(options, &[])
        }
        Behaviour::CrashLoop(span) => start_gateway(options, &["--crash-loop", &span_text(span)]),
        Behaviour::AnswerLater(span) => {
            start_gateway(options, &["--answer-delay", &span_text(span)])
        }
        Behaviour::Outlive(span) => {
            start_gateway(options, &[])?;
            thread::sleep(span);
            stop_gateway(options, LONGEST_DRAIN)?;
            hang(note)
        }
        Behaviour::OkButDrain(span) => start_gateway(options, &["--drain", &span_text(span)]),
        Behaviour::OkButLinger(span) => start_gateway(options, &["--linger", &span_text(span)]),
        Behaviour::FailButRun(span) => {
            spawn_gateway(options, &["--start-delay", &span_text(span)])?;
            Ok(1)
        }
        Behaviour::Foreground => {
            let status = gateway_command(options)?
                .status()
                .context("running a gateway")?;
            Ok(u8::from(!status.success()))
        }
        Behaviour::Fail => Ok(1),
        Behaviour::Refuse => Ok(refuse()),
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
        Behaviour::OkButDrain(_) | Behaviour::OkButLinger(_) => {
            stop_gateway(options, Duration::ZERO)
        }
        Behaviour::Fail => Ok(1),
        Behaviour::Refuse => Ok(refuse()),
        Behaviour::Lie => Ok(0),
        Behaviour::Hang => hang(note),
        Behaviour::Held
        | Behaviour::Foreground
        | Behaviour::CrashLoop(_)
        | Behaviour::AnswerLater(_)
        | Behaviour::Outlive(_)
        | Behaviour::FailButRun(_) => bail!("a stop can't do this"),
    }
}

fn fence(behaviour: Behaviour, note: impl Fn(Event) -> Result<()>) -> Result<u8> {
    match behaviour {
        Behaviour::Ok | Behaviour::Lie => Ok(0),
        Behaviour::Slow(span) => {
            thread::sleep(span);
            Ok(0)
        }
        Behaviour::Fail => Ok(1),
        Behaviour::Hang => hang(note),
        _ => bail!("a fence can't do this"),
    }
}

/// Like `openclaw gateway start`: leaves a gateway behind, and returns when it listens.
fn start_gateway(options: &Options, how: &[&str]) -> Result<u8> {
    if gateway(&options.directory).is_some() {
        return Ok(0);
    }
    // As commands do, it fails where it can't say anything.
    writeln!(io::stdout(), "starting the gateway").context("telling that it starts")?;
    let mut gateway = spawn_gateway(options, how)?;
    loop {
        if pid_file(&options.directory).exists() {
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

/// Runs a gateway that outlives this command.
fn spawn_gateway(options: &Options, how: &[&str]) -> Result<Child> {
    let _ = fs::remove_file(pid_file(&options.directory));
    let mut command = gateway_command(options)?;
    command
        .args(how)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: runs between fork and exec; setsid is a bare system call and takes no lock.
    unsafe { command.pre_exec(|| setsid().map(drop).map_err(io::Error::from)) };
    command.spawn().context("running a gateway")
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

/// BSD's EX_CONFIG.
fn refuse() -> u8 {
    eprintln!("Invalid config: gateway.port: expected number, received string");
    78
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

fn span_text(span: Duration) -> String {
    format!("{}ms", span.as_millis())
}
