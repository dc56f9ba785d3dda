//! Writes the history beside the daemon, so that a disk that hangs or is full delays no decision. What
//! can't be written is tried again, is said, and in the end is dropped and counted.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tracing::{info, warn};

use crate::history;

/// More than the worst incident makes in the time that a disk needs to wake up.
const MOST_WAITING: usize = 32;
/// After so long it is tried again, and whenever there is more to write.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// While it can't be written, that is said again this often.
const SAY_AGAIN: Duration = Duration::from_secs(600);
/// A write that takes longer is trouble.
const LONGEST_WRITE: Duration = Duration::from_secs(10);
/// The writer calls little.
const STACK: usize = 256 * 1024;

/// Writes lines to the history in a state directory. Its thread is there only while there are any.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
}

/// Tells whether the history is being kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Vec<u8>>,
    /// The thread is there.
    runs: bool,
    /// Since when it writes.
    writing: Option<Instant>,
    /// Why the last write failed.
    trouble: Option<String>,
    said: Option<Instant>,
    dropped: u64,
}

impl Writer {
    pub(super) fn to(directory: &Path) -> Self {
        Self {
            shared: Arc::new(Shared {
                directory: directory.to_owned(),
                queue: Mutex::default(),
                changed: Condvar::new(),
            }),
        }
    }

    pub(super) fn health(&self) -> Health {
        Health(Some(Arc::clone(&self.shared)))
    }

    /// Writes a line, soon. Never waits.
    pub(super) fn write(&self, line: Vec<u8>) {
        let mut queue = self.shared.lock();
        if queue.waiting.len() == MOST_WAITING {
            queue.waiting.pop_front();
            queue.dropped += 1;
        }
        queue.waiting.push_back(line);
        self.shared.changed.notify_all();
        if queue.runs {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new()
            .name("history".to_owned())
            .stack_size(STACK);
        match thread.spawn(move || shared.write_all()) {
            Ok(_) => queue.runs = true,
            Err(error) => queue.fail(&self.shared.directory, &error),
        }
    }

    /// Waits until all is written, or can't be, but no longer than this.
    pub(super) fn finish(&self, patience: Duration) {
        let queue = self.shared.lock();
        let unfinished = |queue: &mut Queue| queue.runs && queue.trouble.is_none();
        let waited = self
            .shared
            .changed
            .wait_timeout_while(queue, patience, unfinished);
        let (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let lost = queue.dropped + queue.waiting.len() as u64 + u64::from(queue.writing.is_some());
        if lost > 0 {
            warn!(lost, "lines of the history were never written");
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until nothing is left.
    fn write_all(&self) {
        let mut queue = self.lock();
        while let Some(line) = queue.waiting.pop_front() {
            queue.writing = Some(Instant::now());
            drop(queue);
            let written = history::append(&self.directory, &line);
            queue = self.lock();
            queue.writing = None;
            match written {
                Ok(()) => queue.succeed(),
                Err(error) => {
                    queue.fail(&self.directory, &error);
                    if queue.waiting.len() == MOST_WAITING {
                        queue.dropped += 1;
                    } else {
                        queue.waiting.push_front(line);
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
}

impl Queue {
    fn succeed(&mut self) {
        self.said = None;
        if self.trouble.take().is_some() {
            let dropped = std::mem::take(&mut self.dropped);
            info!(dropped, "the history is written again");
        }
    }

    fn fail(&mut self, directory: &Path, error: &io::Error) {
        if self.said.is_none_or(|said| said.elapsed() >= SAY_AGAIN) {
            self.said = Some(Instant::now());
            warn!(
                %error, state_dir = %directory.display(), waiting = self.waiting.len() + 1,
                dropped = self.dropped,
                "the history can't be written; decisions go on without it"
            );
        }
        self.trouble = Some(error.to_string());
    }
}

impl Health {
    /// What is wrong, if anything is: a sentence for people.
    pub(super) fn problem(&self) -> Option<String> {
        let shared = self.0.as_ref()?;
        let queue = shared.lock();
        let hangs = queue
            .writing
            .is_some_and(|since| since.elapsed() >= LONGEST_WRITE);
        let why = match (&queue.trouble, hangs) {
            (_, true) => "the disk doesn't answer",
            (Some(why), false) => why,
            (None, false) => return None,
        };
        Some(format!(
            "the history can't be written to {}: {why}",
            shared.directory.display()
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn lines(directory: &Path) -> Vec<String> {
        let text = fs::read_to_string(directory.join("history.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_written_in_their_order_and_the_thread_ends() {
        let directory = tempfile::tempdir().unwrap();
        let writer = Writer::to(directory.path());
        for line in ["a", "b", "c"] {
            writer.write(line.into());
        }
        writer.finish(LONG);
        assert_eq!(lines(directory.path()), ["a", "b", "c"]);
        assert!(!writer.shared.lock().runs);
        assert_eq!(writer.health().problem(), None);
        writer.write("d".into());
        writer.finish(LONG);
        assert_eq!(lines(directory.path()), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_cannot_be_written_is_said_and_is_written_later_but_for_the_oldest() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let writer = Writer::to(&missing);
        for number in 0..MOST_WAITING + 3 {
            writer.write(number.to_string().into());
        }
        writer.finish(LONG);
        let problem = writer.health().problem().unwrap();
        assert!(problem.contains("missing"), "{problem}");
        fs::create_dir(&missing).unwrap();
        writer.write("last".into());
        let queue = writer.shared.lock();
        let runs = |queue: &mut Queue| queue.runs;
        let waited = writer.shared.changed.wait_timeout_while(queue, LONG, runs);
        assert!(!waited.unwrap().1.timed_out());
        let lines = lines(&missing);
        assert!(lines.len() <= MOST_WAITING + 1, "{lines:?}");
        assert_ne!(lines[0], "0");
        assert_eq!(lines.last().unwrap(), "last");
        assert_eq!(writer.health().problem(), None);
    }
}
