#!/usr/bin/env bash
# systemd 252 (Debian): `systemd-analyze verify UNIT` ends with exit code 0 also where it says that a line is ignored,
# so a build that checks its unit with it passes `Restart=allways`. The manual says so (--recursive-errors), and with
# --recursive-errors=yes it is an error. But a misspelt capability is never mentioned, not even then, while a misspelt
# system call is: `AmbientCapabilities=CAP_NET_RAWW` is a service without the right to send a ping, found out only
# when it runs. A mandatory EnvironmentFile= that is missing and a User= that nobody has pass as well.
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
: >seen
try() {
    printf '[Service]\nExecStart=/bin/true\n%s\n' "$1" >finding.service
    local plain=0 strict=0 said
    said=$(analyze verify ./finding.service 2>&1) || plain=$?
    analyze verify --recursive-errors=yes ./finding.service >/dev/null 2>&1 || strict=$?
    echo "$1: $(grep -q finding.service <<<"$said" && echo warned || echo silent), exit code $plain, strict $strict" | tee -a seen
}
try Restart=always
try Restart=allways
try SystemCallFilter=openn
try AmbientCapabilities=CAP_NET_RAWW
try EnvironmentFile=/nonexistent/file
try User=nobody-has-this-name
expected='Restart=always: silent, exit code 0, strict 0
Restart=allways: warned, exit code 0, strict 1
SystemCallFilter=openn: warned, exit code 0, strict 1
AmbientCapabilities=CAP_NET_RAWW: silent, exit code 0, strict 0
EnvironmentFile=/nonexistent/file: silent, exit code 0, strict 0
User=nobody-has-this-name: silent, exit code 0, strict 0'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other verdicts"; exit 1; }
echo "systemd 252: verify's exit code is 0 for ignored lines, and a misspelt capability is never mentioned"
