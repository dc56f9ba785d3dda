#!/usr/bin/env bash
# saffron 0.1.0 (crates.io), which takes cron ranges that run over the end, as Quartz does: each begins one step
# early, in every field. A maintenance window of `22-4` opens at 21:00, `Sat-Sun` has Friday in it, `28-3` the 27th and
# `11-2` October. The crate's own description of the same expression has the right beginning. A range that
# does not wrap is right, and so is one with a step: a test of `9-12` or `22-4/2` does not show it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
saffron = "=0.1.0"
chrono = "=0.4.42"
END
cat >src/main.rs <<'END'
use saffron::{parse::{CronExpr, English}, Cron};
fn main() {
    let from = chrono::DateTime::parse_from_rfc3339("2026-11-29T12:00:00Z").unwrap().to_utc(); // a Sunday
    for (line, format) in [("0 22-4 * * *", "%H"), ("0 22-4/2 * * *", "%H"), ("0 9-12 * * *", "%H"),
                           ("0 2 * * Sat-Sun", "%a"), ("0 2 28-3 * *", "%d"), ("0 2 1 11-2 *", "%b")] {
        let cron: Cron = line.parse().unwrap();
        let mut times: Vec<String> = Vec::new();
        for time in cron.iter_after(from).skip(12).take(12) {
            let time = time.format(format).to_string();
            if !times.contains(&time) { times.push(time); }
        }
        times.sort();
        let described = line.parse::<CronExpr>().unwrap().describe(English::default()).to_string();
        println!("{line}: {} ({described})", times.join(" "));
    }
}
END
cargo run --quiet >seen
cat seen
expected='0 22-4 * * *: 00 01 02 03 04 21 22 23
0 22-4/2 * * *: 00 02 04 22
0 9-12 * * *: 09 10 11 12
0 2 * * Sat-Sun: Fri Sat Sun
0 2 28-3 * *: 01 02 03 27 28 29 30 31
0 2 1 11-2 *: Dec Feb Jan Nov Oct'
[ "$(sed 's/ (.*//' seen)" = "$expected" ] || { echo "changed: other times"; exit 1; }
grep -q '^0 2 \* \* Sat-Sun: .*on Saturday through Sunday' seen || { echo "changed: another description"; exit 1; }
echo "saffron 0.1.0: a range that runs over the end begins one step early"
