//! Other programs, each in a process group of its own, with a limit: at its end nothing of the group is left.

use std::{
    io::{self, Read, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;

/// How often the caller looks at what the program does.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How often its end is looked for, once it has closed its output.
const END_INTERVAL: Duration = Duration::from_millis(5);
/// The limit of what is kept of its standard error, in bytes.
const LONGEST_COMPLAINT: u64 = 8192;

/// What a program left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit status.
    pub(crate) status: ExitStatus,
    /// Its standard output; cut at the limit.
    pub(crate) output: Vec<u8>,
    /// The beginning of its standard error.
    pub(crate) complaint: String,
}

/// Why a program did not finish. Its group is killed by then.
#[derive(Debug, Error)]
pub(crate) enum Unfinished {
    /// It can't be run.
    #[error("running {program}: {source}")]
    NotRun {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("not finished within its limit")]
    TooLong,
    /// The caller has stopped it.
    #[error("{0}")]
    Stopped(String),
}

/// Runs a program with `input` on its standard input, until `deadline`, or until `look` returns why it has to stop.
/// At most `longest` bytes of its output are kept.
pub(crate) fn run(
    command: &mut Command,
    input: Vec<u8>,
    longest: usize,
    deadline: Instant,
    mut look: impl FnMut() -> Option<String>,
) -> Result<Finished, Unfinished> {
    let program = command.get_program().to_string_lossy().into_owned();
    let not_run = |source| Unfinished::NotRun {
        program: program.clone(),
        source,
    };
    let mut group = Group::spawn(command)?;
    let (report, reports) = mpsc::channel();
    let limit = u64::try_from(longest).unwrap_or(u64::MAX);
    read_all(group.0.stdout.take(), limit, Stream::Output, &report);
    read_all(
        group.0.stderr.take(),
        LONGEST_COMPLAINT,
        Stream::Complaint,
        &report,
    );
    drop(report);
    if let Some(mut stdin) = group.0.stdin.take() {
        // A program that ends early doesn't read all of it.
        thread::spawn(move || stdin.write_all(&input));
    }
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Unfinished::TooLong);
        }
        if let Some(why) = look() {
            return Err(Unfinished::Stopped(why));
        }
        match reports.recv_timeout(left.min(LOOK_INTERVAL)) {
            Ok((Stream::Output, bytes)) => output = bytes,
            Ok((Stream::Complaint, bytes)) => complaint = bytes,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = group.wait(deadline).map_err(not_run)?;
    Ok(Finished {
        status: status.ok_or(Unfinished::TooLong)?,
        output,
        complaint: String::from_utf8_lossy(&complaint).into_owned(),
    })
}

enum Stream {
    Output,
    Complaint,
}

/// The beginning of its standard error, once that has ended.
pub(crate) fn complaint_of(group: &mut Group) -> mpsc::Receiver<String> {
    let (report, reports) = mpsc::channel();
    if let Some(mut pipe) = group.0.stderr.take() {
        thread::spawn(move || {
            let complaint = beginning(&mut pipe, LONGEST_COMPLAINT);
            report.send(String::from_utf8_lossy(&complaint).into_owned())
        });
    }
    reports
}

/// Reads to the end on a thread of its own, and keeps the beginning.
fn read_all(
    pipe: Option<impl Read + Send + 'static>,
    limit: u64,
    stream: Stream,
    report: &mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let (Some(mut pipe), report) = (pipe, report.clone()) else {
        return;
    };
    thread::spawn(move || report.send((stream, beginning(&mut pipe, limit))));
}

/// Reads to the end, and keeps the beginning.
fn beginning(pipe: &mut impl Read, limit: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let read = pipe.by_ref().take(limit).read_to_end(&mut kept);
    if read.is_ok() {
        let _ = io::copy(pipe, &mut io::sink());
    }
    kept
}

/// A program with all that it runs. Kills all of it when it is dropped: also what a finished program has left.
pub(crate) struct Group(Child);

impl Group {
    /// Runs a program with pipes for all three of its standard streams.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self, Unfinished> {
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawned = command.spawn().map_err(|source| Unfinished::NotRun {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        });
        spawned.map(Self)
    }

    /// The ends of its standard input and output, once.
    pub(crate) fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.0.stdin.take().zip(self.0.stdout.take())
    }

    /// Its exit status; `None`: it runs longer.
    pub(crate) fn wait(&mut self, until: Instant) -> io::Result<Option<ExitStatus>> {
        loop {
            match self.0.try_wait()? {
                None if Instant::now() < until => thread::sleep(END_INTERVAL),
                ended => return Ok(ended),
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The number is the group's as long as one of it is there, or the child hasn't been waited for.
        let group = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn what_a_program_writes_is_kept_up_to_the_limit() {
        let mut command = shell("cat; echo no >&2; yes | head -c 1000000; exit 3");
        let finished = run(&mut command, b"in".to_vec(), 5, later(), || None).unwrap();
        assert_eq!(finished.output, b"iny\ny");
        assert_eq!(finished.complaint, "no\n");
        assert_eq!(finished.status.code(), Some(3));
    }

    #[test]
    fn at_the_limit_nothing_of_the_group_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        // The child that would hold the pipes open for ever.
        let script = format!("sleep 1000 & echo $! >'{}'; wait", pid.display());
        let result = run(&mut shell(&script), Vec::new(), 9, soon(), || None);
        assert!(matches!(result, Err(Unfinished::TooLong)), "{result:?}");
        let pid = std::fs::read_to_string(pid).unwrap();
        let stat = format!("/proc/{}/stat", pid.trim());
        let gone = (0..500).any(|_| {
            thread::sleep(Duration::from_millis(10));
            std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))
        });
        assert!(gone);
    }

    #[test]
    fn a_program_is_stopped_when_the_caller_has_seen_enough() {
        let mut looks = 0;
        let look = || {
            looks += 1;
            (looks == 3).then(|| "enough".to_owned())
        };
        let result = run(&mut shell("sleep 1000"), Vec::new(), 9, later(), look);
        assert!(matches!(result, Err(Unfinished::Stopped(why)) if why == "enough"));
    }
}
