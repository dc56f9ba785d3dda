#!/usr/bin/env bash
# listeners 0.6.1 (crates.io): `get_process_by_port`, "the process listening on a given port", takes the first TCP socket
# that has this port at its own end, whatever its state, and IPv4 before IPv6. So it names a mere client whose
# connection happens to begin at the port, also where a server does listen on IPv6; and after a restart a connection in
# TIME_WAIT, which nobody owns, hides the listener: "No process found". Of two processes that share a listening
# socket (a server and its worker, a shell and its child), `get_process_by_port` names the one with the lower number
# and `get_all` only the other. netstat2 0.11.2 reports every socket with its state and all of its processes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
listeners = "=0.6.1"
netstat2 = "=0.11.2"
EOF
cat >src/main.rs <<'EOF'
use netstat2::{get_sockets_info, AddressFamilyFlags, ProtocolFlags, ProtocolSocketInfo, TcpState};
fn main() {
    let port: u16 = std::env::args().nth(1).unwrap().parse().unwrap();
    let by_port = listeners::get_process_by_port(port, listeners::Protocol::TCP)
        .map_or_else(|error| error.to_string(), |process| process.pid.to_string());
    let mut all: Vec<_> = listeners::get_all().unwrap().into_iter()
        .filter(|listener| listener.socket.port() == port && listener.state == listeners::SocketState::Listen)
        .map(|listener| listener.process.pid).collect();
    all.sort();
    let families = AddressFamilyFlags::IPV4 | AddressFamilyFlags::IPV6;
    let mut other = Vec::new();
    for socket in get_sockets_info(families, ProtocolFlags::TCP).unwrap() {
        if let ProtocolSocketInfo::Tcp(tcp) = &socket.protocol_socket_info {
            if tcp.local_port == port && tcp.state == TcpState::Listen { other.extend(socket.associated_pids); }
        }
    }
    other.sort();
    println!("by port {by_port}, all {all:?}, netstat2 {other:?}");
}
EOF
cargo build --quiet --target-dir built
cat >cases.py <<'EOF'
import os, re, socket, subprocess, sys
def ask(case, port, **names):
    said = subprocess.run(["built/debug/finding", str(port)], capture_output=True, text=True, check=True).stdout
    for name, pid in names.items():
        said = re.sub(rf"\b{pid}\b", name, said)
    print(f"{case}: {said}", end="", flush=True)
def spawn(code):
    """Another process that keeps what `code` made until its standard input is closed."""
    process = subprocess.Popen([sys.executable, "-c", f"import socket, sys\n{code}\nprint(flush=True)\nsys.stdin.read()"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process
def end(process):
    process.stdin.close()
    process.wait()

target = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(target.getsockname())
port = client.getsockname()[1]
ask("client alone", port, client=os.getpid())
server = spawn(f"server = socket.create_server(('::1', {port}), family=socket.AF_INET6)")
ask("client and server", port, client=os.getpid(), server=server.pid)
end(server)

server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
client = socket.create_connection(("127.0.0.1", port))
accepted, _ = server.accept()
accepted.close(); client.close(); server.close()
server = spawn(f"server = socket.create_server(('::1', {port}), family=socket.AF_INET6)")
ask("after a restart", port, server=server.pid)
end(server)

server = socket.create_server(("127.0.0.1", 0))
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.close(writing)
    os.read(reading, 1)
    os._exit(0)
os.close(reading)
names = sorted([os.getpid(), child])
ask("two processes", server.getsockname()[1], lower=names[0], higher=names[1])
os.close(writing)
os.wait()
EOF
python3 cases.py | tee seen
expected='client alone: by port client, all [], netstat2 []
client and server: by port client, all [server], netstat2 [server]
after a restart: by port No process found with the specified socket inode, all [server], netstat2 [server]
two processes: by port lower, all [higher], netstat2 [lower, higher]'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other processes"; exit 1; }
echo "listeners 0.6.1: the process listening on a port may be a client"
