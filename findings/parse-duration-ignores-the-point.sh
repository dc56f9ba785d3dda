#!/usr/bin/env bash
# parse_duration 2.1.1 (crates.io), "based on systemd.time": whatever is no letter or digit only parts words, so a
# point before the first digit or a minus sign before a space is dropped without a word. `.5s` is five seconds
# (systemd: half a second), `5m - 10s` is longer than five minutes although `5m -10s` is shorter, and `PT5M`, five
# minutes in ISO 8601, is five months: the unknown PT is skipped, and M is systemd's month.
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
parse_duration = "=2.1.1"
jiff = { version = "=0.2.46", default-features = false, features = ["std"] }
END
cat >src/main.rs <<'END'
fn main() {
    for text in ["0.5s", ".5s", "5m -10s", "5m - 10s", "PT5M", "30s ago"] {
        let one = parse_duration::parse(text).map(|duration| duration.as_secs_f64()).ok();
        let other = text.parse::<jiff::SignedDuration>().map(|duration| duration.as_secs_f64()).ok();
        println!("{text}: parse_duration {one:?}, jiff {other:?}");
    }
}
END
cargo run --quiet >seen
cat seen
expected='0.5s: parse_duration Some(0.5), jiff Some(0.5)
.5s: parse_duration Some(5.0), jiff None
5m -10s: parse_duration Some(290.0), jiff None
5m - 10s: parse_duration Some(310.0), jiff None
PT5M: parse_duration Some(13148730.0), jiff Some(300.0)
30s ago: parse_duration Some(30.0), jiff Some(-30.0)'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other durations"; exit 1; }
echo "parse_duration 2.1.1: .5s is five seconds, PT5M five months"
