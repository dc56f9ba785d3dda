#!/usr/bin/env bash
# Prometheus 2.42.0 (Debian): `promtool check metrics` and the server of the same package read the text format with
# two different parsers. The format ignores spaces around a line. A space in front passes the check, and the server
# refuses the scrape: the target is down (the same with a capital letter in a type). A space at the end fails the
# check, and the server takes it (the same without a last line end, and with a TYPE that comes late). `#TYPE` without
# a space is a type for the check and a comment for the server. So the check, in the test of an exporter, neither
# proves nor excludes that a scrape works.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
files= prometheus=
trap 'for process in $files $prometheus; do kill "$process" 2>/dev/null || true; done; wait 2>/dev/null || true
    ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1 || apt-get download -q prometheus >/dev/null 2>&1
dpkg -x prometheus_*.deb root
root/usr/bin/prometheus --version 2>&1 | sed -n 1p
mkdir served
help='# HELP up_seconds Time.\n'
printf "$help# TYPE up_seconds gauge\nup_seconds 1\n" >served/plain
printf "$help# TYPE up_seconds gauge\n  up_seconds 1\n" >served/space-in-front
printf "$help# TYPE up_seconds Gauge\nup_seconds 1\n" >served/capital-type
printf "$help# TYPE up_seconds gauge\nup_seconds 1" >served/no-last-line-end
printf "$help# TYPE up_seconds gauge\nup_seconds 1 \n" >served/space-at-the-end
printf "${help}up_seconds 1\n# TYPE up_seconds gauge\n" >served/late-type
printf "$help#TYPE up_seconds wrong\nup_seconds 1\n" >served/type-without-space
cases="plain space-in-front capital-type no-last-line-end space-at-the-end late-type type-without-space"
{
    echo "scrape_configs:"
    for name in $cases; do
        printf -- "- job_name: %s\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  metrics_path: /%s\n" "$name" "$name"
        printf "  static_configs: [{targets: ['127.0.0.1:18080']}]\n"
    done
} >prometheus.yml
cat >serve.py <<'EOF'
import functools, http.server
class Handler(http.server.SimpleHTTPRequestHandler):
    def guess_type(self, path): return "text/plain; version=0.0.4"
    def log_message(self, *arguments): pass
handler = functools.partial(Handler, directory="served")
http.server.ThreadingHTTPServer(("127.0.0.1", 18080), handler).serve_forever()
EOF
ip netns add "$namespace"
ip -n "$namespace" link set lo up
ip netns exec "$namespace" python3 serve.py &
files=$!
ip netns exec "$namespace" root/usr/bin/prometheus --config.file=prometheus.yml --storage.tsdb.path=data \
    --web.listen-address=127.0.0.1:19090 >log 2>&1 &
prometheus=$!
cat >targets.py <<'EOF'
import json, sys
for target in json.load(sys.stdin)["data"]["activeTargets"]:
    print(target["labels"]["job"], target["health"])
EOF
for _ in $(seq 100); do
    sleep 0.2
    ip netns exec "$namespace" curl -s -m 2 http://127.0.0.1:19090/api/v1/targets | python3 targets.py >targets 2>/dev/null || continue
    [ -s targets ] && ! grep -q unknown targets && break
done
for name in $cases; do
    said=passes
    # 1 is a syntax error, 3 a piece of advice about names.
    root/usr/bin/promtool check metrics <"served/$name" >/dev/null 2>&1 || said="fails with $?"
    echo "$name: check $said, target $(sed -n "s/^$name //p" targets)"
done | tee seen
expected='plain: check passes, target up
space-in-front: check passes, target down
capital-type: check passes, target down
no-last-line-end: check fails with 1, target up
space-at-the-end: check fails with 1, target up
late-type: check fails with 1, target up
type-without-space: check fails with 1, target up'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other verdicts"; exit 1; }
echo "Prometheus 2.42.0: promtool's verdict is not the server's"
