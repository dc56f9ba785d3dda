#!/usr/bin/env bash
# etcd 3.4.23 (Debian): a lease is granted for a time of 0, for a negative one and for none at all. It is raised to
# the least that the election timeout allows, 2 s with the default timing. So a renewal time that was computed
# wrongly, or a misspelt "TTL" in the JSON of the gateway, is no error but a lease that ends at once. Too large a
# time is an error.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
etcd=
trap '[ -z "$etcd" ] || kill "$etcd" 2>/dev/null || true; ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q etcd-server=3.4.23-4+b4 >/dev/null 2>&1 || apt-get download -q etcd-server
dpkg -x etcd-server_*.deb root
root/usr/bin/etcd --version | sed -n 1p
ip netns add "$namespace"
ip -n "$namespace" link set lo up
ip netns exec "$namespace" root/usr/bin/etcd --data-dir data --listen-client-urls http://127.0.0.1:2379 \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 >log 2>&1 &
etcd=$!
ask() { ip netns exec "$namespace" curl -s -m 5 "http://127.0.0.1:2379/$1" ${2:+-d "$2"}; }
for _ in $(seq 100); do ask health | grep -q true && break; sleep 0.1; done
: >seen
for wish in '{"TTL":0}' '{"TTL":-5}' '{"ttl_seconds":60}' '{"TTL":9000000001}'; do
    granted=$(ask v3/lease/grant "$wish" | python3 -c 'import json,sys; said=json.load(sys.stdin); print(said.get("TTL") or said.get("error"))')
    echo "$wish: $granted" | tee -a seen
done
expected='{"TTL":0}: 2
{"TTL":-5}: 2
{"ttl_seconds":60}: 2
{"TTL":9000000001}: etcdserver: too large lease TTL'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other grants"; exit 1; }
echo "etcd 3.4.23: leases of 0, of less and of nothing are granted for 2 s"
