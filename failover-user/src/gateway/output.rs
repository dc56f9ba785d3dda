//! What a command says: kept in a file, told line by line while it runs, and once more when it has
//! failed.
//!
//! A file and no pipe: the gateway that a command leaves behind goes on writing there, whether this
//! daemon lives or not. All of it is a stranger's word: bounded here, escaped by who tells it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::Stdio,
    time::Duration,
};

use rustix::{
    fs::{FallocateFlags, fallocate, fchown},
    io::Errno,
    process::{Gid, Uid},
};
use tokio::time::Instant;

use super::Account;
use crate::decide::Command;

/// What is kept of a gateway's chatter before it is thrown away.
const LARGEST_OUTPUT: u64 = 1 << 20;
/// So much room a command finds for sure.
const RESERVED: u64 = 64 * 1024;
/// What is told of it when a command fails.
const TOLD_BYTES: u64 = 2048;
const TOLD_LINES: usize = 5;
/// What is read at once; what was written before is passed over.
const MOST_AT_ONCE: u64 = 64 * 1024;
/// So much of a line; the rest of it is passed over.
const LONGEST_LINE: usize = 1024;
/// So many lines may be told at once, and another one each half second.
const MOST_LINES: u32 = 40;
const LINE_PACE: Duration = Duration::from_millis(500);

