#!/usr/bin/env bash
# systemd 252 (Debian): `systemd-analyze security` prints a unit's exposure from 0 to 10, with one digit behind the
# point (9.6), and its option --threshold wants the same number from 0 to 100. So --threshold=10, meant to allow
# everything, is an exposure of 1.0 and fails every ordinary service; --threshold=9.6, the number as printed, is a syntax
# error. The manual names the default of 100 and no scale.
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
printf '[Service]\nExecStart=/bin/true\n' >finding.service
: >seen
for threshold in 96 95 10 9.6; do
    code=0
    said=$(analyze security --offline=true --threshold="$threshold" ./finding.service 2>&1) || code=$?
    echo "threshold $threshold: exit code $code, $(sed -n '$p' <<<"$said" | grep -o -e 'finding.service: [0-9.]*' -e 'Failed.*')" | tee -a seen
done
expected='threshold 96: exit code 0, finding.service: 9.6
threshold 95: exit code 1, finding.service: 9.6
threshold 10: exit code 1, finding.service: 9.6
threshold 9.6: exit code 1, Failed to parse threshold: 9.6'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other exit codes"; exit 1; }
echo "systemd 252: a threshold of 10 is an exposure of 1.0"
