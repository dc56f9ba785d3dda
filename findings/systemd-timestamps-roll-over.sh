#!/usr/bin/env bash
# systemd 252 (Debian), the timestamps of `journalctl --since` and `systemd-analyze timestamp`: a day that the month
# doesn't have is another day (31 November is 1 December), without a word, so a search for an incident begins a day
# late; as a calendar event the same day never comes. A second of 60 rolls over as well, a minute of 60 is refused.
# RFC 3339's `2026-11-29T12:00:00Z`, which most logs write, is refused, and so is a time zone such as Europe/Berlin
# where it isn't the machine's own, while a calendar event takes one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in systemd libsystemd-shared; do
    apt-get download -q "$package=252.39-1~deb12u2" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name "libsystemd-shared-*.so" | sed -n 1p)")
export LD_LIBRARY_PATH
analyze() { root/usr/bin/systemd-analyze --no-pager "$@"; }
analyze --version | sed -n 1p
export TZ=UTC
: >seen
for time in "2026-11-31" "2026-11-31 12:00:60" "2026-11-29 12:60" "2026-11-29T12:00:00Z" "2026-11-29 12:00 Europe/Berlin"; do
    said=$(analyze timestamp "$time" 2>&1) || true
    said=$(sed -n -e 's/^ *Normalized form: *//p' -e 's/^Failed to parse.*/refused/p' <<<"$said")
    event=$(analyze calendar --base-time="2026-11-01 UTC" "$time" 2>&1) || true
    event=$(sed -n -e 's/^ *Next elapse: *//p' -e 's/^Failed to parse.*/refused/p' <<<"$event")
    echo "$time: timestamp $said, calendar event $event" | tee -a seen
done
expected='2026-11-31: timestamp Tue 2026-12-01 00:00:00 UTC, calendar event never
2026-11-31 12:00:60: timestamp Tue 2026-12-01 12:01:00 UTC, calendar event refused
2026-11-29 12:60: timestamp refused, calendar event refused
2026-11-29T12:00:00Z: timestamp refused, calendar event refused
2026-11-29 12:00 Europe/Berlin: timestamp refused, calendar event Sun 2026-11-29 11:00:00 UTC'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other times"; exit 1; }
echo "systemd 252: 31 November is 1 December, or never"
