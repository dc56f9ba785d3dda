#!/usr/bin/env bash
# Corosync 3.1.7 (Debian): `corosync -t`, "test configuration and exit", knows neither a misspelt option nor a misspelt
# section, nor the name of a quorum provider, and its exit code is 0. With `provider: corosync_votequorumm` the daemon
# then ends at once. With `quorumm {` it runs, without quorum: nothing stops either half of a cluster that is cut, and
# the log has no warning, it only lacks a line. (A value of the wrong kind, as in `token: 5s`, is an error.)
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
trap 'ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q corosync=3.1.7-1+deb12u2 >/dev/null 2>&1 || apt-get download -q corosync >/dev/null 2>&1
for package in libcfg7 libcmap4 libcpg4 libquorum5 libvotequorum8 libcorosync-common4 libknet1 libnozzle1 libqb100 \
    libstatgrab10 libnl-3-200 libnl-route-3-200; do
    apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$(find "$work/root" -name '*.so.*' -printf '%h\n' | sort -u | tr '\n' ':')
export LD_LIBRARY_PATH
root/usr/sbin/corosync -v | sed -n 1p
ip netns add "$namespace"
ip -n "$namespace" link set lo up
cat >run.sh <<'EOF'
# In a mount namespace of its own: what it writes goes away with it.
for folder in /var/lib /run /dev/shm; do mount -t tmpfs tmpfs "$folder"; done
mkdir -p /var/lib/corosync
tested=0
root/usr/sbin/corosync -t -c "$PWD/$1" >log 2>&1 || tested=$?
root/usr/sbin/corosync -f -c "$PWD/$1" >log 2>&1 &
daemon=$!
for _ in $(seq 100); do
    grep -q "ready to provide service" log && break
    kill -0 "$daemon" 2>/dev/null || break
    sleep 0.1
done
code=0
if grep -q "ready to provide service" log; then
    said="runs with $(sed -n 's/.*Using quorum provider //p' log | grep . || echo "no quorum")"
    kill "$daemon"
    wait "$daemon" || true
else
    wait "$daemon" || code=$?
    said="ends with $code"
fi
echo "$1: test $tested, $said"
EOF
configuration() {
    cat <<EOF
totem {
    version: 2
    cluster_name: finding
    transport: knet
    ${3:-token}: 5000
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        name: pc-a
        nodeid: 1
    }
    node {
        ring0_addr: 127.0.0.2
        name: pc-b
        nodeid: 2
    }
}
$1 {
    provider: $2
}
EOF
}
configuration quorum corosync_votequorum >right
configuration quorum corosync_votequorum tokenn >option
configuration quorum corosync_votequorumm >provider
configuration quorumm corosync_votequorum >section
for name in right option provider section; do
    ip netns exec "$namespace" unshare --mount bash run.sh "$name"
done | tee seen
expected='right: test 0, runs with corosync_votequorum
option: test 0, runs with corosync_votequorum
provider: test 0, ends with 20
section: test 0, runs with no quorum'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other verdicts"; exit 1; }
echo "Corosync 3.1.7: the test of a configuration passes a misspelt section"
