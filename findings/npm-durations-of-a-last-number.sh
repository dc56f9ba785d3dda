#!/usr/bin/env bash
# parse-duration 2.1.9 and timestring 7.0.0 (npm): three readings of `1h30`. parse-duration gives a number without a unit
# the next smaller one (an hour and a half; so `5s5` is 5.005 s), timestring drops it (an hour), systemd.time(7) and
# Rust's duration-str and fundu-systemd add it as seconds (an hour and thirty seconds). Both take a comma for nothing,
# so `1,5s`, 1.5 s for jiff, is 15 s; timestring drops a minus sign; for parse-duration `1h-5m` is 65 minutes, `1:30`
# is 1 ms and a bit, and a word that it doesn't know is no error. ms 2.1.3, which most programs have, refuses all but
# the minus sign.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --prefix . parse-duration@2.1.9 timestring@7.0.0 ms@2.1.3
cat >finding.mjs <<'EOF'
import ms from "ms";
import parse from "parse-duration";
import timestring from "timestring";
const attempt = (read, text) => {
    try { return read(text) ?? "refused"; } catch { return "refused"; }
};
for (const text of ["1h30m", "1h30", "5s5", "1,5s", "1h-5m", "-5s", "1:30", "10s soon"]) {
    const other = attempt(text => timestring(text, "ms"), text);
    console.log(`${text}: parse-duration ${attempt(parse, text)}, timestring ${other}, ms ${attempt(ms, text)}`);
}
EOF
node finding.mjs | tee seen
expected='1h30m: parse-duration 5400000, timestring 5400000, ms refused
1h30: parse-duration 5400000, timestring 3600000, ms refused
5s5: parse-duration 5005, timestring 5000, ms refused
1,5s: parse-duration 15000, timestring 15000, ms refused
1h-5m: parse-duration 3900000, timestring 3900000, ms refused
-5s: parse-duration -5000, timestring 5000, ms -5000
1:30: parse-duration 1.03, timestring refused, ms refused
10s soon: parse-duration 10000, timestring refused, ms refused'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other durations"; exit 1; }
echo "parse-duration 2.1.9 and timestring 7.0.0: 1h30 is 1.5 hours, or one"
