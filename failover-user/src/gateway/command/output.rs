//! The output of a command: stored in a file, logged line by line while it runs, and again when it has
//! failed.
//!
//! A relay is in between (see [`crate::gateway::command::relay`]): the gateway that a command leaves behind keeps
//! writing there, whether this daemon runs or not. The output is untrusted: limited here, escaped by the logger.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, process::Stdio, time::Duration};

use rustix::{
    fs::{Mode, OFlags, fchmod, fchown},
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
    process::Gid,
};
use tokio::time::{Instant, sleep};

use failover_decide::Step;
use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::gateway::command::{account::Account, relay};

const LAST_LINES: usize = 5;
/// Limit for output that is read at once; older output is dropped.
const MOST_AT_ONCE: usize = 64 * 1024;
/// Limit for a line; the rest of it is dropped.
const LONGEST_LINE: usize = 1024;
/// Limit for lines that are logged at once; another one is allowed each half second.
const MOST_LINES: u32 = 40;
const LINE_PACE: Duration = Duration::from_millis(500);
/// Timeout for the last output of a command that has ended.
const LAST_OUTPUT: Duration = Duration::from_secs(1);
/// Poll interval until then.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Mode of the named pipe. Root reads and writes; the account's group may open it again by its name in /dev, for
/// writing. No other account can reach it: it is in the state directory.
const MODE: u32 = 0o620;
/// Limit for a packet; the relay sends no longer ones.
const LONGEST_PACKET: usize = 16 * 1024;

/// The output of a command, and of the gateway that it leaves behind.
#[derive(Debug)]
pub struct CommandOutput {
    /// The command's end, until the command has it.
    stream: Option<OwnedFd>,
    /// Delivers the output; `None` once that isn't wanted any longer, or the relay is gone.
    relay: Option<OwnedFd>,
    /// Since when a flush is requested.
    asked: Option<Instant>,
    /// Received from the relay, and not split into lines yet.
    received: Vec<u8>,
    /// The beginning of a line whose end hasn't come yet.
    begun: Vec<u8>,
    /// The end of all output.
    last: Vec<u8>,
    /// Number of bytes that were dropped.
    missed: u64,
    allowance: Allowance,
}

/// Output since the last call.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct NewLines {
    /// The lines, without empty ones.
    pub lines: Vec<String>,
    /// Number of bytes above the limit.
    pub left_out: u64,
}

/// Rate limit for lines.
#[derive(Debug)]
struct Allowance {
    lines: u32,
    since: Instant,
}

