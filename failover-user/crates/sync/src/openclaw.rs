//! What OpenClaw's state consists of: which part of it is carried to another host, and which belongs to the machine.
//!
//! Seen with OpenClaw 2026.9.6: two databases hold nearly everything, and what is left out is made again.

use std::path::Path;

use crate::spec::StateSpec;

/// Below the home directory.
const FOLDER: &str = ".openclaw";

/// Transcripts and sessions; cron jobs, pairing and identity; notes on integrity.
const DATABASES: [&str; 3] = [
    "/agents/*/agent/openclaw-agent.sqlite",
    "/state/openclaw.sqlite",
    "/state/openclaw-quarantine.sqlite",
];

/// Of this machine (locks with process numbers, programs), or made again; and what lies beside a live database.
const OF_THE_MACHINE: [&str; 13] = [
    "/cache/",
    "/tmp/",
    "/plugin-skills/",
    "/logs/",
    "/npm/",
    "/tools/",
    "/git/",
    "/dev/",
    "*.sqlite",
    "*.sqlite-*",
    ".*-litestream/",
    "/openclaw.json.last-good",
    "/config-journal-fingerprint.key",
];

/// OpenClaw's state below this home directory.
#[must_use]
pub fn state(home: &Path) -> StateSpec {
    let owned = |patterns: &[&str]| patterns.iter().map(|one| (*one).to_owned()).collect();
    StateSpec {
        paths: vec![home.join(FOLDER)],
        exclude: owned(&OF_THE_MACHINE),
        databases: owned(&DATABASES),
        is_openclaw: true,
    }
}
