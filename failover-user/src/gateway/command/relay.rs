//! The relay: a small process of our own between a command and its output's file, so that the file stays small
//! whatever a gateway writes, and whichever of daemon and gateway is restarted.
//!
//! A gateway writes to a named pipe, for a pipe is bounded by itself: whoever writes faster than it is read has to
//! wait. Nothing else is: a file grows between two looks, a limit for the process (RLIMIT_FSIZE) is one for its
//! databases as well, and the journal's stream socket ends its writers with SIGPIPE when journald dies.
//!
//! The price of a pipe is its reader, so that must not be missed:
//! - The command gets the pipe opened for reading and writing (fifo(7)). It is a reader itself, so the relay's
//!   death is neither SIGPIPE nor EPIPE for it.
//! - A relay reads all the time. The file is written by a thread of its own from a bounded buffer, and the daemon is
//!   told without waiting, so neither a disk nor a daemon that hangs holds the gateway up.
//! - It is in a session of its own, ignores the signals that end a session, and knows nothing of the daemon but a
//!   socket. It ends when the last writer has closed the pipe.
//! - A second relay stands by, waiting for the lock on the file. Whoever has the lock reads, and keeps a second one.
//! - Should all of them be killed, the daemon begins another ([`Keeper`]), and so does the next daemon, by the
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

use failover_decide::Command;
use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::gateway::command::command_line::THIS_PROGRAM;
use failover_linux::spawn;
use failover_linux::stdio;

/// What it is called by.
pub const VERB: &str = "output-relay";

/// The file is cut to half of this before it grows longer.
const LARGEST_FILE: u64 = 1 << 20;
/// So much waits for the disk; what is older is left out.
const MOST_WAITING: usize = 256 * 1024;
/// After this much the disk has a moment's rest: a flood wears it out otherwise.
const BATCH: usize = 64 * 1024;
const REST: Duration = Duration::from_millis(20);
/// The end of all that was written, for the daemon.
pub(crate) const LAST_BYTES: usize = 2048;
/// A packet's data; the kernel's buffer for the daemon holds some dozens of these.
const PACKET: usize = 8 * 1024;
/// Before its data, a packet has a letter, and how much was left out before it.
pub(crate) const HEAD: usize = 9;
/// More than any pipe holds (fs.pipe-max-size): so much is read for a daemon that wants all of it.
const MOST_FLUSHED: usize = 4 << 20;
/// Most commands are over by then, and need no second relay.
const STANDBY_AFTER: Duration = Duration::from_secs(1);
/// A daemon that is alive takes what it was sent within this.
const ROOM_WITHIN: Duration = Duration::from_secs(1);
/// A relay has begun by then.
const BEGUN_WITHIN: Duration = Duration::from_secs(1);
/// One that stood by takes over within this.
const TAKEN_OVER_WITHIN: Duration = Duration::from_millis(200);
const STACK: usize = 128 * 1024;

/// What a packet to the daemon is.
pub(crate) const DATA: u8 = b'd';
/// All that was written until it was asked for; the packet's data is the end of it.
pub(crate) const END: u8 = b'e';
/// The daemon asks for that.
pub(crate) const FLUSH: u8 = b'f';

// --- the process ---------------------------------------------------------------------------------

/// The relay's whole life, in a process of its own. Standard input is the pipe, standard output the daemon, and
/// standard error the file; where there is no daemon or no file, these are no socket and no file.
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

/// Waits until no other relay has it.
fn locked(file: &File) -> io::Result<File> {
    let own = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    loop {
        match flock(&own, FlockOperation::LockExclusive) {
            Err(Errno::INTR) => {}
            result => return Ok(result.map(|()| own)?),
        }
    }
}

/// Begins a relay.
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
            // Without one it goes on, and it is tried again.
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
    /// The daemon is there.
    told: bool,
    /// It wants the end, and hasn't got it yet.
    owed: bool,
    /// Of what it wasn't told.
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
            told: socket == Ok(FileType::Socket),
            pipe,
            daemon,
            owed: false,
            missed: 0,
            last: VecDeque::new(),
            file: file.map(FileWriter::new),
            buffer: vec![0; BATCH],
        }
    }

    /// Waits for something to do, and does it. Is this the end, and has the second relay died?
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
        if self.told {
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
        if self.told && happened.get(1) == Some(&true) {
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
        if self.told {
            for bytes in bytes.chunks(PACKET) {
                match packet(&self.daemon, DATA, self.missed, bytes) {
                    Ok(()) => self.missed = 0,
                    Err(Errno::AGAIN) => self.missed += bytes.len() as u64,
                    Err(_) => self.told = false,
                }
            }
        }
        Ok(Got::Bytes(length))
    }

    /// What the daemon wants, or that it is gone.
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
            Ok(_) | Err(_) => self.told = false,
        }
        if self.owed {
            self.tell_end();
        }
    }

    /// The last writer is gone, so waiting for the daemon holds nobody up: without room for this packet the daemon
    /// would never see the last lines.
    fn tell_end_before_it_ends(&mut self) {
        self.owed |= self.told && self.missed > 0;
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
            Err(_) => (self.owed, self.told) = (false, false),
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

/// Writes the file from a bounded buffer, in a thread of its own.
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
        // Without a thread nothing is kept: waiting for the disk here would hold the gateway up.
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

    /// Waits for the disk; nobody waits for this.
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
        // A full disk loses this, and may have room for what comes.
        let _ = append(file, &note).and_then(|()| append(file, &bytes));
        if bytes.len() >= BATCH && !over {
            thread::sleep(REST);
        }
    }
}

/// Appends, and keeps the file's end where it would grow too long.
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

/// Begins a relay, and another one whenever all are gone and somebody may still write.
///
/// # Errors
/// When none can be begun.
#[cfg(not(test))]
pub(crate) fn begin(pipe: OwnedFd, daemon: OwnedFd, file: Option<File>) -> io::Result<()> {
    let keeper = match &file {
        Some(file) => Some((pipe.try_clone()?, file.try_clone()?)),
        None => None,
    };
    let child = spawn(pipe, daemon, file)?;
    let keep = move || keep(child, keeper);
    // Without a thread the relays go on by themselves.
    if let Err(error) = thread::Builder::new()
        .name("output".to_owned())
        .stack_size(STACK)
        .spawn(keep)
    {
        tracing::warn!(%error, "the relay of the command's output isn't watched");
    }
    Ok(())
}

/// The same in a thread: the tests' own program is another one.
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
    for command in [Command::Start, Command::Stop, Command::Fence] {
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
pub(crate) fn open_pipe(folder: &Folder, command: Command) -> io::Result<OwnedFd> {
    let pipe = folder.open_pipe(format!("{command}.pipe"), OFlags::RDONLY | OFlags::NONBLOCK)?;
    Ok(pipe)
}

/// The same pipe again, opened in another way.
pub(crate) fn reopened(pipe: &OwnedFd, flags: OFlags) -> io::Result<OwnedFd> {
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    Ok(open(path, flags | OFlags::CLOEXEC, Mode::empty())?)
}