impl CommandOutput {
    /// Creates a relay, and a new file in the state directory; an earlier gateway keeps its own.
    ///
    /// # Errors
    /// When the relay can't be started.
    pub fn create(state_dir: &Path, command: Step, account: Option<&Account>) -> io::Result<Self> {
        let (stream, pipe, file) = match kept(state_dir, command, account) {
            Ok((stream, pipe, file)) => (stream, pipe, Some(file)),
            Err(error) => {
                tracing::warn!(
                    %command, %error, state_dir = %state_dir.display(),
                    "the command's output can't be stored; it is only logged"
                );
                let (pipe, _) = io::pipe()?;
                let pipe = OwnedFd::from(pipe);
                let stream = relay::reopened(&pipe, OFlags::RDWR)?;
                let pipe = relay::reopened(&pipe, OFlags::RDONLY | OFlags::NONBLOCK)?;
                (stream, pipe, None)
            }
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        relay::begin(pipe, theirs, file)?;
        Ok(Self {
            stream: Some(stream),
            relay: Some(ours),
            asked: None,
            received: Vec::new(),
            begun: Vec::new(),
            last: Vec::new(),
            missed: 0,
            allowance: Allowance {
                lines: MOST_LINES,
                since: Instant::now(),
            },
        })
    }

    /// The stream for the command to write to.
    pub(crate) fn stream(&self) -> io::Result<Stdio> {
        match &self.stream {
            Some(stream) => Ok(stream.try_clone()?.into()),
            None => Ok(Stdio::null()),
        }
    }

    /// The command has it: from now on the relay sees when the last writer is gone.
    pub fn release(&mut self) {
        self.stream = None;
    }

    /// The lines since the last call. An incomplete line is kept for the next call, unless the command
    /// has ended.
    pub fn new_lines(&mut self, ended: bool) -> NewLines {
        self.receive();
        let mut new = NewLines {
            left_out: std::mem::take(&mut self.missed),
            ..NewLines::default()
        };
        let received = std::mem::take(&mut self.received);
        for piece in received.split_inclusive(|byte| *byte == b'\n') {
            let line = piece.strip_suffix(b"\n");
            let room = LONGEST_LINE.saturating_sub(self.begun.len());
            let kept = line.unwrap_or(piece).iter().take(room);
            self.begun.extend(kept);
            if line.is_some() {
                self.finish(&mut new);
            }
        }
        if ended {
            self.finish(&mut new);
            // Later output of the gateway goes only to the file.
            self.relay = None;
        }
        new
    }

    /// Waits until all output up to now has arrived, with a timeout. Cancel-safe.
    pub async fn arrived(&mut self) {
        while let Some(relay) = &self.relay {
            let asked = match self.asked {
                Some(asked) => asked,
                None => match send(
                    relay,
                    &[relay::FLUSH],
                    SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
                ) {
                    Ok(_) => *self.asked.insert(Instant::now()),
                    Err(_) => return,
                },
            };
            if self.receive() || asked.elapsed() >= LAST_OUTPUT {
                self.asked = None;
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Receives what the relay has sent by now. Is the requested flush complete?
    fn receive(&mut self) -> bool {
        let mut buffer = [0; LONGEST_PACKET];
        while let Some(relay) = &self.relay {
            let packet = match recv(relay, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((length, _)) if length > 0 => buffer.get(..length).unwrap_or_default(),
                Err(Errno::AGAIN | Errno::INTR) => return false,
                // The last writer is gone, or all relays are.
                Ok(_) | Err(_) => {
                    self.relay = None;
                    return true;
                }
            };
            let Some((head, data)) = packet.split_first_chunk::<{ relay::HEAD }>() else {
                continue;
            };
            let [kind, missed @ ..] = *head;
            self.missed += u64::from_le_bytes(missed);
            match kind {
                relay::END => {
                    self.last = data.to_vec();
                    return true;
                }
                _ => self.take(data),
            }
        }
        true
    }

    fn take(&mut self, data: &[u8]) {
        self.last.extend(data);
        let over = self.last.len().saturating_sub(relay::LAST_BYTES);
        self.last.drain(..over);
        self.received.extend(data);
        let over = self.received.len().saturating_sub(MOST_AT_ONCE);
        if over > 0 {
            self.received.drain(..over);
            self.missed += (over + self.begun.len()) as u64;
            self.begun.clear();
        }
    }

    /// The current line is complete.
    fn finish(&mut self, new: &mut NewLines) {
        let line = std::mem::take(&mut self.begun);
        if line.trim_ascii().is_empty() {
            return;
        }
        if self.allowance.take(Instant::now()) {
            new.lines
                .push(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        } else {
            new.left_out += line.len() as u64;
        }
    }

    /// The last lines, without control characters.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.last(LAST_LINES).join(" | ")
    }

    /// The last line, if there is any, without control characters.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        self.last(1).pop()
    }

    fn last(&self, most: usize) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.last);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let last = lines
            .get(lines.len().saturating_sub(most)..)
            .unwrap_or_default();
        let harmless = |line: &&str| line.replace(char::is_control, " ");
        last.iter().map(harmless).collect()
    }
}

/// A named pipe, both ends, and the file, in the state directory.
fn kept(
    state_dir: &Path,
    command: Step,
    account: Option<&Account>,
) -> io::Result<(OwnedFd, OwnedFd, File)> {
    let folder = Folder::open(state_dir, Sticky::IsNotEnough)?;
    let (log, pipe) = (format!("{command}.log"), format!("{command}.pipe"));
    folder.remove(&log)?;
    folder.remove(&pipe)?;
    let file = folder.create_new(&log, 0o600)?;
    folder.make_pipe(&pipe, MODE)?;
    let stream = folder.open_pipe(&pipe, OFlags::RDWR)?;
    if let Some(account) = account {
        fchown(&stream, None, Some(Gid::from_raw(account.gid())))?;
        // The umask changed the mode, and the change of the group may have.
        fchmod(&stream, Mode::from_raw_mode(MODE))?;
    }
    Ok((stream, relay::open_pipe(&folder, command)?, file))
}

impl Allowance {
    /// Takes one line from the allowance, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        let earned = now.duration_since(self.since).as_nanos() / LINE_PACE.as_nanos();
        if earned > 0 {
            let earned = u32::try_from(earned).unwrap_or(u32::MAX);
            self.lines = self.lines.saturating_add(earned).min(MOST_LINES);
            self.since = now;
        }
        let may = self.lines > 0;
        self.lines = self.lines.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn output() -> (tempfile::TempDir, CommandOutput) {
        let folder = tempfile::tempdir().unwrap();
        let output = CommandOutput::create(folder.path(), Step::START, None).unwrap();
        (folder, output)
    }

