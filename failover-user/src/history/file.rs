//! The files: `history.jsonl` and, once that is full, older ones with a number. Lines are only ever
//! appended. What is read may have been cut off by a crash, or written by anybody: what is no line of
//! ours is skipped and counted.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::Deserialize;

use failover_linux::files::{folder::Folder, ownership::Sticky};

use crate::{
    history::{Drill, Ending, How, Incident, Line, Order, VERSION},
    state_dir::writer::{Backlog, Target},
};

/// A file is full before it grows longer.
const LARGEST_FILE: u64 = 1 << 20;
/// Who may read the state directory may read the history.
const MODE: u32 = 0o640;
/// Number of full files that are kept, besides the current one.
const MOST_OLD: usize = 4;
/// No line of ours is longer: an incident's lists are bounded.
const LONGEST_LINE: u64 = 256 * 1024;
/// Limit for reading a file.
const MOST_READ: u64 = 4 * LARGEST_FILE;

/// What the files say.
#[derive(Debug, Default)]
pub struct History {
    /// The incidents, oldest first.
    pub incidents: Vec<Incident>,
    /// Orders that were followed, oldest first.
    pub orders: Vec<Order>,
    /// Drills, oldest first.
    pub drills: Vec<Drill>,
    /// Lines that are no history, or of a later version.
    pub skipped: u64,
}

/// Number 0 is the one that is written.
fn name(number: usize) -> String {
    match number {
        0 => "history.jsonl".to_owned(),
        _ => format!("history.{number}.jsonl"),
    }
}

/// The history, as it is written: more lines wait than the worst incident makes in the time that a disk needs
/// to wake up.
pub(crate) const HISTORY: Target = Target {
    name: "the history",
    effect: "decisions go on without it",
    loss: "the history can't be written",
    backlog: Backlog::Lines { most: 32 },
    write: append,
};

/// Appends a line, so that it survives a crash from now on.
///
/// # Errors
/// When the directory can't be written to.
fn append(directory: &Path, line: &[u8]) -> io::Result<()> {
    let folder = Folder::open(directory, Sticky::IsNotEnough)?;
    let mut file = folder.append(name(0), MODE)?;
    let mut length = file.metadata()?.len();
    if length > 0 && length + line.len() as u64 > LARGEST_FILE {
        for number in (0..MOST_OLD).rev() {
            match folder.rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        file = folder.append(name(0), MODE)?;
        length = 0;
    }
    // All at once, after whatever a crash has cut off.
    let mut bytes = Vec::with_capacity(line.len() + 2);
    if !ends_with_a_line(&mut file)? {
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(line);
    bytes.push(b'\n');
    file.write_all(&bytes)?;
    file.sync_data()?;
    match length {
        // The name, too (fsync(2)).
        0 => folder.sync(),
        _ => Ok(()),
    }
}

fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == [b'\n'])
}

/// Reads what is kept in a state directory.
///
/// # Errors
/// When there is no such directory, or a file in it can't be read.
pub fn read(directory: &Path) -> io::Result<History> {
    fs::metadata(directory)?;
    // The newest first: one that gets another number meanwhile is read twice, which does no harm.
    let mut files = Vec::new();
    for number in 0..=MOST_OLD {
        files.push(lines(&directory.join(name(number)))?);
    }
    let mut history = History::default();
    let mut places = HashMap::new();
    for line in files.into_iter().rev().flatten() {
        match line {
            Some(Line::Incident(incident)) => match places.get(&incident.id) {
                Some(place) => {
                    if let Some(known) = history.incidents.get_mut(*place) {
                        *known = *incident;
                    }
                }
                None => {
                    places.insert(incident.id.clone(), history.incidents.len());
                    history.incidents.push(*incident);
                }
            },
            Some(Line::Order(order)) => history.orders.push(order),
            Some(Line::Drill(drill)) => history.drills.push(drill),
            // Whatever went on before it began is over.
            Some(Line::Daemon(daemon)) if daemon.began => {
                let open = history.incidents.iter_mut();
                open.filter(|one| one.ended.is_none()).for_each(cut_off);
            }
            Some(Line::Daemon(_)) => {}
            None => history.skipped += 1,
        }
    }
    Ok(history)
}

