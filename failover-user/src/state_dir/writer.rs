//! Writes the files of the state directory in the background, so that a disk that hangs or is full delays
//! no decision. Failed writes are retried and reported; if newer content replaces them, they
//! are dropped and counted. It must not know the content: the caller defines how it is written.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::{info, warn};

/// After so long it is tried again, and whenever there is more to write.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// While it can't be written, that is said again this often.
const SAY_AGAIN: Duration = Duration::from_secs(600);
/// A write that takes longer is trouble.
const LONGEST_WRITE: Duration = Duration::from_secs(10);
/// Where there was no thread, it is tried again after so long.
const BEGIN_AGAIN: Duration = Duration::from_secs(1);
/// The writer calls little.
const STACK: usize = 256 * 1024;

/// What is written, and how.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name, for people.
    pub(crate) name: &'static str,
    /// What it means that it isn't written.
    pub(crate) effect: &'static str,
    /// The same, as the beginning of a sentence that continues with the path.
    pub(crate) loss: &'static str,
    pub(crate) backlog: Backlog,
    /// Writes a document, or a line, to the state directory.
    pub(crate) write: fn(&Path, &[u8]) -> io::Result<()>,
}

/// What waits while it can't be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Backlog {
    /// Lines, each of which counts: the last ones.
    Lines {
        /// A limited number.
        most: usize,
    },
    /// A document, of which the newest counts.
    Newest,
}

/// Writes to a state directory. Its thread is there only while there is something to write.
#[derive(Debug)]
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

/// Reports whether writing works.
#[derive(Clone, Debug)]
pub(crate) struct Health(Arc<Shared>);

/// What isn't written, where to, and why.
#[derive(Clone, Debug)]
pub(crate) struct NotWritten {
    pub(crate) target: &'static Target,
    pub(crate) directory: PathBuf,
    pub(crate) trouble: Trouble,
}

/// Why something isn't written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// The disk doesn't answer.
    Hangs,
    /// The last write failed.
    Error(String),
}

#[derive(Debug)]
struct Shared {
    target: &'static Target,
    directory: PathBuf,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Entry>,
    /// The thread is there.
    runs: bool,
    /// Since when it writes.
    writing: Option<Instant>,
    /// Why the last write failed.
    trouble: Option<String>,
    said: Option<Instant>,
    /// When there was no thread for it.
    refused: Option<Instant>,
    dropped: u64,
}

#[derive(Debug)]
struct Entry {
    bytes: Vec<u8>,
    /// Each gets one answer: whether the first attempt wrote it.
    written: Vec<oneshot::Sender<bool>>,
}

impl Entry {
    fn tell(&mut self, written: bool) {
        for waiting in self.written.drain(..) {
            // A receiver that was dropped needs no answer.
            let _ = waiting.send(written);
        }
    }
}

impl Backlog {
    const fn most(self) -> usize {
        match self {
            Self::Lines { most } => most,
            Self::Newest => 1,
        }
    }
}

