#!/usr/bin/env bash
# humantime 2.4.0 and duration-string 0.5.3 (crates.io) join digits over spaces, also over line ends: `2 30s` is 230
# seconds. systemd.time(7), which humantime's units follow, and fundu-systemd 0.3.1 add a number without a unit as
# seconds: 32. So where a unit was forgotten (`1h 2 30s`), one program waits more than three minutes longer than the
# other, and neither complains. fundu-systemd also takes two decimal points (`1.5.5s` is two seconds), which systemd
# refuses.
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
humantime = "=2.4.0"
duration-string = { version = "=0.5.3", default-features = false }
fundu-systemd = "=0.3.1"
END
cat >src/main.rs <<'END'
use std::time::Duration;
fn main() {
    for text in ["2 30s", "1h 2 30s", "1\n0s", "1.5.5s"] {
        let human = humantime::parse_duration(text).map(|duration| duration.as_secs()).ok();
        let string = text.parse::<duration_string::DurationString>().map(|duration| Duration::from(duration).as_secs()).ok();
        let fundu = fundu_systemd::parse(text, None, None).ok().map(|duration| Duration::try_from(duration).unwrap().as_secs());
        println!("{text:?}: humantime {human:?}, duration-string {string:?}, fundu-systemd {fundu:?}");
    }
}
END
cargo run --quiet >seen
cat seen
expected='"2 30s": humantime Some(230), duration-string Some(230), fundu-systemd Some(32)
"1h 2 30s": humantime Some(3830), duration-string Some(3830), fundu-systemd Some(3632)
"1\n0s": humantime Some(10), duration-string Some(10), fundu-systemd Some(1)
"1.5.5s": humantime None, duration-string None, fundu-systemd Some(2)'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other durations"; exit 1; }
echo "humantime 2.4.0 and duration-string 0.5.3: 2 30s is 230 seconds"
