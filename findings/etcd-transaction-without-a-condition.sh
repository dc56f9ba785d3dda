#!/usr/bin/env bash
# etcd 3.4.23 (Debian), a leader election by transactions over the JSON gateway ("put my name if nobody's is there").
# The gateway drops fields that it doesn't know, so a transaction with `Compare` for `compare` has no condition and always
# succeeds: every machine is the leader. A comparison without `target` compares the version with 0, whatever revision
# or value stands beside it: "if mod_revision is still 7" succeeds where the key is gone, and fails where it is at 7.
# A transaction that failed says so by not having the field `succeeded`; there is no `false` to look for.
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
leader=bGVhZGVy pc_a=UEMtQQ== pc_b=UEMtQg==
put() { echo "\"success\":[{\"request_put\":{\"key\":\"$leader\",\"value\":\"$1\"}}]"; }
: >seen
try() {
    local name=$1 said
    said=$(ask v3/kv/txn "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin).get("succeeded"))')
    echo "$name: succeeded $said" | tee -a seen
}
missing="{\"key\":\"$leader\",\"target\":\"VERSION\",\"version\":\"0\"}"
try "PC-A" "{\"compare\":[$missing],$(put $pc_a)}"
try "PC-B" "{\"compare\":[$missing],$(put $pc_b)}"
try "PC-B, Compare" "{\"Compare\":[$missing],$(put $pc_b)}"
revision=$(ask v3/kv/range "{\"key\":\"$leader\"}" | python3 -c 'import json, sys; print(json.load(sys.stdin)["kvs"][0]["mod_revision"])')
unchanged="{\"key\":\"$leader\",\"mod_revision\":\"$revision\"}"
try "unchanged, no target" "{\"compare\":[$unchanged],$(put $pc_a)}"
ask v3/kv/deleterange "{\"key\":\"$leader\"}" >answer
try "gone, no target" "{\"compare\":[$unchanged],$(put $pc_a)}"
expected='PC-A: succeeded True
PC-B: succeeded None
PC-B, Compare: succeeded True
unchanged, no target: succeeded None
gone, no target: succeeded True'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other transactions succeed"; exit 1; }
echo "etcd 3.4.23: a misspelt comparison is a transaction that always succeeds"
