//! The relay: a small process between a command and its output file, which keeps the file small whatever a
//! gateway writes, and whichever of daemon and gateway is restarted.
//!
//! A gateway writes to a named pipe, because a pipe limits its writers: one that writes faster than the relay
//! reads has to wait. The alternatives don't: a file grows between two checks, RLIMIT_FSIZE also limits the
//! process's databases, and the journal's stream socket ends its writers with SIGPIPE when journald dies.
//!
//! A pipe needs a reader, so there must always be one:
//! - The command gets the pipe opened for reading and writing (fifo(7)). It is a reader itself, so the relay's
//!   death is neither SIGPIPE nor EPIPE for it.
//! - A relay never stops reading. A separate thread writes the file from a bounded buffer, and the socket to the
//!   daemon is non-blocking, so neither a disk nor a daemon that hangs blocks the gateway.
//! - It has its own session, ignores the signals that end a session, and its only link to the daemon is a socket.
//!   It ends when the last writer has closed the pipe.
//! - A second relay stands by, waiting for the lock on the file. The relay with the lock reads, and starts another
//!   one to stand by.
//! - If all of them are killed, the daemon starts another ([`Keeper`]), and so does the next daemon, by the
//!   pipe's name. Until then the gateway may write as much as the pipe holds.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd},
        unix::fs::FileExt as _,
    },
    path::Path,
    process::{Child, Command as Process, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, open},
    io::{Errno, ioctl_fionread},
    net::{RecvFlags, SendFlags, recv, send},
    process::{Pid, PidfdFlags, pidfd_open},
};

use failover_decide::Step;
use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::gateway::command::command_line::THIS_PROGRAM;
use failover_linux::spawn;
use failover_linux::stdio;

/// Its verb on the command line.
pub const VERB: &str = "output-relay";

/// The file is cut to half of this before it grows longer.
const LARGEST_FILE: u64 = 1 << 20;
/// Limit for output that waits for the disk; older output is dropped.
const MOST_WAITING: usize = 256 * 1024;
/// The writer pauses after this much, so that a flood doesn't wear out the disk.
const BATCH: usize = 64 * 1024;
const REST: Duration = Duration::from_millis(20);
/// Length of the end of all output that the daemon gets.
pub(crate) const LAST_BYTES: usize = 2048;
/// Limit for a packet's data; the kernel's buffer for the daemon holds some dozens of packets.
const PACKET: usize = 8 * 1024;
/// A packet's header: a letter, and the number of bytes that were dropped before it.
pub(crate) const HEAD: usize = 9;
/// Limit for what a flush reads, more than any pipe holds (fs.pipe-max-size).
const MOST_FLUSHED: usize = 4 << 20;
/// A second relay starts after this time; most commands have ended by then.
const STANDBY_AFTER: Duration = Duration::from_secs(1);
/// Timeout for the daemon to make room in its socket.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// A relay has started by then.
const BEGUN_WITHIN: Duration = Duration::from_secs(1);
/// A relay that stands by takes over within this time.
const TAKEN_OVER_WITHIN: Duration = Duration::from_millis(200);
const STACK: usize = 128 * 1024;

/// Kind of a packet to the daemon: output.
pub(crate) const DATA: u8 = b'd';
/// Kind of a packet to the daemon: the flush is complete. Its data is the end of all output.
pub(crate) const END: u8 = b'e';
/// The daemon requests a flush.
pub(crate) const FLUSH: u8 = b'f';

// --- the process ---------------------------------------------------------------------------------

/// Runs the relay, in a process of its own. Standard input is the pipe, standard output the daemon's socket, and
/// standard error the file; without a daemon or a file they are something else.
///
/// # Errors
/// When the pipe can't be read.
pub fn relay() -> io::Result<()> {
    stdio::ignore_endings();
    let pipe = io::stdin().as_fd().try_clone_to_owned()?;
    let daemon = io::stdout().as_fd().try_clone_to_owned()?;
    let file = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let file = file
        .metadata()
        .is_ok_and(|found| found.is_file())
        .then_some(file);
    // The lock is of this description, and goes with the process.
    let _lock = file.as_ref().map(locked).transpose()?;
    run(pipe, daemon, file.as_ref(), |pipe, daemon, file| {
        spawn(pipe, daemon, Some(file))
    })
}

/// Waits for the lock on the file.
fn locked(file: &File) -> io::Result<File> {
    let own = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    loop {
        match flock(&own, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|()| own)?),
        }
    }
}

/// Starts a relay.
fn spawn(pipe: OwnedFd, daemon: OwnedFd, file: Option<File>) -> io::Result<Child> {
    let mut process = Process::new(THIS_PROGRAM);
    process
        .arg(VERB)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::from(pipe))
        .stdout(Stdio::from(daemon))
        .stderr(file.map_or_else(Stdio::null, Stdio::from));
    spawn::in_own_session(&mut process);
    process.spawn()
}

