#!/usr/bin/env bash
# duration-str 0.21.0 (crates.io) reads durations as neither systemd.time(7) nor humantime does: `1M` is a minute
# (there: a month, so the same configuration is wrong by a factor of 43,830), a year has 365 days (there: 365.25),
# `1.5h` is refused. Like systemd's, and unlike humantime, it takes a last number without a unit as seconds, so
# `1h 30` is one hour and thirty seconds.
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
duration-str = { version = "=0.21.0", default-features = false }
humantime = "=2.4.0"
END
cat >src/main.rs <<'END'
fn main() {
    for text in ["1M", "1m", "1y", "1.5h", "1h 30"] {
        let one = duration_str::parse_std(text).map(|duration| duration.as_secs()).ok();
        let other = humantime::parse_duration(text).map(|duration| duration.as_secs()).ok();
        println!("{text}: duration-str {one:?}, humantime {other:?}");
    }
}
END
cargo run --quiet >seen
cat seen
expected='1M: duration-str Some(60), humantime Some(2630016)
1m: duration-str Some(60), humantime Some(60)
1y: duration-str Some(31536000), humantime Some(31557600)
1.5h: duration-str None, humantime Some(5400)
1h 30: duration-str Some(3630), humantime None'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other durations"; exit 1; }
echo "duration-str 0.21.0: 1M is a minute"
