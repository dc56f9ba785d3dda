//! The copies of PC-A's sessions and configuration, as they are served and as people read them. Its keys, and the values
//! of its enumerations, never change.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    named::Value,
    sync::{lineage::Side, order::Task},
    wording,
};

/// What is copied from PC-A. Times are RFC 3339, in UTC.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sync {
    /// From where.
    pub from: String,
    /// Seconds between rounds.
    pub every_seconds: u64,
    /// The age from which on the newest copy is a problem, in seconds.
    pub max_age_seconds: u64,
    /// The newest copy.
    pub newest: Option<Generation>,
    /// When the newest was last known to be what PC-A has.
    pub fresh: Option<String>,
    /// How long ago that was, in seconds.
    pub age_seconds: Option<u64>,
    /// The number of the copy that PC-B's state was made of.
    pub in_place: Option<u64>,
    /// What is being done.
    pub runs: Option<Value<Task>>,
    /// Set while rounds fail.
    pub failing: Option<Failing>,
    /// Copies that don't fit the gateway that is installed here.
    pub refused: Vec<Refused>,
    /// How the versions of PC-A's and PC-B's gateways differ, for people, as long as they do.
    #[serde(default)]
    pub versions: Option<String>,
    /// What a takeover begins with while newer copies don't fit, for people.
    #[serde(default)]
    pub still_works: Option<String>,
    /// What the local gateway has served with, where PC-A lacks what changed since.
    pub served: Option<Served>,
    /// PC-A and PC-B both have changes that the other lacks, and nobody has chosen.
    pub both_changed: bool,
    /// What only one side has, where both have changed.
    pub differences: Option<Differences>,
    /// The side that an operator has chosen, until that is carried out.
    pub chosen: Option<Value<Side>>,
    /// Trees that were kept aside.
    pub kept: Vec<String>,
    /// The last task that was no routine.
    pub last: Option<Ended>,
}

/// One copy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// When it was complete.
    pub taken: String,
    /// Bytes of its files.
    pub bytes: u64,
    /// The number of its files.
    pub files: u64,
    /// The gateway's version on PC-A, where it says.
    pub gateway_version: Option<String>,
}

/// Why there is no newer copy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Failing {
    /// Since when.
    pub since: String,
    /// How many rounds in a row.
    pub count: u32,
    /// Why the last one failed.
    pub why: String,
}

/// A copy that doesn't fit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refused {
    /// Its number.
    pub number: u64,
    /// Why.
    pub why: String,
}

/// A time in which the local gateway served.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Served {
    /// Since when.
    pub since: String,
    /// The number of the copy that it began with; `None`: PC-B's own state.
    pub with: Option<u64>,
}

/// What only one side has, for people.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Differences {
    /// Only PC-A.
    pub pc_a: Vec<String>,
    /// Only PC-B.
    pub pc_b: Vec<String>,
}

/// A task that has ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ended {
    /// Which.
    pub task: Value<Task>,
    /// When.
    pub at: String,
    /// Did it do what it was to do?
    pub succeeded: bool,
    /// What came of it, for people.
    pub result: String,
}

impl Sync {
    /// Is the newest copy fresh enough, and is nothing to be chosen?
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_fresh = self
            .age_seconds
            .is_some_and(|age| age <= self.max_age_seconds);
        is_fresh && !self.both_changed
    }

    /// A line: the newest copy and its age.
    #[must_use]
    pub fn brief(&self) -> String {
        let mut text = match (&self.newest, self.age_seconds) {
            (Some(newest), Some(age)) => format!(
                "copy {} of {}, {} old, {}",
                newest.number,
                self.from,
                wording::age(age),
                wording::sync::size(newest.bytes)
            ),
            (Some(newest), None) => format!("copy {} of {}", newest.number, self.from),
            (None, _) => format!("no copy of {} yet", self.from),
        };
        if let Some(task) = &self.runs {
            let _ = write!(text, "; {} runs", wording::sync::runs(task));
        }
        text
    }

    /// All of it, a line each.
    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![("newest", self.brief())];
        if let Some(newest) = &self.newest {
            let version = newest.gateway_version.as_ref();
            let version = version.map(|version| format!(", gateway {version}"));
            rows.push((
                "taken",
                format!(
                    "{}, {} files{}",
                    moment(&newest.taken),
                    newest.files,
                    version.unwrap_or_default()
                ),
            ));
        }
        rows.push((
            "in place",
            match self.in_place {
                Some(number) => format!("copy {number}"),
                None => "PC-B's own state".to_owned(),
            },
        ));
        if let Some(Failing { since, count, why }) = &self.failing {
            let since = moment(since);
            rows.push(("failing", format!("{count} rounds since {since}: {why}")));
        }
        let refused = self.refused.iter();
        rows.extend(
            refused.map(|one| ("does not fit", format!("copy {}: {}", one.number, one.why))),
        );
        let versions = [
            ("versions", &self.versions),
            ("still works", &self.still_works),
        ];
        rows.extend(
            versions
                .into_iter()
                .filter_map(|(name, text)| Some((name, text.clone()?))),
        );
        if let Some(Served { since, with }) = &self.served {
            let with = match with {
                Some(number) => format!("copy {number}"),
                None => "PC-B's own state".to_owned(),
            };
            rows.push((
                "served",
                format!(
                    "since {}, with {with}; PC-A lacks what changed",
                    moment(since)
                ),
            ));
        }
        if self.both_changed {
            rows.push(("both changed", wording::sync::CHOOSE.to_owned()));
        }
        if let Some(Differences { pc_a, pc_b }) = &self.differences {
            rows.push(("", wording::sync::only(Side::PcA, pc_a)));
            rows.push(("", wording::sync::only(Side::PcB, pc_b)));
        }
        if let Some(side) = &self.chosen {
            rows.push(("chosen", side.to_string()));
        }
        rows.extend(self.kept.iter().map(|path| ("kept aside", path.clone())));
        if let Some(last) = &self.last {
            rows.push(("last", format!("{}, {}", last.result, moment(&last.at))));
        }
        rows.push((
            "rounds",
            format!(
                "every {}; older than {} is a problem",
                wording::age(self.every_seconds),
                wording::age(self.max_age_seconds)
            ),
        ));
        rows
    }
}

