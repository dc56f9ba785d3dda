#!/usr/bin/env bash
# apprise 2.3.0 (PyPI): a notice to a web server that answers 302 (a proxy that sends http to https, a moved path)
# counts as delivered, exit code 0, although its text is lost: the redirect is followed by a GET without a body, and
# whatever that answers with 200 (a start page) is taken for the receipt. With 307 the text arrives.
# Of two services of which one fails, the exit code is 4, not the 1 of a notice that nobody got.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install apprise==2.3.0
cat >server.py <<'END'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        print(self.command, self.path, b"PC-B took over" in body, flush=True)
        code = {"/302": 302, "/307": 307, "/500": 500}.get(self.path.rstrip("/"), 200)
        self.send_response(code)
        if code in (302, 307):
            self.send_header("Location", "/moved")
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_GET = do_POST = answer
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open("port", "w") as file:
    file.write(str(server.server_port))
server.serve_forever()
END
python/bin/python server.py >>requests &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
url=json://127.0.0.1:$(cat port)
notify() {
    local code=0
    python/bin/apprise --body "PC-B took over" "$@" >/dev/null 2>&1 || code=$?
    echo "exit code $code" >>requests
}
notify "$url/302"
notify "$url/307"
notify "$url/ok" "$url/500"
notify "$url/500"
cat requests
expected='POST /302 True
GET /moved False
exit code 0
POST /307 True
POST /moved True
exit code 0
exit code 4
exit code 1'
[ "$(grep -v -e /ok -e /500 requests)" = "$expected" ] || { echo "changed: other requests or exit codes"; exit 1; }
echo "apprise 2.3.0: after a 302 the text is lost and the exit code is 0"
