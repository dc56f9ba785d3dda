#!/usr/bin/env bash
# iproute2 6.1.0 (Debian): `ip -j route show table N` of a table that doesn't exist prints one opening bracket and
# no closing one, beside its exit code of 2; whoever parses standard output first gets a syntax error of JSON in
# place of the reason. `ip -j address show to PREFIX` keeps an empty object for each address that doesn't match.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
trap 'ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q iproute2=6.1.0-3 >/dev/null 2>&1
dpkg -x iproute2_*.deb root
ip=$work/root/sbin/ip
"$ip" -V
ip netns add "$namespace"
"$ip" -n "$namespace" link add left type veth peer name right
"$ip" -n "$namespace" link set left up
"$ip" -n "$namespace" address add 192.0.2.5/24 dev left
"$ip" -n "$namespace" address add 198.51.100.5/24 dev left
code=0
"$ip" -n "$namespace" -j route show table 99 >routes 2>reason || code=$?
echo "table 99: exit code $code, standard output '$(cat routes)', standard error '$(cat reason)'"
[ "$code" = 2 ] && [ "$(cat routes)" = '[' ] || { echo "changed: the answer of a missing table"; exit 1; }
"$ip" -n "$namespace" -j -4 address show dev left to 198.51.100.0/24 >addresses
objects=$(python3 -c 'import json; print([sorted(a)[:1] for a in json.load(open("addresses"))[0]["addr_info"]])')
echo "addresses in 198.51.100.0/24, first key of each object: $objects"
[ "$objects" = "[[], ['family']]" ] || { echo "changed: the objects of addresses that don't match"; exit 1; }
echo "iproute2 6.1.0: JSON that isn't closed for a missing table, an empty object for an address outside the prefix"