impl History {
    /// All of it, or what was still going on then, in the order of the beginnings.
    #[must_use]
    pub fn since(self, since: Option<Timestamp>) -> Vec<Line> {
        let is_wanted = |last: Timestamp| since.is_none_or(|since| last >= since);
        let incidents = self.incidents.into_iter();
        let incidents = incidents.filter(|one| one.ended.is_none() || is_wanted(one.last()));
        let orders = self.orders.into_iter().filter(|one| is_wanted(one.at));
        let drills = self.drills.into_iter().filter(|one| is_wanted(one.at));
        let mut lines: Vec<(Timestamp, Line)> = incidents
            .map(|one| (one.began, Line::Incident(Box::new(one))))
            .chain(orders.map(|one| (one.at, Line::Order(one))))
            .chain(drills.map(|one| (one.at, Line::Drill(one))))
            .collect();
        // Each kind stays in the order in which it was written.
        lines.sort_by_key(|(began, _)| *began);
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

fn cut_off(incident: &mut Incident) {
    incident.ended = Some(Ending {
        at: incident.written,
        how: How::DaemonKilled.into(),
        reason: "the daemon was killed, or the machine went down".to_owned(),
    });
}

/// The file's lines, and `None` for each that is none of ours.
fn lines(path: &Path) -> io::Result<Vec<Option<Line>>> {
    let opened = OpenOptions::new()
        .read(true)
        // Should somebody have put a pipe there.
        .custom_flags(i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0))
        .open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut reader = BufReader::new(file.take(MOST_READ));
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let read = reader
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(lines);
        }
        let is_cut = bytes.last() != Some(&b'\n') && bytes.len() as u64 == LONGEST_LINE;
        if is_cut {
            skip_line(&mut reader)?;
        }
        if !bytes.trim_ascii().is_empty() {
            lines.push(parse(&bytes).filter(|_| !is_cut));
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let (length, end) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(place) => (place + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        reader.consume(length);
        if end {
            return Ok(());
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Line> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
    }
    let head: Head = serde_json::from_slice(bytes).ok()?;
    let line = serde_json::from_slice(bytes).ok();
    line.filter(|_| head.version == VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{history::Daemon, standby::drill::DrillResult};

    fn incident(id: &str, reason: &str) -> Incident {
        Incident {
            id: id.to_owned(),
            reason: reason.to_owned(),
            ..Incident::blank("pc-a:18789".to_owned(), false)
        }
    }

    fn write(directory: &Path, line: &Line) {
        append(directory, &serde_json::to_vec(line).unwrap()).unwrap();
    }

    fn tell(directory: &Path, id: &str, reason: &str) {
        write(directory, &Line::Incident(Box::new(incident(id, reason))));
    }

    fn began(directory: &Path) {
        write(
            directory,
            &Line::Daemon(Daemon {
                version: VERSION,
                at: Timestamp::UNIX_EPOCH,
                pid: 1,
                program: "1.0.0".to_owned(),
                began: true,
            }),
        );
    }

    fn read_back(directory: &Path) -> (Vec<(String, String)>, u64) {
        let History {
            incidents, skipped, ..
        } = read(directory).unwrap();
        let incidents = incidents.into_iter().map(|one| (one.id, one.reason));
        (incidents.collect(), skipped)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(id, reason)| ((*id).to_owned(), (*reason).to_owned()))
            .collect()
    }

    #[test]
    fn the_last_line_of_an_incident_counts_and_the_order_is_that_of_their_beginnings() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read_back(directory.path()), (Vec::new(), 0));
        for (id, reason) in [("a", "1"), ("b", "1"), ("a", "2")] {
            tell(directory.path(), id, reason);
        }
        assert_eq!(
            read_back(directory.path()),
            (pairs(&[("a", "2"), ("b", "1")]), 0)
        );
    }

