//! What a command says: kept in a file, told line by line while it runs, and once more when it has
//! failed.
//!
//! A relay is in between (see [`crate::gateway::command::relay`]): the gateway that a command leaves behind goes on writing there,
//! whether this daemon lives or not. All of it is a stranger's word: bounded here, escaped by who tells it.

use std::{fs::File, io, os::fd::OwnedFd, path::Path, process::Stdio, time::Duration};

use rustix::{
    fs::{Mode, OFlags, fchmod, fchown},
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair},
    process::Gid,
};
use tokio::time::{Instant, sleep};

use failover_decide::Command;
use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::gateway::command::{account::Account, relay};

const TOLD_LINES: usize = 5;
/// What is taken in at once; what is older is passed over.
const MOST_AT_ONCE: usize = 64 * 1024;
/// So much of a line; the rest of it is passed over.
const LONGEST_LINE: usize = 1024;
/// So many lines may be told at once, and another one each half second.
const MOST_LINES: u32 = 40;
const LINE_PACE: Duration = Duration::from_millis(500);
/// When a command has ended, its last words arrive within this; then it goes on without them.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Until then it is looked for them this often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// A named pipe's mode. Root writes and reads; the account's group may open it again by its name in /dev, for
/// writing. Nobody else gets to it: it is in the state directory.
const MODE: u32 = 0o620;
/// Longer packets aren't the relay's.
const LONGEST_PACKET: usize = 16 * 1024;

/// Where a command, and the gateway that it leaves behind, writes to.
#[derive(Debug)]
pub struct CommandOutput {
    /// The command's end, until the command has it.
    stream: Option<OwnedFd>,
    /// Tells what was written; `None` once that isn't wanted any longer, or it is gone.
    relay: Option<OwnedFd>,
    /// Since when all that was written is asked for.
    asked: Option<Instant>,
    /// What the relay told and wasn't taken in yet.
    received: Vec<u8>,
    /// The beginning of a line whose end hasn't come yet.
    begun: Vec<u8>,
    /// The end of all that was written.
    last: Vec<u8>,
    /// So much was never taken in.
    missed: u64,
    allowance: Allowance,
}

/// What a command has said since it was listened to last.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct NewLines {
    /// Line by line, without those that are empty.
    pub lines: Vec<String>,
    /// So many more bytes were said than can be told.
    pub left_out: u64,
}

/// How many lines may be told now.
#[derive(Debug)]
struct Allowance {
    lines: u32,
    since: Instant,
}

impl CommandOutput {
    /// For this command: a relay, and a new file in the state directory; an earlier gateway keeps its own.
    ///
    /// # Errors
    /// When there can be no relay.
    pub fn create(
        state_dir: &Path,
        command: Command,
        account: Option<&Account>,
    ) -> io::Result<Self> {
        let (stream, pipe, file) = match kept(state_dir, command, account) {
            Ok((stream, pipe, file)) => (stream, pipe, Some(file)),
            Err(error) => {
                tracing::warn!(
                    %command, %error, state_dir = %state_dir.display(),
                    "the command's output can't be kept; it is only told here"
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

    /// For a command to write to.
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

    /// What was said since this was asked last. A line whose end hasn't come is kept for the next
    /// time, unless the command has ended.
    pub fn new_lines(&mut self, ended: bool) -> NewLines {
        self.receive();
        let mut told = NewLines {
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
                self.finish(&mut told);
            }
        }
        if ended {
            self.finish(&mut told);
            // A gateway that goes on speaking is for the file alone.
            self.relay = None;
        }
        told
    }

    /// Waits until all that was written up to now has arrived, but not for long. Cancel-safe.
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
            if self.receive() || asked.elapsed() >= LAST_WORDS {
                self.asked = None;
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes what the relay has told by now. Was that all that was asked for?
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

    /// The line that was begun is whole.
    fn finish(&mut self, told: &mut NewLines) {
        let line = std::mem::take(&mut self.begun);
        if line.trim_ascii().is_empty() {
            return;
        }
        if self.allowance.take(Instant::now()) {
            told.lines
                .push(String::from_utf8_lossy(line.trim_ascii_end()).into_owned());
        } else {
            told.left_out += line.len() as u64;
        }
    }

    /// The last lines, made harmless for a log.
    #[must_use]
    pub fn last_lines(&self) -> String {
        self.last(TOLD_LINES).join(" | ")
    }

    /// The last line, if there is any, made harmless as well.
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
    command: Command,
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
        // The umask had its say, and a change of the group may have.
        fchmod(&stream, Mode::from_raw_mode(MODE))?;
    }
    Ok((stream, relay::open_pipe(&folder, command)?, file))
}

impl Allowance {
    /// May one more be told? Then it counts as told.
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
        let output = CommandOutput::create(folder.path(), Command::Start, None).unwrap();
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
        let told = output.new_lines(false);
        assert_eq!(told.lines.len(), usize::try_from(MOST_LINES).unwrap());
        assert!(told.left_out > 100_000, "{}", told.left_out);
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
        let told = lines(&mut output, false).await;
        assert_eq!(told[0].len(), LONGEST_LINE);
        assert_eq!(told[1], "short");
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
        let mut output = CommandOutput::create(missing, Command::Start, None).unwrap();
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
