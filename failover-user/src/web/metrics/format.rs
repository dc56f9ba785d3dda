//! The two text formats, and who gets which.

use std::collections::HashMap;

/// Which text to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// OpenMetrics 1.0, for those who ask for it.
    OpenMetrics,
    /// The Prometheus text format 0.0.4, which everybody reads.
    Text,
}

impl Format {
    /// What a reader gets that says in `Accept` what it takes.
    #[must_use]
    pub fn accepted(accept: &str) -> Self {
        match accept.contains("application/openmetrics-text") {
            true => Self::OpenMetrics,
            false => Self::Text,
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// The older format names what OpenMetrics has as suffixes of the samples, and knows no units and no end.
pub(super) fn older(text: &str) -> String {
    const TYPE: &str = "# TYPE ";
    let lines = || text.lines();
    let types = lines().filter_map(|line| line.strip_prefix(TYPE)?.split_once(' '));
    let suffixes: HashMap<&str, &str> = types
        .filter_map(|(name, kind)| match kind {
            "counter" => Some((name, "_total")),
            "info" => Some((name, "_info")),
            _ => None,
        })
        .collect();
    let mut older = String::with_capacity(text.len());
    for line in lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(word @ ("HELP" | "TYPE")), Some(name), Some(rest)) => {
                let suffix = suffixes.get(name).copied().unwrap_or_default();
                let rest = match (word, rest) {
                    ("TYPE", "info") => "gauge",
                    (_, rest) => rest,
                };
                older.push_str(&format!("# {word} {name}{suffix} {rest}\n"));
            }
            (Some("#"), ..) => {}
            _ => {
                older.push_str(line);
                older.push('\n');
            }
        }
    }
    older
}
