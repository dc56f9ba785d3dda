#!/usr/bin/env bash
# Pacemaker 2.1.5 (Debian), the dates of its rules (maintenance windows, expiry of constraints), shown by its tool
# iso8601: an offset counts only behind a space, as in the manual's example. In `2026-11-29T12:00:00-05:00`, the form
# of RFC 3339 and of ISO 8601 itself, it is dropped without a word, and the time is taken in the machine's own zone: five
# hours early, and on two machines in two zones at two times. EST is dropped as well, and the time taken as UTC.
# `2026-11`, a month in ISO 8601, is the 11th day of the year. A duration without T is taken: `P1M30S` is a month
# and 30 seconds.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in pacemaker-cli-utils libcrmcommon34; do
    apt-get download -q "$package=2.1.5-1+deb12u1" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
for package in libqb100 libxml2 libicu72 libxslt1.1 libglib2.0-0 libgnutls30 libltdl7 libdbus-1-3; do
    apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
libraries=$(dirname "$(find root -name 'libcrmcommon.so.34' | sed -n 1p)")
read_date() { TZ=$1 LD_LIBRARY_PATH=$work/$libraries root/usr/sbin/iso8601 --date="$2" 2>&1 | sed 's/^Date: //'; }
: >seen
for date in "2026-11-29T12:00:00Z" "2026-11-29T12:00:00 -05:00" "2026-11-29T12:00:00-05:00" "2026-11-29 12:00:00 EST" "2026-11"; do
    echo "$date: $(read_date UTC "$date"), $(read_date UTC-1 "$date")" | tee -a seen
done
LD_LIBRARY_PATH=$work/$libraries root/usr/sbin/iso8601 --duration=P1M30S | tr -s ' ' | tee -a seen
expected='2026-11-29T12:00:00Z: 2026-11-29 12:00:00Z, 2026-11-29 12:00:00Z
2026-11-29T12:00:00 -05:00: 2026-11-29 17:00:00Z, 2026-11-29 17:00:00Z
2026-11-29T12:00:00-05:00: 2026-11-29 12:00:00Z, 2026-11-29 11:00:00Z
2026-11-29 12:00:00 EST: 2026-11-29 12:00:00Z, 2026-11-29 12:00:00Z
2026-11: 2026-01-11 00:00:00Z, 2026-01-11 00:00:00Z
Duration: 1 month 30 seconds'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other dates"; exit 1; }
echo "Pacemaker 2.1.5: an offset without a space in front is dropped"
