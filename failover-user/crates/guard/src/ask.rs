//! What one host wants of the other, and how far that is. Beats carry both: datagrams may be lost, so an ask is repeated
//! until it is answered, and an answer as long as it is asked.
//!
//! An ask is named, so that the same one is carried out once; that nobody else sends it, or sends it again, is the
//! business of the beat's authentication code and freshness.

use serde::{Deserialize, Serialize};

/// A longer reason is cut: a beat has to fit into a datagram.
const LONGEST_REASON: usize = 200;

/// A wish of the sender's.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ask {
    /// Which one it is.
    pub id: AskId,
    /// What is wanted.
    pub what: What,
}

/// Names an ask: random.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(transparent)]
pub struct AskId(pub u64);

/// What is wanted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// Release the receiver's gateway, because the sender's is about to start.
    LetGo,
    /// A word of a later release.
    #[serde(other)]
    Unknown,
}

/// How far an ask is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// Which ask.
    pub id: AskId,
    /// How far it is.
    pub how: How,
    /// Why it isn't done, for people.
    #[serde(default)]
    pub why: Option<Reason>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// The gateway finishes its work, and still has its port.
    Draining,
    /// It no longer serves, and isn't at its end.
    Stopping,
    /// What it served with is copied to who asks.
    Copying,
    /// Done.
    Done,
    /// There is nothing to do.
    NothingToDo,
    /// It is not done.
    Refused,
    /// A word of a later release: treated as work in progress.
    #[serde(other)]
    Unknown,
}

impl How {
    /// Is this the last report?
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Done | Self::NothingToDo | Self::Refused => true,
            Self::Draining | Self::Stopping | Self::Copying | Self::Unknown => false,
        }
    }
}

/// A sentence of the other host's: bounded, and nothing that a terminal would obey.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(from = "String")]
pub struct Reason(String);

impl Reason {
    /// The sentence as it can be shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        // Of ASCII characters each takes a byte, or two where JSON escapes it.
        let shown = text
            .chars()
            .filter(|one| one.is_ascii_graphic() || *one == ' ');
        Self(shown.take(LONGEST_REASON).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_bounded_and_harmless() {
        let reason = Reason::from(format!("no:\u{1b}[2J\n \u{202e}{}", "x".repeat(500)));
        assert!(reason.as_str().starts_with("no:[2J xx"), "{reason:?}");
        assert_eq!(reason.as_str().len(), LONGEST_REASON);
    }

    #[test]
    fn words_of_a_later_release_are_work_that_goes_on() {
        let answer: Answer =
            serde_json::from_str(r#"{"id":1,"how":"polishing","by":"whom"}"#).expect("an answer");
        assert_eq!((answer.how, answer.why), (How::Unknown, None));
        assert!(!answer.how.is_final());
    }
}
