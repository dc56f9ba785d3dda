//! Tables and rows in words that an operator knows.

use std::{collections::BTreeMap, path::Path};

use crate::{database::Rows, spec::Spec};

/// Lines of one side; what follows is counted.
const MOST_LINES: usize = 20;
/// Of a name from a database or a tree, in characters.
const LONGEST_NAME: usize = 60;

/// A table of OpenClaw (2026.9.6) that people know.
struct Known {
    table: &'static str,
    one: &'static str,
    many: &'static str,
    /// What makes a row another one. Times of last use and the like change by themselves.
    columns: &'static [&'static str],
}

const KNOWN: [Known; 4] = [
    Known {
        table: "session_nodes",
        one: "conversation",
        many: "conversations",
        columns: &["session_key"],
    },
    Known {
        table: "transcript_events",
        one: "message",
        many: "messages",
        // Messages are compressed and compacted later, on each side by itself.
        columns: &["session_id", "seq", "created_at"],
    },
    Known {
        table: "cron_jobs",
        one: "cron job",
        many: "cron jobs",
        columns: &["store_key", "job_id", "job_json"],
    },
    Known {
        table: "device_pairing_paired",
        one: "paired device",
        many: "paired devices",
        columns: &["device_id"],
    },
];

/// Which columns of OpenClaw's tables count.
pub(super) fn known_columns(table: &str) -> Option<&'static [&'static str]> {
    let known = KNOWN.iter().find(|known| known.table == table);
    known.map(|known| known.columns)
}

/// All columns count.
pub(super) fn all_columns(_: &str) -> Option<&'static [&'static str]> {
    None
}

/// What one side has, in words.
pub(super) struct Words {
    pub(super) lines: Vec<String>,
    /// What somebody would miss.
    pub(super) turns: u64,
}

impl Words {
    pub(super) fn new(spec: &Spec, tables: &BTreeMap<String, Rows>, of: fn(&Rows) -> u64) -> Self {
        let mut words = Self {
            lines: Vec::new(),
            turns: 0,
        };
        let known: &[Known] = match spec.state.is_openclaw {
            true => &KNOWN,
            false => &[],
        };
        for Known {
            table, one, many, ..
        } in known
        {
            let count = tables.get(*table).map_or(0, of);
            if count > 0 {
                words.lines.push(counted(count, one, many));
                words.turns = words.turns.saturating_add(count);
            }
        }
        for (table, rows) in tables {
            let count = of(rows);
            if count > 0 && !known.iter().any(|known| known.table == table) {
                let rows = counted(count, "row", "rows");
                words
                    .lines
                    .push(format!("{rows} of {}", named("table", Path::new(table))));
                // Of OpenClaw's others nobody knows which change by themselves.
                if !spec.state.is_openclaw {
                    words.turns = words.turns.saturating_add(count);
                }
            }
        }
        words
    }
}

fn counted(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// A name from the other host, made short and printable.
pub(super) fn named(kind: &str, name: &Path) -> String {
    let name = name.to_string_lossy();
    let short = name.chars().take(LONGEST_NAME);
    let short: String = short
        .map(|one| match one.is_control() {
            true => '?',
            false => one,
        })
        .collect();
    let rest = match name.chars().count() > LONGEST_NAME {
        true => "...",
        false => "",
    };
    format!("{kind} {short}{rest}")
}

/// As many lines as somebody reads.
pub(super) fn bounded(lines: &[Vec<String>]) -> Vec<String> {
    let mut lines = lines.concat();
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("{more} more"));
    }
    lines
}
