#!/usr/bin/env bash
# msmtp 1.8.23 and swaks 20201014.0 (Debian), an alarm to two people of whom one has left: where the server refuses one
# recipient, msmtp gives up before it has sent the text, so nobody gets the alarm, exit code 65. swaks sends it to the
# others, and its exit code is 0, so nobody hears that one address is dead. The same list of recipients in a
# configuration is a single point of failure with one, and a hidden fault with the other.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -q msmtp=1.8.23-1 >/dev/null 2>&1 || apt-get download -q msmtp >/dev/null 2>&1
apt-get download -q swaks=20201014.0-2 >/dev/null 2>&1 || apt-get download -q swaks >/dev/null 2>&1
for library in libgsasl18 libsecret-1-0 libidn12 libntlm0 libgssglue1; do apt-get download -q "$library" >/dev/null 2>&1; done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name 'libgsasl.so.18' | sed -n 1p)")
export LD_LIBRARY_PATH
cat >server.py <<'EOF'
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")
    def handle(self):
        self.say("220 mail.test")
        text = False
        for line in self.rfile:
            line = line.decode().rstrip("\r\n")
            if text:
                if line == ".":
                    text = False
                    with open("delivered", "a") as file:
                        file.write(self.recipients + "\n")
                    self.say("250 delivered")
            elif line.upper().startswith("MAIL"):
                self.recipients = ""
                self.say("250 go on")
            elif line.upper().startswith("RCPT TO:<GONE@"):
                self.say("550 no such user")
            elif line.upper().startswith("RCPT"):
                self.recipients += " " + line[8:]
                self.say("250 go on")
            elif line.upper() == "DATA":
                text = True
                self.say("354 go on")
            elif line.upper() == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 mail.test")
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
with open("port.new", "w") as file:
    file.write(str(server.server_address[1]))
import os
os.rename("port.new", "port")
server.serve_forever()
EOF
python3 server.py &
server=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
port=$(cat port)
by_msmtp() {
    printf 'Subject: PC-B took over\n\nPC-A is down.\n' |
        root/usr/bin/msmtp --file=/dev/null --host=127.0.0.1 --port="$port" --tls=off --auth=off --from=pc-b@b.test "$@"
}
by_swaks() {
    root/usr/bin/swaks --server 127.0.0.1 --port "$port" --from pc-b@b.test --to "$(IFS=,; echo "$*")" --body "PC-A is down."
}
: >seen
for program in msmtp swaks; do
    for recipients in "ops@b.test admin@b.test" "ops@b.test gone@b.test"; do
        code=0
        : >delivered
        # shellcheck disable=SC2086
        "by_$program" $recipients >said 2>&1 || code=$?
        echo "$program to $recipients: exit code $code, delivered to$(cat delivered)" | tee -a seen
    done
done
expected='msmtp to ops@b.test admin@b.test: exit code 0, delivered to <ops@b.test> <admin@b.test>
msmtp to ops@b.test gone@b.test: exit code 65, delivered to
swaks to ops@b.test admin@b.test: exit code 0, delivered to <ops@b.test> <admin@b.test>
swaks to ops@b.test gone@b.test: exit code 0, delivered to <ops@b.test>'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other deliveries"; exit 1; }
echo "msmtp 1.8.23: one refused recipient, and nobody gets the mail"