impl Writer {
    pub(crate) fn new(target: &'static Target, directory: &Path) -> Self {
        Self {
            shared: Arc::new(Shared {
                target,
                directory: directory.to_owned(),
                queue: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    pub(crate) fn health(&self) -> Health {
        Health(Arc::clone(&self.shared))
    }

    /// Queues a write. Never waits. The receiver gets the result of the first attempt.
    pub(crate) fn write(&self, bytes: Vec<u8>) -> oneshot::Receiver<bool> {
        let (receipt, written) = oneshot::channel();
        let mut queue = self.shared.lock();
        let mut waiting = self.shared.make_room(&mut queue);
        waiting.push(receipt);
        queue.waiting.push_back(Entry {
            bytes,
            written: waiting,
        });
        self.shared.changed.notify_all();
        self.begin(&mut queue, thread);
        written
    }

    /// Writes what waits for a thread, if it is time to try again. Never waits.
    pub(crate) fn go_on(&self) {
        let mut queue = self.shared.lock();
        let is_due = |refused: Instant| refused.elapsed() >= BEGIN_AGAIN;
        if !queue.waiting.is_empty() && queue.refused.is_some_and(is_due) {
            self.begin(&mut queue, thread);
        }
    }

    fn begin(&self, queue: &mut Queue, spawn: fn(Arc<Shared>) -> io::Result<()>) {
        if queue.runs {
            return;
        }
        match spawn(Arc::clone(&self.shared)) {
            Ok(()) => (queue.runs, queue.refused) = (true, None),
            Err(error) => {
                queue.refused = Some(Instant::now());
                self.shared.fail(queue, &error);
                // What waits stays, but who waits for it must not wait for a thread that isn't there.
                queue.waiting.iter_mut().for_each(|entry| entry.tell(false));
            }
        }
    }

    /// Waits until all is written, or can't be, but no longer than this.
    pub(crate) fn finish(&self, patience: Duration) {
        let queue = self.shared.lock();
        let unfinished = |queue: &mut Queue| queue.runs && queue.trouble.is_none();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(queue, patience, unfinished);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let lost = queue.dropped + queue.waiting.len() as u64 + u64::from(queue.writing.is_some());
        if lost > 0 {
            warn!(lost, "{} was not all written", self.shared.target.name);
        }
    }
}

fn thread(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new()
        .name("writer".to_owned())
        .stack_size(STACK);
    thread.spawn(move || shared.write_all()).map(drop)
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for one more. A document that replaces another contains its content, so those who wait for
    /// the other also wait for this one: they are returned.
    fn make_room(&self, queue: &mut Queue) -> Vec<oneshot::Sender<bool>> {
        if queue.waiting.len() < self.target.backlog.most() {
            return Vec::new();
        }
        let replaced = queue.waiting.pop_front();
        self.drop_one(queue);
        match (self.target.backlog, replaced) {
            (Backlog::Newest, Some(replaced)) => replaced.written,
            (Backlog::Lines { .. }, _) | (_, None) => Vec::new(),
        }
    }

    /// One that a newer one replaces isn't lost.
    fn drop_one(&self, queue: &mut Queue) {
        queue.dropped += u64::from(self.target.backlog != Backlog::Newest);
    }

    /// Until nothing is left.
    fn write_all(&self) {
        let mut queue = self.lock();
        while let Some(mut entry) = queue.waiting.pop_front() {
            queue.writing = Some(Instant::now());
            drop(queue);
            let written = (self.target.write)(&self.directory, &entry.bytes);
            queue = self.lock();
            queue.writing = None;
            entry.tell(written.is_ok());
            match written {
                Ok(()) => self.succeed(&mut queue),
                Err(error) => {
                    self.fail(&mut queue, &error);
                    if queue.waiting.len() == self.target.backlog.most() {
                        self.drop_one(&mut queue);
                    } else {
                        queue.waiting.push_front(entry);
                    }
                    self.changed.notify_all();
                    let waited = self.changed.wait_timeout(queue, TRY_AGAIN);
                    queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        queue.runs = false;
        self.changed.notify_all();
    }

    fn succeed(&self, queue: &mut Queue) {
        queue.said = None;
        if queue.trouble.take().is_some() {
            let dropped = std::mem::take(&mut queue.dropped);
            info!(dropped, "{} is written again", self.target.name);
        }
    }

    fn fail(&self, queue: &mut Queue, error: &io::Error) {
        if queue.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            queue.said = Some(Instant::now());
            warn!(
                %error, state_dir = %self.directory.display(), waiting = queue.waiting.len() + 1,
                dropped = queue.dropped,
                "{} can't be written; {}", self.target.name, self.target.effect
            );
        }
        queue.trouble = Some(error.to_string());
    }
}

impl Health {
    /// What is wrong, if anything is.
    pub(crate) fn problem(&self) -> Option<NotWritten> {
        let Shared {
            target, directory, ..
        } = &*self.0;
        let queue = self.0.lock();
        let hangs = queue
            .writing
            .is_some_and(|since| since.elapsed() >= LONGEST_WRITE);
        let trouble = match (&queue.trouble, hangs) {
            (_, true) => Trouble::Hangs,
            (Some(error), false) => Trouble::Error(error.clone()),
            (None, false) => return None,
        };
        Some(NotWritten {
            target,
            directory: directory.clone(),
            trouble,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{history::HISTORY, state_dir::persisted::PERSISTED};

    const LONG: Duration = Duration::from_secs(10);

    fn lines(directory: &Path) -> Vec<String> {
        let text = fs::read_to_string(directory.join("history.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn await_end(writer: &Writer) {
        let queue = writer.shared.lock();
        let runs = |queue: &mut Queue| queue.runs;
        let waited = writer.shared.changed.wait_timeout_while(queue, LONG, runs);
        assert!(!waited.unwrap().1.timed_out());
    }

    #[test]
    fn lines_are_written_in_their_order_and_the_thread_ends() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(&HISTORY, directory.path());
        for line in ["a", "b", "c"] {
            drop(writer.write(line.into()));
        }
        writer.finish(LONG);
        assert_eq!(lines(directory.path()), ["a", "b", "c"]);
        assert!(!writer.shared.lock().runs);
        assert!(writer.health().problem().is_none());
        drop(writer.write("d".into()));
        writer.finish(LONG);
        assert_eq!(lines(directory.path()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_there_was_no_thread_for_is_written_once_there_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(&HISTORY, directory.path());
        let mut queue = writer.shared.lock();
        queue.waiting.push_back(Entry {
            bytes: b"late".to_vec(),
            written: Vec::new(),
        });
        let none = |_| Err(io::Error::from_raw_os_error(libc::EAGAIN));
        writer.begin(&mut queue, none);
        drop(queue);
        assert!(writer.health().problem().is_some());
        // Not as often as it is asked for.
        writer.go_on();
        assert!(!writer.shared.lock().runs);
        writer.shared.lock().refused = Instant::now().checked_sub(BEGIN_AGAIN);
        writer.go_on();
        await_end(&writer);
        assert_eq!(lines(directory.path()), ["late"]);
        assert!(writer.health().problem().is_none());
    }

    #[test]
    fn what_cannot_be_written_is_said_and_is_written_later_but_for_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let writer = Writer::new(&HISTORY, &missing);
        let most = HISTORY.backlog.most();
        for number in 0..most + 3 {
            drop(writer.write(number.to_string().into()));
        }
        writer.finish(LONG);
        let problem = writer.health().problem().unwrap();
        assert_eq!(problem.directory, missing);
        fs::create_dir(&missing).unwrap();
        drop(writer.write("last".into()));
        await_end(&writer);
        let lines = lines(&missing);
        assert!(lines.len() <= most + 1, "{lines:?}");
        assert_ne!(lines[0], "0");
        assert_eq!(lines.last().unwrap(), "last");
        assert!(writer.health().problem().is_none());
    }

    #[test]
    fn who_waits_for_a_document_that_was_replaced_waits_for_the_newer_one() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::new(&PERSISTED, directory.path());
        // As if the disk took its time: no thread takes anything out yet.
        writer.shared.lock().runs = true;
        let [old, new] = ["old", "new"].map(|text| writer.write(text.into()));
        writer.shared.write_all();
        assert!(old.blocking_recv().unwrap());
        assert!(new.blocking_recv().unwrap());
        let kept = fs::read_to_string(directory.path().join("remembered.json")).unwrap();
        assert_eq!(kept, "new");
    }

    #[test]
    fn who_waits_is_told_whether_it_is_kept_and_the_newest_is_kept_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let writer = Writer::new(&PERSISTED, &missing);
        assert!(!writer.write("old".into()).blocking_recv().unwrap());
        let problem = writer.health().problem().unwrap();
        assert!(problem.target.loss.contains("a restart forgets"));
        fs::create_dir(&missing).unwrap();
        assert!(writer.write("new".into()).blocking_recv().unwrap());
        await_end(&writer);
        let kept = fs::read_to_string(missing.join("remembered.json")).unwrap();
        assert_eq!(kept, "new");
        assert!(writer.health().problem().is_none());
        assert_eq!(writer.shared.lock().dropped, 0);
    }
}
