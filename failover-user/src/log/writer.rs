//! Writes the log's lines on a thread of its own, so that a disk that hangs or a reader that doesn't read
//! costs lines and never a decision. Where the kernel gives no thread, lines wait until it does.
//! (tracing-appender 0.2 panics there.)

use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Lines that wait to be written; more are dropped.
const MOST_LINES: usize = 4096;
/// Where there was no thread, it is tried again after so long, with the next line.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// At the end, what waits may take so long to be written.
const PATIENCE: Duration = Duration::from_secs(1);
/// The writer calls little.
const STACK: usize = 256 * 1024;

type Place = Box<dyn Write + Send>;
type Spawn = fn(Arc<Shared>) -> io::Result<()>;

/// Takes lines and never waits; a clone takes them to the same place.
#[derive(Clone)]
pub struct LogWriter {
    shared: Arc<Shared>,
    spawn: Spawn,
}

/// Dropped, it waits a moment until all is written.
#[must_use = "what waits at the end is lost without it"]
pub struct Guard(LogWriter);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// The thread's, while there is one.
    place: Mutex<Place>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    is_writing: bool,
    has_thread: bool,
    refused: Option<Instant>,
}

impl LogWriter {
    /// Writes to this place.
    pub fn to(place: impl Write + Send + 'static) -> (Self, Guard) {
        Self::with(Box::new(place), begin)
    }

    fn with(place: Place, spawn: Spawn) -> (Self, Guard) {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            place: Mutex::new(place),
        });
        let writer = Self { shared, spawn };
        (writer.clone(), Guard(writer))
    }

    fn put(&self, line: &[u8]) {
        let mut queue = self.shared.queue();
        if queue.lines.len() < MOST_LINES {
            queue.lines.push_back(line.to_vec());
        }
        let is_due = |refused: Instant| refused.elapsed() >= TRY_AGAIN;
        if !queue.has_thread && queue.refused.is_none_or(is_due) {
            match (self.spawn)(Arc::clone(&self.shared)) {
                Ok(()) => (queue.has_thread, queue.refused) = (true, None),
                Err(_) => queue.refused = Some(Instant::now()),
            }
        }
        drop(queue);
        self.shared.changed.notify_all();
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let shared = &self.0.shared;
        let mut queue = shared.queue();
        if !queue.has_thread {
            let lines = std::mem::take(&mut queue.lines);
            drop(queue);
            shared.write(&lines);
            return;
        }
        let is_unwritten = |queue: &mut Queue| queue.is_writing || !queue.lines.is_empty();
        drop(
            shared
                .changed
                .wait_timeout_while(queue, PATIENCE, is_unwritten),
        );
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What can't be written is lost: there is nobody to tell.
    fn write(&self, lines: &VecDeque<Vec<u8>>) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines {
            let _ = place.write_all(line);
        }
        let _ = place.flush();
    }

    /// For ever.
    fn write_all(&self) {
        let mut queue = self.queue();
        loop {
            let lines = std::mem::take(&mut queue.lines);
            queue.is_writing = !lines.is_empty();
            if !queue.is_writing {
                self.changed.notify_all();
                let changed = self
                    .changed
                    .wait_while(queue, |queue| queue.lines.is_empty());
                queue = changed.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(queue);
            self.write(&lines);
            queue = self.queue();
        }
    }
}

fn begin(shared: Arc<Shared>) -> io::Result<()> {
    let thread = thread::Builder::new()
        .name("log".to_owned())
        .stack_size(STACK);
    thread.spawn(move || shared.write_all()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_in_their_order_before_the_end() {
        let kept = Kept::default();
        let (mut writer, guard) = LogWriter::to(kept.clone());
        for line in ["a\n", "b\n", "c\n"] {
            writer.write_all(line.as_bytes()).unwrap();
        }
        drop(guard);
        assert_eq!(*kept.0.lock().unwrap(), b"a\nb\nc\n");
    }

    #[test]
    fn lines_wait_for_a_thread_and_are_written_at_the_end_where_there_never_was_one() {
        static THREADS: AtomicBool = AtomicBool::new(false);
        let spawn: Spawn = |shared| match THREADS.load(Ordering::Relaxed) {
            true => begin(shared),
            false => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        };
        let kept = Kept::default();
        let (mut writer, guard) = LogWriter::with(Box::new(kept.clone()), spawn);
        writer.write_all(b"a\n").unwrap();
        assert!(!writer.shared.queue().has_thread);
        // Not tried with each line.
        THREADS.store(true, Ordering::Relaxed);
        writer.write_all(b"b\n").unwrap();
        assert!(!writer.shared.queue().has_thread);
        assert!(kept.0.lock().unwrap().is_empty());
        writer.shared.queue().refused = Instant::now().checked_sub(TRY_AGAIN);
        writer.write_all(b"c\n").unwrap();
        assert!(writer.shared.queue().has_thread);
        drop(guard);
        assert_eq!(*kept.0.lock().unwrap(), b"a\nb\nc\n");

        let kept = Kept::default();
        let never: Spawn = |_| Err(io::Error::from_raw_os_error(libc::EAGAIN));
        let (mut writer, guard) = LogWriter::with(Box::new(kept.clone()), never);
        writer.write_all(b"a\n").unwrap();
        drop(guard);
        assert_eq!(*kept.0.lock().unwrap(), b"a\n");
    }

    #[test]
    fn what_is_too_much_is_dropped() {
        let kept = Kept::default();
        let never: Spawn = |_| Err(io::Error::from_raw_os_error(libc::EAGAIN));
        let (mut writer, guard) = LogWriter::with(Box::new(kept.clone()), never);
        for _ in 0..MOST_LINES + 10 {
            writer.write_all(b"x").unwrap();
        }
        drop(guard);
        assert_eq!(kept.0.lock().unwrap().len(), MOST_LINES);
    }
}
