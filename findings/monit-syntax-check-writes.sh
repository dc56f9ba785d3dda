#!/usr/bin/env bash
# monit 5.33.0 (Debian): `monit -t`, "run syntax check for the control file", writes: where there is no identity
# yet, it makes one and stores it as .monit.id in the caller's home directory (that of the account database: HOME
# changes nothing). A check in a build, or by another account, leaves that file behind.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root to put an empty file system over its home directory"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q monit=1:5.33.0-1 >/dev/null 2>&1
dpkg -x monit_*.deb root
cat >monitrc <<'END'
set daemon 30
check host gateway with address 127.0.0.1
    if failed port 18789 for 3 cycles then alert
END
chmod 600 monitrc
home=$(getent passwd 0 | cut -d: -f6)
# What it writes goes away with the mount namespace.
unshare --mount sh -c "mount -t tmpfs tmpfs '$home' && root/usr/bin/monit -t -c '$work/monitrc'; ls -A '$home'" | tee said
grep -q "Control file syntax OK" said || { echo "changed: the check no longer passes"; exit 1; }
grep -qx "\.monit\.id" said || { echo "changed: nothing is written"; exit 1; }
echo "monit 5.33.0: a syntax check wrote .monit.id into the home directory"
