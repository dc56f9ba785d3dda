#!/usr/bin/env bash
# dateparser 0.3.1 (crates.io), "parse dates commonly used in logs": a date without a time is that day at the present
# time of day (its README says so), so "incidents since 2026-11-28" has other results in the evening than in the
# morning. EST is five hours behind UTC, but CET, and any other name that it doesn't know, is UTC, without an error.
# iso8601 0.6.6 (crates.io) has a 31st of November, and a time of 12:00:00[Europe/Berlin], or of no zone, is +00:00
# like one that says so. jiff 0.2.46 refuses all of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
dateparser = "=0.3.1"
iso8601 = "=0.6.6"
jiff = { version = "=0.2.46", default-features = false, features = ["std"] }
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let day = || dateparser::parse("2026-11-28").unwrap();
    let (one, two) = (day(), { std::thread::sleep(std::time::Duration::from_millis(50)); day() });
    println!("a day, asked twice: {}", if one == two { "the same" } else { "another time" });
    for text in ["2026-11-29 12:00:00 EST", "2026-11-29 12:00:00 CET", "2026-11-29 12:00:00 XYZ"] {
        let jiff = text.parse::<jiff::Timestamp>().ok();
        println!("{text}: dateparser {:?}, jiff {jiff:?}", dateparser::parse(text).map(|time| time.to_rfc3339()).ok());
    }
    for text in ["2026-11-31T12:00:00Z", "2026-11-29T12:00:00[Europe/Berlin]", "2026-11-29T12:00:00"] {
        let jiff = text.parse::<jiff::Timestamp>().ok();
        println!("{text}: iso8601 {:?}, jiff {jiff:?}", iso8601::datetime(text).map(|time| time.to_string()).ok());
    }
}
EOF
cargo run --quiet >seen
cat seen
expected='a day, asked twice: another time
2026-11-29 12:00:00 EST: dateparser Some("2026-11-29T17:00:00+00:00"), jiff None
2026-11-29 12:00:00 CET: dateparser Some("2026-11-29T12:00:00+00:00"), jiff None
2026-11-29 12:00:00 XYZ: dateparser Some("2026-11-29T12:00:00+00:00"), jiff None
2026-11-31T12:00:00Z: iso8601 Some("2026-11-31T12:00:00.000+00:00"), jiff None
2026-11-29T12:00:00[Europe/Berlin]: iso8601 Some("2026-11-29T12:00:00.000+00:00"), jiff None
2026-11-29T12:00:00: iso8601 Some("2026-11-29T12:00:00.000+00:00"), jiff None'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other times"; exit 1; }
echo "dateparser 0.3.1: a day is a time of day, and CET is UTC"