// --- relaying ------------------------------------------------------------------------------------

/// Copies until the last writer has closed the pipe.
fn run(
    pipe: OwnedFd,
    daemon: OwnedFd,
    file: Option<&File>,
    stand_by: impl Fn(OwnedFd, OwnedFd, File) -> io::Result<Child>,
) -> io::Result<()> {
    let mut next_attempt = Instant::now() + STANDBY_AFTER;
    let mut second: Option<(Child, Option<OwnedFd>)> = None;
    let mut reader = Reader::new(pipe, daemon, file.map(File::try_clone).transpose()?);
    loop {
        // Only a file's lock tells the two apart.
        let wanted = file.filter(|_| second.is_none());
        if let Some(file) = wanted.filter(|_| next_attempt <= Instant::now()) {
            next_attempt = Instant::now() + STANDBY_AFTER;
            let (pipe, daemon) = (reader.pipe.try_clone()?, reader.daemon.try_clone()?);
            // If that fails, it continues and tries again later.
            second = stand_by(pipe, daemon, file.try_clone()?).ok().map(|child| {
                let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let handle = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
                (child, handle)
            });
        }
        let wait = (file.is_some() && second.is_none())
            .then(|| next_attempt.saturating_duration_since(Instant::now()));
        let handle = second.as_ref().and_then(|(_, handle)| handle.as_ref());
        let (end, second_died) = reader.turn(wait, handle)?;
        if end {
            return Ok(());
        }
        if second_died && let Some((mut child, _)) = second.take() {
            let _ = child.wait();
        }
    }
}

struct Reader {
    pipe: OwnedFd,
    daemon: OwnedFd,
    /// The daemon's socket is open.
    has_daemon: bool,
    /// A requested flush isn't sent yet.
    owed: bool,
    /// Number of bytes that the daemon missed.
    missed: u64,
    last: VecDeque<u8>,
    file: Option<FileWriter>,
    buffer: Vec<u8>,
}

enum Got {
    Bytes(usize),
    Nothing,
    End,
}

impl Reader {
    fn new(pipe: OwnedFd, daemon: OwnedFd, file: Option<File>) -> Self {
        let socket = fstat(&daemon).map(|stat| FileType::from_raw_mode(stat.st_mode));
        Self {
            has_daemon: socket == Ok(FileType::Socket),
            pipe,
            daemon,
            owed: false,
            missed: 0,
            last: VecDeque::new(),
            file: file.map(FileWriter::new),
            buffer: vec![0; BATCH],
        }
    }

