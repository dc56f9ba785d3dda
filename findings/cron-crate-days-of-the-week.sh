#!/usr/bin/env bash
# cron 0.17.0 (crates.io) reads a line of crontab(5), with the seconds that it wants in front, on other days:
# - numbers of weekdays begin with 1 for Sunday, so `1-5` runs from Sunday to Thursday; 7 is Saturday; 0 is refused
#   (crontab(5): 0 and 7 are Sunday);
# - a day of the month and a day of the week must both fit (crontab(5): either). The "13th and every Friday" of
#   crontab(5) comes once in a year or two.
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
cron = "=0.17.0"
chrono = "=0.4.42"
END
cat >src/main.rs <<'END'
use std::str::FromStr;
fn main() {
    let from = chrono::DateTime::parse_from_rfc3339("2026-11-29T12:00:00Z").unwrap().to_utc(); // a Sunday
    for line in ["0 0 2 * * 1-5", "0 0 2 * * 7", "0 0 2 * * 0", "0 0 2 13 * Fri"] {
        match cron::Schedule::from_str(line) {
            Ok(schedule) => {
                let days: Vec<_> = schedule.after(&from).take(5).map(|day| day.format("%a %d %b %Y").to_string()).collect();
                println!("{line}: {}", days.join(", "));
            }
            Err(_) => println!("{line}: refused"),
        }
    }
}
END
cargo run --quiet >seen
cat seen
expected='0 0 2 * * 1-5: Mon 30 Nov 2026, Tue 01 Dec 2026, Wed 02 Dec 2026, Thu 03 Dec 2026, Sun 06 Dec 2026
0 0 2 * * 7: Sat 05 Dec 2026, Sat 12 Dec 2026, Sat 19 Dec 2026, Sat 26 Dec 2026, Sat 02 Jan 2027
0 0 2 * * 0: refused
0 0 2 13 * Fri: Fri 13 Aug 2027, Fri 13 Oct 2028, Fri 13 Apr 2029, Fri 13 Jul 2029, Fri 13 Sep 2030'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other days"; exit 1; }
echo "cron 0.17.0: 1-5 is Sunday to Thursday, and both days must fit"