/// A screen.
impl fmt::Display for Sync {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.rows() {
            writeln!(formatter, "{name:<14} {value}")?;
        }
        Ok(())
    }
}

/// Without fractions of seconds.
fn moment(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(time) => format!("{time:.0}"),
        Err(_) => time.to_owned(),
    }
}

/// Of a host that is copied from, with everything there can be.
#[cfg(test)]
pub(crate) fn sample() -> Sync {
    let time = || "2026-01-01T00:00:00Z".to_owned();
    Sync {
        from: "alice@pc-a".to_owned(),
        every_seconds: 30,
        max_age_seconds: 600,
        newest: Some(Generation {
            number: 7,
            taken: time(),
            bytes: 21_000_000,
            files: 12,
            gateway_version: Some("2026.9.6".to_owned()),
        }),
        fresh: Some(time()),
        age_seconds: Some(12),
        in_place: Some(6),
        runs: None,
        failing: Some(Failing {
            since: time(),
            count: 3,
            why: "PC-A is not reached: no route".to_owned(),
        }),
        refused: vec![Refused {
            number: 7,
            why: "its schema is newer".to_owned(),
        }],
        versions: Some("PC-A's gateway is 2026.9.6, PC-B's 2026.10.1".to_owned()),
        still_works: Some("a takeover begins with copy 6".to_owned()),
        served: Some(Served {
            since: time(),
            with: Some(6),
        }),
        both_changed: true,
        differences: Some(Differences {
            pc_a: vec!["2 messages".to_owned()],
            pc_b: Vec::new(),
        }),
        chosen: None,
        kept: vec!["/home/alice/.local/state/failover/sync/kept/1".to_owned()],
        last: Some(Ended {
            task: Task::Verify.into(),
            at: time(),
            succeeded: true,
            result: "copy 7: whole".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_a_line_for_everything_that_there_is() {
        let text = sample().to_string();
        for part in [
            "newest         copy 7 of alice@pc-a, 12 s old, 21 MB",
            "taken          2026-01-01T00:00:00Z, 12 files, gateway 2026.9.6",
            "in place       copy 6",
            "failing        3 rounds since 2026-01-01T00:00:00Z: PC-A is not reached: no route",
            "does not fit   copy 7: its schema is newer",
            "versions       PC-A's gateway is 2026.9.6, PC-B's 2026.10.1",
            "still works    a takeover begins with copy 6",
            "served         since 2026-01-01T00:00:00Z, with copy 6; PC-A lacks what changed",
            "both changed   ",
            "               only on PC-A: 2 messages",
            "               only on PC-B: nothing",
            "kept aside     /home/alice",
            "last           copy 7: whole, 2026-01-01T00:00:00Z",
            "rounds         every 30 s; older than 10 min is a problem",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }

    #[test]
    fn another_versions_document_is_read_as_far_as_it_is_known() {
        let mut document = serde_json::to_value(sample()).unwrap();
        document["runs"] = "something-new".into();
        document["more"] = 1.into();
        let read: Sync = serde_json::from_value(document).unwrap();
        assert!(
            read.brief().contains("something-new runs"),
            "{}",
            read.brief()
        );
    }
}
