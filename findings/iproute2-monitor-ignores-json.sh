#!/usr/bin/env bash
# iproute2 6.1.0 (Debian): `ip -j monitor` accepts -j and prints plain text all the same, with no word about it and
# no error; `ip -j address show` of the same address is JSON. Who follows address or link changes through a JSON
# parser gets nothing but syntax errors, and must read netlink itself.
# `tc -j` counts in other units than `tc`: a rate of 1 Mbit/s is `"rate":125000`, bytes a second, without a unit.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
monitor=
trap '[ -z "$monitor" ] || kill "$monitor" 2>/dev/null || true
    ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q iproute2=6.1.0-3 >/dev/null 2>&1
dpkg -x iproute2_*.deb root
ip=$work/root/sbin/ip
"$ip" -V
ip netns add "$namespace"
"$ip" -n "$namespace" link add left type veth peer name right
"$ip" -n "$namespace" -j monitor address >followed 2>&1 &
monitor=$!
# Its socket listens a moment after it begins: add addresses until one is reported.
for last in $(seq 5 100); do
    "$ip" -n "$namespace" address add "192.0.2.$last/24" dev left
    grep -q 192.0.2 followed && break
    sleep 0.1
done
sed -n 1p followed
"$ip" -n "$namespace" -j -4 address show dev left | python3 -m json.tool >/dev/null
sed -n 1p followed | grep -Eq '^[0-9]+: left +inet 192\.0\.2\.[0-9]+/24 ' || { echo "changed: no longer plain text"; exit 1; }
ip netns exec "$namespace" root/sbin/tc qdisc add dev left root tbf rate 1mbit burst 10k latency 50ms
ip netns exec "$namespace" root/sbin/tc qdisc show dev left
rate=$(ip netns exec "$namespace" root/sbin/tc -j qdisc show dev left | python3 -c 'import json,sys; print(json.load(sys.stdin)[0]["options"]["rate"])')
echo "the same rate in JSON: $rate"
[ "$rate" = 125000 ] || { echo "changed: another unit of rates"; exit 1; }
echo "iproute2 6.1.0: ip -j monitor prints text, tc -j bytes a second"
