//! The other host's side: the program that the key may run there, the line of `authorized_keys` that allows it, and
//! what the program answers.
//!
//! Nothing is installed on the other host. The line names the SHA-256 of one program, which is sent at the beginning
//! of each connection and runs only if it is that one; so what the key may do can be read in the line and here, and
//! a key that is stolen can do nothing else. A released program is never changed: a later one gets a number of its
//! own, and lines that name the earlier one stay valid.

mod answer;
mod hook;
mod line;

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

pub use answer::{Answer, AnswerError, LONGEST_ANSWER, SourceState, printable};
pub use hook::{HookError, drop_in};
pub(crate) use line::key_words;
pub use line::{LineError, authorized_keys_line, forced_command};

/// The first program: functions that print its parts in JavaScript and Python, then the verbs.
const PROGRAM_1: &str = concat!(
    "javascript() {\ncat <<'END_OF_JAVASCRIPT'\n",
    include_str!("program-1/copy.js"),
    "END_OF_JAVASCRIPT\n}\npython() {\ncat <<'END_OF_PYTHON'\n",
    include_str!("program-1/copy.py"),
    "END_OF_PYTHON\n}\n",
    include_str!("program-1/verbs.sh"),
);

/// A program for the other host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Program(&'static str);

impl Program {
    /// All of them, the newest last.
    const ALL: [Self; 1] = [Self(PROGRAM_1)];

    /// The one that new lines name.
    #[must_use]
    pub fn newest() -> Self {
        let [newest] = Self::ALL;
        newest
    }

    /// The one with this SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn with_hash(hash: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|program| program.hash() == hash)
    }

    /// What is sent. A shell's command substitution drops newlines at the end, so there are none.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.0.trim_end()
    }

    /// Its SHA-256, in hexadecimal digits.
    #[must_use]
    pub fn hash(self) -> String {
        let mut hash = String::new();
        for byte in digest(&SHA256, self.text().as_bytes()).as_ref() {
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }
}

#[cfg(test)]
mod tests;
