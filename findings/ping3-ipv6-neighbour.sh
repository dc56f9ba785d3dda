#!/usr/bin/env bash
# ping3 5.1.6 (PyPI), IPv6, raw socket: the first ping of a neighbour that answers within a millisecond is a timeout, each
# time that its entry has left the neighbour table. The neighbour's advertisement comes in on the same socket before
# the reply; ping3 takes the two bytes where an echo has its identifier for one that the kernel has rewritten, as it
# does for datagram sockets, and from then on waits for another identifier than its own. icmplib 3.0.4 is not misled.
# A monitor that asks every few minutes over IPv6 thus sees a healthy router as dead; one that asks often doesn't.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
near=finding-$$-near far=finding-$$-far
trap 'for namespace in $near $far; do ip netns delete "$namespace" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install ping3==5.1.6 icmplib==3.0.4
ip netns add "$near"
ip netns add "$far"
ip link add left netns "$near" type veth peer name right netns "$far"
ip -n "$near" link set left up
ip -n "$far" link set right up
ip -n "$near" address add 2001:db8::1/64 dev left nodad
ip -n "$far" address add 2001:db8::2/64 dev right nodad
cat >finding.py <<'EOF'
import icmplib, ping3, subprocess
def flush():
    subprocess.run(["ip", "-6", "neighbour", "flush", "dev", "left"], check=True, capture_output=True)
def by_ping3():
    return "answers" if ping3.ping("2001:db8::2", timeout=1) else "timeout"
def by_icmplib():
    return "answers" if icmplib.ping("2001:db8::2", count=1, timeout=1).is_alive else "timeout"
by_icmplib()  # so that the link is up for sure
for attempt in (1, 2, 3):
    flush()
    unknown = by_ping3()
    print(f"{attempt}: ping3, neighbour unknown: {unknown}; known: {by_ping3()}")
    flush()
    print(f"{attempt}: icmplib, neighbour unknown: {by_icmplib()}")
EOF
sleep 1
ip netns exec "$near" python/bin/python finding.py | tee seen
expected=$(for attempt in 1 2 3; do
    echo "$attempt: ping3, neighbour unknown: timeout; known: answers"
    echo "$attempt: icmplib, neighbour unknown: answers"
done)
[ "$(cat seen)" = "$expected" ] || { echo "changed: other answers"; exit 1; }
echo "ping3 5.1.6: a neighbour advertisement makes it miss the reply"
