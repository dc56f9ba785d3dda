#!/usr/bin/env bash
# Debian has two programs named arping: arping 2.23 and iputils-arping 20221126. Both take `arping -D -I DEVICE -c 2 -w 3
# ADDRESS`, by which a failover script asks whether an address is still in use before it takes it over, and their exit
# codes mean the opposite. iputils: -D is duplicate address detection, 0 is free and 1 is in use. arping: -D only draws
# answers as exclamation marks, 0 is an answer and 1 none. So with the other package the script takes an address that
# is in use, and leaves a free one. Announcing with -U ends with 0 in iputils, and with 1 in arping, since nobody answers.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
near=finding-$$-near far=finding-$$-far
trap 'for namespace in $near $far; do ip netns delete "$namespace" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
mkdir arping iputils
(cd arping && apt-get download -q arping=2.23-1 >/dev/null 2>&1 && apt-get download -q libnet1 libpcap0.8 libdbus-1-3 >/dev/null 2>&1)
(cd iputils && { apt-get download -q iputils-arping=3:20221126-1+deb12u1 || apt-get download -q iputils-arping; } >/dev/null 2>&1)
for package in */*.deb; do dpkg -x "$package" "${package%%/*}/root"; done
libraries=$work/$(dirname "$(find arping -name 'libnet.so.1' | sed -n 1p)")
ip netns add "$near"
ip netns add "$far"
ip link add left netns "$near" type veth peer name right netns "$far"
ip -n "$near" link set left up
ip -n "$far" link set right up
ip -n "$near" address add 192.0.2.1/24 dev left
ip -n "$far" address add 192.0.2.2/24 dev right
: >seen
try() {
    local of_arping=0 of_iputils=0
    ip netns exec "$near" env LD_LIBRARY_PATH="$libraries" arping/root/usr/sbin/arping "${@:2}" >/dev/null 2>&1 || of_arping=$?
    ip netns exec "$near" iputils/root/usr/bin/arping "${@:2}" >/dev/null 2>&1 || of_iputils=$?
    echo "$1: arping $of_arping, iputils $of_iputils" | tee -a seen
}
try "answers" -I left -c 2 -w 3 192.0.2.2
try "in use" -D -I left -c 2 -w 3 192.0.2.2
try "free" -D -I left -c 2 -w 3 192.0.2.9
try "announce" -U -I left -c 1 192.0.2.1
expected='answers: arping 0, iputils 0
in use: arping 0, iputils 1
free: arping 1, iputils 0
announce: arping 1, iputils 0'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other exit codes"; exit 1; }
echo "arping 2.23 and iputils-arping 20221126: -D has opposite exit codes"