/// Where a command, and the gateway that it leaves behind, writes to.
#[derive(Debug)]
pub struct CommandOutput {
    file: File,
    /// Up to here it was taken in.
    position: u64,
    /// The beginning of a line whose end hasn't come yet.
    begun: Vec<u8>,
    /// The end of what was thrown away.
    thrown_away: Vec<u8>,
    /// So much of that was never taken in.
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
    /// A new file for this command in the state directory; an earlier gateway keeps its own. It
    /// belongs to who the command is run as, so that it can be opened again by its name in /dev.
    ///
    /// # Errors
    /// When the directory can't be written to.
    pub fn create(
        state_dir: &Path,
        command: Command,
        account: Option<&Account>,
    ) -> io::Result<Self> {
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
        // A command that can't say what it has to say may fail for it: on a full disk better nobody hears it.
        let reserved = fallocate(&file, FallocateFlags::KEEP_SIZE, 0, RESERVED);
        // Not every file system can reserve; then it isn't known.
        if let Err(error @ (Errno::NOSPC | Errno::DQUOT)) = reserved {
            return Err(error.into());
        }
        if let Some(account) = account {
            let (uid, gid) = (account.uid(), account.gid());
            fchown(&file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(Self {
            file,
            position: 0,
            begun: Vec::new(),
            thrown_away: Vec::new(),
            missed: 0,
            allowance: Allowance {
                lines: MOST_LINES,
                since: Instant::now(),
            },
        })
    }

    /// For a command to write to.
    pub(super) fn stream(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }

    /// Keeps it bounded, however much a gateway writes. Writers append, so they go on at the start. The
    /// end of it is remembered: it may be the last that is ever said.
    pub fn trim(&mut self) {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else {
            return;
        };
        if length <= LARGEST_OUTPUT {
            return;
        }
        let end = self.read(length.saturating_sub(TOLD_BYTES), TOLD_BYTES);
        if let Err(error) = self.file.set_len(0) {
            tracing::warn!(%error, "the command's output can't be shortened");
            return;
        }
        self.thrown_away = end.unwrap_or_default();
        self.missed += length.saturating_sub(self.position) + self.begun.len() as u64;
        self.position = 0;
        self.begun.clear();
    }

    /// What was said since this was asked last. A line whose end hasn't come is kept for the next
    /// time, unless the command has ended.
    pub fn new_lines(&mut self, ended: bool) -> NewLines {
        let mut told = NewLines {
            left_out: std::mem::take(&mut self.missed),
            ..NewLines::default()
        };
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else {
            return told;
        };
        // Somebody else has cut it: whatever was there is gone.
        if length < self.position {
            self.position = 0;
            self.begun.clear();
        }
        let start = self.position.max(length.saturating_sub(MOST_AT_ONCE));
        if start > self.position {
            told.left_out += start - self.position + self.begun.len() as u64;
            self.begun.clear();
        }
        let bytes = self.read(start, length - start).unwrap_or_default();
        self.position = start + bytes.len() as u64;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
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
        }
        told
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

    fn read(&self, start: u64, most: u64) -> io::Result<Vec<u8>> {
        // A descriptor of one's own would share the position as well; nobody else uses it.
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
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
        let length = self.file.metadata().map_or(0, |metadata| metadata.len());
        let bytes = self.read(length.saturating_sub(TOLD_BYTES), TOLD_BYTES);
        let bytes = [&self.thrown_away[..], &bytes.unwrap_or_default()].concat();
        let told = usize::try_from(TOLD_BYTES).unwrap_or(usize::MAX);
        let bytes = bytes.get(bytes.len().saturating_sub(told)..);
        let text = String::from_utf8_lossy(bytes.unwrap_or_default());
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

    fn lines(output: &mut CommandOutput, ended: bool) -> Vec<String> {
        output.new_lines(ended).lines
    }

    #[test]
    fn lines_are_told_once_and_when_they_are_whole() {
        let (_folder, mut output) = output();
        output.file.write_all(b"one\n\ntwo\r\nthr").unwrap();
        assert_eq!(lines(&mut output, false), ["one", "two"]);
        assert_eq!(lines(&mut output, false), [""; 0]);
        output.file.write_all(b"ee\nfour").unwrap();
        assert_eq!(lines(&mut output, false), ["three"]);
        assert_eq!(lines(&mut output, true), ["four"]);
        assert_eq!(lines(&mut output, true), [""; 0]);
    }

    #[test]
    fn a_flood_of_lines_is_told_in_part_and_how_much_is_missing() {
        let (_folder, mut output) = output();
        let flood = "x\n".repeat(100_000);
        output.file.write_all(flood.as_bytes()).unwrap();
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

    #[test]
    fn an_endless_line_is_cut() {
        let (_folder, mut output) = output();
        for _ in 0..100 {
            output.file.write_all(&[b'x'; 30_000]).unwrap();
            assert_eq!(lines(&mut output, false), [""; 0]);
            assert!(output.begun.len() <= LONGEST_LINE);
        }
        output.file.write_all(b"\nshort\n").unwrap();
        let told = lines(&mut output, false);
        assert_eq!(told[0].len(), LONGEST_LINE);
        assert_eq!(told[1], "short");
    }

    #[test]
    fn output_is_bounded_and_told_on_after_it_was_cut() {
        let (_folder, mut output) = output();
        output.file.write_all(&vec![b'\n'; 2_000_000]).unwrap();
        assert_eq!(lines(&mut output, false), [""; 0]);
        output.trim();
        assert_eq!(output.file.metadata().unwrap().len(), 0);
        output.file.write_all(b"after\n").unwrap();
        assert_eq!(lines(&mut output, false), ["after"]);
    }

    #[test]
    fn what_was_said_last_outlives_what_is_thrown_away() {
        let (_folder, mut output) = output();
        let flood = "chatter\n".repeat(200_000);
        output.file.write_all(flood.as_bytes()).unwrap();
        output.file.write_all(b"the reason\n").unwrap();
        output.trim();
        assert!(output.last_lines().ends_with("| chatter | the reason"));
        // Nobody was told of it otherwise.
        let told = output.new_lines(false);
        assert_eq!(told.lines, [""; 0]);
        assert_eq!(told.left_out, flood.len() as u64 + 11);
        output.file.write_all(b"exit 1\n").unwrap();
        assert!(output.last_lines().ends_with("| the reason | exit 1"));
        assert_eq!(lines(&mut output, false), ["exit 1"]);
        // What comes later pushes it out.
        output.file.write_all(flood.as_bytes()).unwrap();
        assert!(!output.last_lines().contains("reason"));
    }

    #[test]
    fn what_is_no_text_is_told_all_the_same() {
        let (_folder, mut output) = output();
        output.file.write_all(b"\xff\xfe\0\x1b[2J\n").unwrap();
        assert_eq!(lines(&mut output, false), ["\u{fffd}\u{fffd}\0\u{1b}[2J"]);
    }
}
