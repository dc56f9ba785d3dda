#!/usr/bin/env bash
# etcd 3.4.23 (Debian), JSON gateway: to renew a lease that has expired or never was is HTTP 200 with a result and no
# error; all that tells is that its TTL is missing. So a former leader that only looks at the status goes on to lead. (To
# revoke the same lease is an error.) A lock taken without a lease, or with lease 0, is granted with a lease of its own: 60
# seconds, renewed by nobody, and the answer doesn't have its number, so the holder loses the lock after a minute.
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
field() { python3 -c 'import json, sys
said = json.load(sys.stdin)
for name in sys.argv[1:]:
    said = said[int(name)] if name.isdigit() else said.get(name, "missing")
print(said)' "$@"; }
status() { ip netns exec "$namespace" curl -s -m 5 -o answer -w '%{http_code}' "http://127.0.0.1:2379/$1" -d "$2"; }
ask v3/lease/grant '{"ID":7,"TTL":60}' >answer
for lease in 7 8; do
    code=$(status v3/lease/keepalive "{\"ID\":$lease}")
    echo "renew $lease: $code, TTL $(field result TTL <answer), error $(field error <answer)" | tee -a seen
done
code=$(status v3/lease/revoke '{"ID":8}')
echo "revoke 8: $code, error $(field error <answer)" | tee -a seen
ask v3/lock/lock '{"name":"bGVhZGVy"}' >answer
key=$(field key <answer)
echo "lock: fields $(python3 -c 'import json; print(*sorted(json.load(open("answer"))))')" | tee -a seen
lease=$(ask v3/kv/range "{\"key\":\"$key\"}" | field kvs 0 lease)
# It would be renewed after a third of its time.
sleep 25
ask v3/lease/timetolive "{\"ID\":$lease}" >answer
left=$(field TTL <answer)
echo "lease of the lock: granted $(field grantedTTL <answer) s" | tee -a seen
[ "$left" -le 36 ] || { echo "changed: the lock's lease has $left s after 25 s"; exit 1; }
expected='renew 7: 200, TTL 60, error missing
renew 8: 200, TTL missing, error missing
revoke 8: 404, error etcdserver: requested lease not found
lock: fields header key
lease of the lock: granted 60 s'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other answers"; exit 1; }
echo "etcd 3.4.23: the renewal of a lost lease is no error"
