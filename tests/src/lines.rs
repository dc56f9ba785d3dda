//! The output of a program, line by line as it is written.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use serde_json::Value;

use crate::moment::Moment;

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// The text as written.
    pub text: String,
    /// Its content if it is JSON; else `null`.
    pub json: Value,
    /// Its own time if it has one, else when it was read.
    pub at: Moment,
}

impl Line {
    fn new(text: String) -> Self {
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        let reported = ["timestamp", "time"]
            .into_iter()
            .find_map(|key| Moment::of_day(json.get(key)?.as_str()?));
        Self {
            at: reported.unwrap_or_else(Moment::now),
            text,
            json,
        }
    }

    /// A field's text; empty where there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> &str {
        self.json
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A field's number, if it is one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.json.get(name).and_then(Value::as_u64)
    }

    /// The message of a log line.
    #[must_use]
    pub fn message(&self) -> &str {
        self.field("message")
    }
}

/// All lines of a stream, read by a thread of its own so that the writer never waits.
#[derive(Clone, Debug, Default)]
pub struct Lines(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    ended: bool,
}

impl Lines {
    /// Begins to read.
    pub fn of(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let shared = lines.clone();
        thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut bytes = Vec::new();
            while matches!(source.read_until(b'\n', &mut bytes), Ok(length) if length > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                shared.state().lines.push(Line::new(text));
                bytes.clear();
            }
            shared.state().ended = true;
        });
        lines
    }

    /// Those from number `first` on.
    #[must_use]
    pub fn from(&self, first: usize) -> Vec<Line> {
        self.state().lines.get(first..).unwrap_or_default().to_vec()
    }

    /// All of them, as one text.
    #[must_use]
    pub fn text(&self) -> String {
        let texts: Vec<String> = self.from(0).into_iter().map(|line| line.text).collect();
        texts.join("\n")
    }

    /// Has the stream ended?
    #[must_use]
    pub fn ended(&self) -> bool {
        self.state().ended
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