    /// Waits for something to do, and does it. Has the last writer closed, and has the second relay died?
    fn turn(
        &mut self,
        wait: Option<Duration>,
        second: Option<&OwnedFd>,
    ) -> io::Result<(bool, bool)> {
        let wait = wait
            .map(Timespec::try_from)
            .transpose()
            .map_err(io::Error::other)?;
        let mut from_daemon = PollFlags::IN;
        if self.owed {
            from_daemon |= PollFlags::OUT;
        }
        let mut waiting = vec![PollFd::new(&self.pipe, PollFlags::IN)];
        if self.has_daemon {
            waiting.push(PollFd::new(&self.daemon, from_daemon));
        }
        if let Some(second) = second {
            waiting.push(PollFd::new(second, PollFlags::IN));
        }
        match poll(&mut waiting, wait.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let happened: Vec<bool> = waiting
            .iter()
            .map(|one| !one.revents().is_empty())
            .collect();
        drop(waiting);
        let second_died = second.is_some() && happened.last() == Some(&true);
        if self.has_daemon && happened.get(1) == Some(&true) {
            self.listen();
        }
        let end = matches!(self.read()?, Got::End);
        if end {
            self.tell_end_before_it_ends();
        }
        Ok((end, second_died))
    }

    fn read(&mut self) -> io::Result<Got> {
        let length = match rustix::io::read(&self.pipe, &mut self.buffer[..]) {
            Ok(0) => return Ok(Got::End),
            Ok(length) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(Got::Nothing),
            Err(error) => return Err(error.into()),
        };
        let bytes = self.buffer.get(..length).unwrap_or_default();
        self.last.extend(bytes);
        let over = self.last.len().saturating_sub(LAST_BYTES);
        self.last.drain(..over);
        if let Some(file) = &self.file {
            file.push(bytes);
        }
        if self.has_daemon {
            for bytes in bytes.chunks(PACKET) {
                match packet(&self.daemon, DATA, self.missed, bytes) {
                    Ok(()) => self.missed = 0,
                    Err(Errno::AGAIN) => self.missed += bytes.len() as u64,
                    Err(_) => self.has_daemon = false,
                }
            }
        }
        Ok(Got::Bytes(length))
    }

    /// Handles a request of the daemon, or its end.
    fn listen(&mut self) {
        let mut order = [0];
        match recv(&self.daemon, &mut order[..], RecvFlags::DONTWAIT) {
            Ok((1, _)) if order == [FLUSH] => {
                let mut flushed = 0;
                while let Ok(Got::Bytes(length)) = self.read() {
                    flushed += length;
                    if flushed > MOST_FLUSHED {
                        break;
                    }
                }
                self.owed = true;
            }
            Ok((1, _)) | Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(_) | Err(_) => self.has_daemon = false,
        }
        if self.owed {
            self.tell_end();
        }
    }

    /// The last writer is gone, so waiting for the daemon blocks nothing: without room for this packet the daemon
    /// would never get the last lines.
    fn tell_end_before_it_ends(&mut self) {
        self.owed |= self.has_daemon && self.missed > 0;
        let deadline = Instant::now() + ROOM_WITHIN;
        while self.owed {
            self.tell_end();
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(left) = Timespec::try_from(left).ok().filter(|_| !left.is_zero()) else {
                return;
            };
            let mut room = [PollFd::new(&self.daemon, PollFlags::OUT)];
            if self.owed && poll(&mut room, Some(&left)).is_err_and(|error| error != Errno::INTR) {
                return;
            }
        }
    }

    fn tell_end(&mut self) {
        let last = self.last.make_contiguous();
        match packet(&self.daemon, END, self.missed, last) {
            Ok(()) => (self.owed, self.missed) = (false, 0),
            Err(Errno::AGAIN) => {}
            Err(_) => (self.owed, self.has_daemon) = (false, false),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            file.finish();
        }
    }
}

fn packet(daemon: &OwnedFd, kind: u8, missed: u64, bytes: &[u8]) -> Result<(), Errno> {
    let packet = [&[kind][..], &missed.to_le_bytes(), bytes].concat();
    send(daemon, &packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL).map(drop)
}

// --- the file ------------------------------------------------------------------------------------

/// Writes the file from a bounded buffer, in a separate thread.
struct FileWriter {
    shared: Arc<(Mutex<Waiting>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Waiting {
    bytes: VecDeque<u8>,
    left_out: u64,
    over: bool,
}

impl FileWriter {
    fn new(file: File) -> Self {
        let shared = Arc::<(Mutex<Waiting>, Condvar)>::default();
        let writers = Arc::clone(&shared);
        let thread = thread::Builder::new().stack_size(STACK);
        // Without a thread nothing is stored: waiting for the disk here would block the gateway.
        let thread = thread.spawn(move || write_all(&writers, &file)).ok();
        Self { shared, thread }
    }

    fn push(&self, bytes: &[u8]) {
        let (waiting, changed) = &*self.shared;
        let mut waiting = lock(waiting);
        waiting.bytes.extend(bytes);
        let over = waiting.bytes.len().saturating_sub(MOST_WAITING);
        waiting.bytes.drain(..over);
        waiting.left_out += over as u64;
        changed.notify_one();
    }

    /// Waits for the disk.
    fn finish(self) {
        let (waiting, changed) = &*self.shared;
        lock(waiting).over = true;
        changed.notify_one();
        if let Some(thread) = self.thread {
            let _ = thread.join();
        }
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write_all((waiting, changed): &(Mutex<Waiting>, Condvar), file: &File) {
    loop {
        let mut now = lock(waiting);
        while now.bytes.is_empty() && !now.over {
            now = changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        if now.bytes.is_empty() {
            return;
        }
        let left_out = std::mem::take(&mut now.left_out);
        let bytes: Vec<u8> = now.bytes.drain(..).collect();
        let over = now.over;
        drop(now);
        let mut note = Vec::new();
        if left_out > 0 {
            note = format!("\n[failover: {left_out} bytes are left out here]\n").into_bytes();
        }
        // A full disk loses this, and may have room for later output.
        let _ = append(file, &note).and_then(|()| append(file, &bytes));
        if bytes.len() >= BATCH && !over {
            thread::sleep(REST);
        }
    }
}

/// Appends; a file that would grow too long is cut to its end first.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length + bytes.len() as u64 > LARGEST_FILE {
        let kept = length.min(LARGEST_FILE / 2);
        let mut end = vec![0; usize::try_from(kept).unwrap_or(0)];
        file.read_exact_at(&mut end, length - kept)?;
        file.set_len(0)?;
        file.write_all(&end)?;
    }
    file.write_all(bytes)
}

// --- for the daemon ------------------------------------------------------------------------------

/// Starts a relay, and another one whenever all are gone and a writer may be left.
///
/// # Errors
/// When none can be started.
#[cfg(not(test))]
pub(crate) fn begin(pipe: OwnedFd, daemon: OwnedFd, file: Option<File>) -> io::Result<()> {
    let keeper = match &file {
        Some(file) => Some((pipe.try_clone()?, file.try_clone()?)),
        None => None,
    };
    let child = spawn(pipe, daemon, file)?;
    let keep = move || keep(child, keeper);
    // Without a thread the relays continue by themselves.
    if let Err(error) = thread::Builder::new()
        .name("output".to_owned())
        .stack_size(STACK)
        .spawn(keep)
    {
        tracing::warn!(%error, "the relay of the command's output isn't watched");
    }
    Ok(())
}

/// Runs the relay in a thread: the tests' executable has no relay verb.
#[cfg(test)]
#[expect(clippy::unnecessary_wraps, reason = "as the other one")]
pub(crate) fn begin(pipe: OwnedFd, daemon: OwnedFd, file: Option<File>) -> io::Result<()> {
    let none = |_, _, _| Err(io::ErrorKind::Unsupported.into());
    thread::spawn(move || run(pipe, daemon, file.as_ref(), none));
    Ok(())
}

#[cfg(not(test))]
fn keep(mut child: Child, keeper: Option<(OwnedFd, File)>) {
    let begun = Instant::now();
    let _ = child.wait();
    thread::sleep(BEGUN_WITHIN.saturating_sub(begun.elapsed()));
    if let Some((pipe, file)) = keeper {
        watch(&pipe, &file);
    }
}

/// Until nobody can write any longer.
fn watch(pipe: &OwnedFd, file: &File) {
    // A description of its own: a lock is one's (flock(2)).
    let Ok(file_again) = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())) else {
        return;
    };
    loop {
        // Waits for the end of whichever relay has it now.
        let waited = flock(&file_again, FlockOperation::LockShared);
        let _ = flock(&file_again, FlockOperation::Unlock);
        if !matches!(waited, Ok(()) | Err(Errno::INTR)) {
            return;
        }
        thread::sleep(TAKEN_OVER_WITHIN);
        if flock(&file_again, FlockOperation::NonBlockingLockShared).is_err() {
            continue;
        }
        let _ = flock(&file_again, FlockOperation::Unlock);
        if !has_writer(pipe) {
            return;
        }
        tracing::warn!("the relay of a gateway's output was killed; another one begins");
        let again = || {
            let nobody = File::options().read(true).write(true).open("/dev/null")?;
            let mut child = spawn(pipe.try_clone()?, nobody.into(), Some(file.try_clone()?))?;
            thread::sleep(BEGUN_WITHIN);
            // Reaped where it has ended already; else it is init's one day.
            child.try_wait()
        };
        if again().is_err() {
            thread::sleep(BEGUN_WITHIN);
        }
    }
}

/// May somebody still write, or is there something to be read? Takes a byte at most.
fn has_writer(pipe: &OwnedFd) -> bool {
    if ioctl_fionread(pipe).is_ok_and(|waiting| waiting > 0) {
        return true;
    }
    rustix::io::read(pipe, &mut [0][..]) != Ok(0)
}

/// Gateways that an earlier daemon left behind may have lost their relays since.
pub fn restore(state_dir: &Path) {
    for command in [Step::START, Step::STOP, Step::FENCE] {
        let opened = || {
            let folder = Folder::open(state_dir, Sticky::IsNotEnough)?;
            // First: without a pipe there is nothing to be made.
            let pipe = open_pipe(&folder, command)?;
            let file = folder.append(format!("{command}.log"), 0o600)?;
            Ok::<_, io::Error>((pipe, file))
        };
        if let Ok((pipe, file)) = opened() {
            let watch = move || watch(&pipe, &file);
            let thread = thread::Builder::new()
                .name("output".to_owned())
                .stack_size(STACK);
            if let Err(error) = thread.spawn(watch) {
                tracing::warn!(%error, "the relay of a gateway's output isn't watched");
            }
        }
    }
}

/// The end that is read.
pub(crate) fn open_pipe(folder: &Folder, command: Step) -> io::Result<OwnedFd> {
    let pipe = folder.open_pipe(format!("{command}.pipe"), OFlags::RDONLY | OFlags::NONBLOCK)?;
    Ok(pipe)
}

/// The same pipe again, opened in another way.
pub(crate) fn reopened(pipe: &OwnedFd, flags: OFlags) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    Ok(open(path, flags | OFlags::CLOEXEC, Mode::empty())?)
}