    /// What a gateway that has the stream says.
    fn write(output: &CommandOutput, bytes: impl AsRef<[u8]>) {
        let stream = output.stream.as_ref().unwrap().try_clone().unwrap();
        File::from(stream).write_all(bytes.as_ref()).unwrap();
    }

    async fn lines(output: &mut CommandOutput, ended: bool) -> Vec<String> {
        output.arrived().await;
        output.new_lines(ended).lines
    }

    #[tokio::test]
    async fn lines_are_told_once_and_when_they_are_whole() {
        let (_folder, mut output) = output();
        write(&output, b"one\n\ntwo\r\nthr");
        assert_eq!(lines(&mut output, false).await, ["one", "two"]);
        assert_eq!(lines(&mut output, false).await, [""; 0]);
        write(&output, b"ee\nfour");
        assert_eq!(lines(&mut output, false).await, ["three"]);
        assert_eq!(lines(&mut output, true).await, ["four"]);
        assert_eq!(lines(&mut output, true).await, [""; 0]);
    }

    #[tokio::test]
    async fn a_flood_of_lines_is_told_in_part_and_how_much_is_missing() {
        let (_folder, mut output) = output();
        write(&output, "x\n".repeat(100_000));
        output.arrived().await;
        let new = output.new_lines(false);
        assert_eq!(new.lines.len(), usize::try_from(MOST_LINES).unwrap());
        assert!(new.left_out > 100_000, "{}", new.left_out);
    }

    #[test]
    fn whoever_was_silent_may_speak_again() {
        let begin = Instant::now();
        let mut allowance = Allowance {
            lines: MOST_LINES,
            since: begin,
        };
        for _ in 0..MOST_LINES {
            assert!(allowance.take(begin));
        }
        assert!(!allowance.take(begin));
        let later = begin + 2 * LINE_PACE;
        let more = [(); 3].map(|()| allowance.take(later));
        assert_eq!(more, [true, true, false]);
    }

    #[tokio::test]
    async fn an_endless_line_is_cut() {
        let (_folder, mut output) = output();
        for _ in 0..100 {
            write(&output, [b'x'; 30_000]);
            assert_eq!(lines(&mut output, false).await, [""; 0]);
            assert!(output.begun.len() <= LONGEST_LINE);
        }
        write(&output, b"\nshort\n");
        let lines = lines(&mut output, false).await;
        assert_eq!(lines[0].len(), LONGEST_LINE);
        assert_eq!(lines[1], "short");
    }

    #[tokio::test]
    async fn a_file_stays_small_however_much_is_said_and_keeps_what_was_said_last() {
        let (folder, mut output) = output();
        let file = folder.path().join("start.log");
        for _ in 0..20 {
            write(&output, "chatter\n".repeat(50_000));
            let length = std::fs::metadata(&file).unwrap().len();
            assert!(length <= 1 << 20, "{length}");
        }
        write(&output, b"the reason\n");
        output.arrived().await;
        assert!(output.last_lines().ends_with("| chatter | the reason"));
        let left_out = output.new_lines(false).left_out;
        assert!(left_out > 7_000_000, "{left_out}");
        write(&output, b"exit 1\n");
        output.arrived().await;
        assert!(output.last_lines().ends_with("| the reason | exit 1"));
        let kept = || {
            std::fs::read_to_string(&file)
                .unwrap()
                .ends_with("exit 1\n")
        };
        while !kept() {
            sleep(LOOK_AGAIN).await;
        }
    }

    #[tokio::test]
    async fn a_gateway_goes_on_speaking_whoever_listens() {
        let (folder, mut output) = output();
        assert_eq!(lines(&mut output, true).await, [""; 0]);
        // The daemon listens no longer; then it is gone.
        write(&output, "more\n".repeat(100_000));
        let stream = File::from(output.stream.take().unwrap());
        drop(output);
        (&stream)
            .write_all("and more\n".repeat(100_000).as_bytes())
            .unwrap();
        (&stream).write_all(b"the end\n").unwrap();
        let file = folder.path().join("start.log");
        while !std::fs::read_to_string(&file)
            .unwrap()
            .ends_with("the end\n")
        {
            sleep(LOOK_AGAIN).await;
        }
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_told_all_the_same() {
        let missing = Path::new("/no/such/folder");
        let mut output = CommandOutput::create(missing, Step::START, None).unwrap();
        write(&output, b"on a full disk\n");
        assert_eq!(lines(&mut output, false).await, ["on a full disk"]);
    }

    #[tokio::test]
    async fn what_is_no_text_is_told_all_the_same() {
        let (_folder, mut output) = output();
        write(&output, b"\xff\xfe\0\x1b[2J\n");
        assert_eq!(
            lines(&mut output, false).await,
            ["\u{fffd}\u{fffd}\0\u{1b}[2J"]
        );
    }
}
