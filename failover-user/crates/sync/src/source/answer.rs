//! What the program on the other host answers: one line of JSON, from a host that may be hostile. Bounded, and
//! checked for what the rest relies on.

use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use thiserror::Error;

use crate::lineage::Epoch;

/// The limit of an answer, in bytes: the paths of ten thousand databases.
pub const LONGEST_ANSWER: usize = 4 << 20;
const MOST_DATABASES: usize = 10_000;
const LONGEST_WORD: usize = 128;
/// The limit of what is shown of an error of the other host, in characters.
const LONGEST_ERROR: usize = 500;

/// An answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// Nothing but leases has changed since the given token.
    Same(SourceState),
    /// Copies of the databases are there, to be fetched.
    Copied(SourceState),
    /// It failed there.
    Failed {
        /// Its words, made safe to print.
        error: String,
    },
    /// The mark of its state.
    Mark {
        /// `None`: nothing was ever copied.
        epoch: Option<Epoch>,
        /// Its gateway waits for a hand-back.
        waiting: bool,
    },
    /// What was received is in place.
    Installed {
        /// Where the tree that was there is kept.
        kept: PathBuf,
    },
    /// All traces of the way are removed.
    Removed,
}

/// What the other host reports of its state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct SourceState {
    /// Equal ones mean equal states. Opaque.
    pub token: String,
    /// Its line of changes.
    pub epoch: Epoch,
    /// The gateway's version, where it is known.
    pub gateway_version: Option<String>,
    /// The account's home: OpenClaw's rows have absolute paths, so it has to be the same on both.
    pub home: PathBuf,
    /// Its clock, in milliseconds since 1970.
    pub now: i64,
    /// The last change of a file, by its clock, in milliseconds since 1970.
    pub changed: i64,
    /// The databases: absolute paths below those that were configured.
    pub databases: Vec<PathBuf>,
    /// The number of files, databases included.
    pub files: u64,
    /// Their size, in bytes.
    pub bytes: u64,
}

impl SourceState {
    /// When its state changed last, by the clock of this host.
    #[must_use]
    pub fn changed_before(&self, here: Timestamp) -> Timestamp {
        let ago = self.now.saturating_sub(self.changed).max(0);
        here.checked_sub(jiff::SignedDuration::from_millis(ago))
            .unwrap_or(Timestamp::MIN)
    }
}

/// Why an answer is not used.
#[derive(Debug, Error)]
pub enum AnswerError {
    /// Not JSON, or not one of the answers.
    #[error("the other host's answer is unreadable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// There is none, or more than fits.
    #[error("the other host's answer has {0} bytes")]
    Length(usize),
    /// A part that no honest program sends.
    #[error("the other host's answer is refused: {0}")]
    Refused(&'static str),
}

impl Answer {
    /// Reads and checks one, for these configured paths.
    ///
    /// # Errors
    /// When it isn't one line of JSON with values within their bounds.
    pub fn parse(line: &[u8], paths: &[PathBuf]) -> Result<Self, AnswerError> {
        if line.is_empty() || line.len() > LONGEST_ANSWER {
            return Err(AnswerError::Length(line.len()));
        }
        let mut answer: Self = serde_json::from_slice(line)?;
        match &mut answer {
            Self::Same(state) | Self::Copied(state) => state.check(paths)?,
            Self::Failed { error } => *error = printable(error, LONGEST_ERROR),
            Self::Mark { epoch, .. } => epoch.iter().try_for_each(check_epoch)?,
            Self::Installed { kept } => check(is_plain_path(kept), "the path of the kept tree")?,
            Self::Removed => {}
        }
        Ok(answer)
    }
}

impl SourceState {
    fn check(&self, paths: &[PathBuf]) -> Result<(), AnswerError> {
        check(is_word(&self.token), "the token")?;
        check_epoch(&self.epoch)?;
        check(
            self.gateway_version.as_deref().is_none_or(is_word),
            "the gateway's version",
        )?;
        check(is_plain_path(&self.home), "the home")?;
        check(self.databases.len() <= MOST_DATABASES, "too many databases")?;
        let is_ours = |database: &PathBuf| {
            is_plain_path(database) && paths.iter().any(|path| database.starts_with(path))
        };
        check(
            self.databases.iter().all(is_ours),
            "a database outside the configured paths",
        )
    }
}

fn check(is_fine: bool, what: &'static str) -> Result<(), AnswerError> {
    match is_fine {
        true => Ok(()),
        false => Err(AnswerError::Refused(what)),
    }
}

fn check_epoch(epoch: &Epoch) -> Result<(), AnswerError> {
    let mut ids = std::iter::once(&epoch.id).chain(&epoch.ancestors);
    check(epoch.ancestors.len() <= Epoch::LONGEST, "the epoch")?;
    check(ids.all(|id| is_word(id)), "the epoch")
}

/// Of letters, digits and little more: a hash, a version.
fn is_word(text: &str) -> bool {
    (1..=LONGEST_WORD).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
}

/// Absolute, climbs nowhere, and can be printed.
fn is_plain_path(path: &Path) -> bool {
    let is_normal = path.is_absolute()
        && path
            .components()
            .skip(1)
            .all(|component| matches!(component, Component::Normal(_)));
    is_normal
        && path
            .to_str()
            .is_some_and(|text| text.len() <= 4096 && !text.chars().any(char::is_control))
}

/// Words of the other host, safe to print: without control characters, and cut.
#[must_use]
pub fn printable(text: &str, longest: usize) -> String {
    let shown = text.trim().chars().take(longest);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
