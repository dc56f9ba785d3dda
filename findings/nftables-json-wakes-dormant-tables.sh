#!/usr/bin/env bash
# nftables 1.0.6 (Debian): what `nft -j list ruleset` prints isn't the whole ruleset, and `nft -j -f` makes another
# one of it. The flag `dormant` of a table is left out: a table that was put to sleep (a fence that is prepared, not in
# force) filters as soon as its JSON is loaded. Comments of tables, chains and sets and a set's auto-merge are lost too,
# without a word. A netdev chain's JSON has no device, a synproxy object's and a map to address and port can't be read
# back: nft refuses its own output. The plain text of `nft list ruleset` is loaded as it was.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
trap 'ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
for package in nftables libnftables1; do
    apt-get download -q "$package=1.0.6-2+deb12u2" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
for package in libnftnl11 libjansson4 libedit2 libbsd0 libmd0 libmnl0 libxtables12; do
    apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
libraries=$(dirname "$(find root -name 'libnftables.so.1' | sed -n 1p)")
nft() { ip netns exec "$namespace" env LD_LIBRARY_PATH="$work/$libraries" root/usr/sbin/nft "$@"; }
ip netns add "$namespace"
ip -n "$namespace" link set lo up
connect() {
    ip netns exec "$namespace" python3 -c 'import socket
listener = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listener.getsockname(), timeout=1)' 2>/dev/null
}
connect
nft --version
try() {
    nft flush ruleset
    nft -f - <<<"$2"
    nft list ruleset >before
    nft -j list ruleset >json
    { echo "flush ruleset"; cat before; } | nft -f -
    nft list ruleset | cmp -s before - || { echo "changed: the text is loaded in another way"; exit 1; }
    nft flush ruleset
    if nft -j -f json 2>reason; then
        nft list ruleset >after
        echo "$1: lost$(diff before after | sed -n 's/^<[[:space:]]*/ /p' | tr -s '\n ' ' ' | sed 's/ *$//')"
    else
        echo "$1: refused, $(sed -n '1s/.*Error: //p' reason)"
    fi | tee -a seen
}
try dormant 'table inet fence { flags dormant; chain in { type filter hook input priority 0; policy drop; }; }'
answer=$(connect && echo connected || echo dropped)
echo "after the JSON of the dormant table: $answer" | tee -a seen
try comments 'table inet t { comment "of PC-B"; chain c { comment "x"; }; }'
try auto-merge 'table inet t { set s { type ipv4_addr; flags interval; auto-merge; }; }'
try netdev 'table netdev t { chain c { type filter hook ingress device "lo" priority 0; }; }'
try synproxy 'table inet t { synproxy s { mss 1460; wscale 7; }; }'
try map 'table ip t { map m { type inet_service : ipv4_addr . inet_service; }; }'
expected='dormant: lost flags dormant
after the JSON of the dormant table: dropped
comments: lost comment "of PC-B" comment "x"
auto-merge: lost auto-merge
netdev: refused, Missing `device'\'' in this chain definition
synproxy: refused, Unknown object passed to add command.
map: refused, Invalid map type '\''ipv4_addr . inet_service'\''.'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other losses"; exit 1; }
echo "nftables 1.0.6: the JSON of a dormant table is one that filters"