    #[test]
    fn a_line_that_a_crash_has_cut_off_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        tell(directory.path(), "a", "1");
        tell(directory.path(), "b", "1");
        let file = directory.path().join(name(0));
        let length = fs::metadata(&file).unwrap().len();
        let whole = fs::read(&file).unwrap();
        // Only the line's end is missing, or more.
        for (cut, skipped) in [(1, 0), (2, 1), (40, 1)] {
            fs::write(&file, &whole).unwrap();
            let open = OpenOptions::new().write(true).open(&file).unwrap();
            open.set_len(length - cut).unwrap();
            tell(directory.path(), "c", "1");
            let mut expected = pairs(&[("a", "1"), ("b", "1"), ("c", "1")]);
            if skipped > 0 {
                expected.remove(1);
            }
            assert_eq!(read_back(directory.path()), (expected, skipped), "{cut}");
        }
    }

    #[test]
    fn what_is_no_history_is_skipped_and_counted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(name(0));
        let long = format!("{{\"version\":1,\"x\":\"{}\"}}", "x".repeat(600_000));
        let deep = "[".repeat(100_000);
        let lines: [&[u8]; 8] = [
            b"\xff\xfe\x00",
            b"{}",
            b"null",
            b"{\"version\":1,\"kind\":\"unknown\"}",
            b"{\"version\":2,\"kind\":\"daemon\",\"at\":\"1970-01-01T00:00:00Z\",\"pid\":1,\"program\":\"\",\"began\":true}",
            b"{\"version\":1,\"kind\":\"incident\",\"id\":7}",
            long.as_bytes(),
            deep.as_bytes(),
        ];
        fs::write(&file, [&lines.join(&b'\n')[..], b"\n\n"].concat()).unwrap();
        tell(directory.path(), "a", "1");
        assert_eq!(read_back(directory.path()), (pairs(&[("a", "1")]), 8));
    }

    #[test]
    fn fields_of_later_programs_are_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let line = Line::Incident(Box::new(incident("a", "1")));
        let mut line = serde_json::to_value(&line).unwrap();
        line["unknown-key"] = "value".into();
        append(directory.path(), line.to_string().as_bytes()).unwrap();
        assert_eq!(read_back(directory.path()), (pairs(&[("a", "1")]), 0));
    }

    #[test]
    fn orders_and_drills_stand_between_the_incidents_where_they_belong() {
        let directory = tempfile::tempdir().unwrap();
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let ordered = |seconds, order: &str| {
            Line::Order(Order {
                version: VERSION,
                at: at(seconds),
                order: order.to_owned(),
                by: "root".to_owned(),
                until: None,
                reason: None,
            })
        };
        let mut late = incident("a", "1");
        late.began = at(20);
        late.ended = Some(Ending {
            at: at(25),
            how: How::Recovered.into(),
            reason: String::new(),
        });
        let drill = Line::Drill(Drill {
            version: VERSION,
            at: at(15),
            result: DrillResult::Passed.into(),
            took_ms: Some(9200),
            packets_sent: Some(0),
            memory_bytes: None,
            said: None,
        });
        let (pause, late, resume) = (
            ordered(10, "pause"),
            Line::Incident(Box::new(late)),
            ordered(30, "resume"),
        );
        for line in [&late, &drill, &pause, &resume] {
            write(directory.path(), line);
        }
        let since = |since| read(directory.path()).unwrap().since(since);
        assert_eq!(since(None), [pause, drill, late.clone(), resume.clone()]);
        assert_eq!(since(Some(at(25))), [late, resume.clone()]);
        assert_eq!(since(Some(at(26))), [resume]);
    }

    #[test]
    fn an_incident_without_an_end_was_cut_off_once_another_daemon_has_begun() {
        let directory = tempfile::tempdir().unwrap();
        began(directory.path());
        tell(directory.path(), "a", "1");
        assert!(read(directory.path()).unwrap().incidents[0].ended.is_none());
        began(directory.path());
        tell(directory.path(), "b", "1");
        let incidents = read(directory.path()).unwrap().incidents;
        let how = |incident: &Incident| incident.ended.as_ref().map(|ending| ending.how.clone());
        assert_eq!(how(&incidents[0]), Some(How::DaemonKilled.into()));
        assert_eq!(how(&incidents[1]), None);
    }

    #[test]
    fn the_files_stay_bounded_and_the_newest_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let reason = "x".repeat(100_000);
        for number in 0..80 {
            tell(directory.path(), &number.to_string(), &reason);
        }
        let sizes = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len());
        let sizes: Vec<u64> = sizes.collect();
        assert_eq!(sizes.len(), 1 + MOST_OLD);
        assert!(
            sizes.iter().all(|size| *size <= LARGEST_FILE + 200_000),
            "{sizes:?}"
        );
        let kept = read(directory.path()).unwrap().incidents;
        let ids: Vec<usize> = kept.iter().map(|one| one.id.parse().unwrap()).collect();
        assert!(ids.is_sorted() && ids.last() == Some(&79), "{ids:?}");
        assert!((40..=60).contains(&ids.len()), "{ids:?}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(read(Path::new("/proc/nowhere")).is_err());
    }
}
