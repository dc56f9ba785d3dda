//! Whose state descends from whose: pure, so that no newer state is ever taken for an older one.
//!
//! A gateway that serves changes its state. Each time another host begins to serve, a new [`Epoch`] begins, which
//! descends from the one whose state it started with. A side that lacks an epoch of the other's lacks its changes.

use serde::{Deserialize, Serialize};

/// A line of changes made by one gateway: from the moment it began to serve until another one did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Epoch {
    /// Random, 16 bytes in hexadecimal digits.
    pub id: String,
    /// What it descends from, the nearest first; at most [`Self::LONGEST`].
    #[serde(default)]
    pub ancestors: Vec<String>,
}

impl Epoch {
    /// The number of ancestors that are remembered: many more takeovers than anybody leaves undecided.
    pub const LONGEST: usize = 16;

    /// Does its state contain the changes of this epoch?
    #[must_use]
    pub fn contains(&self, id: &str) -> bool {
        self.id == id || self.ancestors.iter().any(|ancestor| ancestor == id)
    }

    /// A new epoch that starts from this one's state.
    #[must_use]
    pub fn child(&self, id: String) -> Self {
        let ancestors = std::iter::once(self.id.clone());
        let ancestors = ancestors.chain(self.ancestors.iter().cloned());
        Self {
            id,
            ancestors: ancestors.take(Self::LONGEST).collect(),
        }
    }
}

/// How the state of two hosts compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Relation {
    /// The primary's contains everything that was changed here.
    PrimaryIsNewer,
    /// The local gateway served from the primary's state, and the primary hasn't changed since.
    LocalIsNewer,
    /// Each has changes that the other lacks.
    BothChanged,
}

/// Compares what the primary has with what the local gateway has done: `served` is the epoch in which it served last,
/// if it ever did, and `primary_changed` whether the primary's state has changed since that epoch began.
#[must_use]
pub fn compare(primary: &Epoch, served: Option<&Epoch>, primary_changed: bool) -> Relation {
    match served {
        None => Relation::PrimaryIsNewer,
        Some(served) if primary.contains(&served.id) => Relation::PrimaryIsNewer,
        Some(_) if primary_changed => Relation::BothChanged,
        Some(_) => Relation::LocalIsNewer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(id: &str) -> Epoch {
        Epoch {
            id: id.to_owned(),
            ancestors: Vec::new(),
        }
    }

    #[test]
    fn a_primary_that_has_received_what_was_served_here_is_newer() {
        let served = epoch("a").child("b".to_owned());
        let back = served.child("c".to_owned());
        assert_eq!(
            compare(&back, Some(&served), true),
            Relation::PrimaryIsNewer
        );
        assert_eq!(compare(&epoch("a"), None, true), Relation::PrimaryIsNewer);
    }

    #[test]
    fn a_primary_that_started_by_itself_after_a_takeover_makes_two_changed_sides() {
        let (primary, served) = (epoch("a"), epoch("a").child("b".to_owned()));
        assert_eq!(
            compare(&primary, Some(&served), true),
            Relation::BothChanged
        );
        assert_eq!(
            compare(&primary, Some(&served), false),
            Relation::LocalIsNewer
        );
    }

    #[test]
    fn ancestors_are_bounded() {
        let mut last = epoch("0");
        for id in 1..100 {
            last = last.child(id.to_string());
        }
        assert_eq!(last.ancestors.len(), Epoch::LONGEST);
        assert!(last.contains("98") && !last.contains("0"));
    }
}
