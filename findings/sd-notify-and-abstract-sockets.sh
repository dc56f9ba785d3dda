#!/usr/bin/env bash
# sd-notify 0.5.0 and sdnotify 0.2.0 (crates.io): a NOTIFY_SOCKET that begins with @ is an abstract socket (sd_notify(3)),
# as service managers in containers and in older user sessions hand it out; both crates open a file of that name, so the
# service never becomes ready there. libsystemd 0.7.2 knows it. A status text of two lines, as errors have, is sent with
# its line feed by sd-notify and libsystemd: the second line is an assignment of its own, and lost. WATCHDOG_USEC=0 is
# an error for sd_watchdog_enabled(3), and a watchdog of no time for both crates, so a loop that pings at half
# of it never sleeps.
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
sd-notify = "=0.5.0"
sdnotify = "=0.2.0"
libsystemd = "=0.7.2"
EOF
cat >src/main.rs <<'EOF'
use libsystemd::daemon;
use sd_notify::NotifyState;
fn main() {
    let text = "PC-A is down:\nconnection refused";
    let result = sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(text)]);
    println!("sd-notify {}, watchdog {:?}", result.is_ok(), sd_notify::watchdog_enabled());
    let result = sdnotify::SdNotify::from_env().and_then(|notify| Ok(notify.notify_ready()?));
    println!("sdnotify {}", result.is_ok());
    let result = daemon::notify(false, &[daemon::NotifyState::Ready, daemon::NotifyState::Status(text.to_owned())]);
    println!("libsystemd {}, watchdog {:?}", result.is_ok(), daemon::watchdog_enabled(false));
}
EOF
cargo build --quiet --target-dir built
cat >manager.py <<'EOF'
import os, socket, subprocess
for name in ("notify", f"@finding-{os.getpid()}"):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(name.replace("@", "\0"))
    environment = dict(os.environ, NOTIFY_SOCKET=name, WATCHDOG_USEC="0")
    print("abstract:" if name[0] == "@" else "path:", flush=True)
    subprocess.run(["built/debug/finding"], env=environment, check=True)
    manager.setblocking(False)
    try:
        while True:
            print(manager.recv(4096))
    except BlockingIOError:
        pass
EOF
python3 manager.py | tee seen
expected='path:
sd-notify true, watchdog Some(0ns)
sdnotify true
libsystemd true, watchdog Some(0ns)
b'\''READY=1\nSTATUS=PC-A is down:\nconnection refused\n'\''
b'\''READY=1'\''
b'\''READY=1\nSTATUS=PC-A is down:\nconnection refused\n'\''
abstract:
sd-notify false, watchdog Some(0ns)
sdnotify false
libsystemd true, watchdog Some(0ns)
b'\''READY=1\nSTATUS=PC-A is down:\nconnection refused\n'\'''
[ "$(cat seen)" = "$expected" ] || { echo "changed: other messages"; exit 1; }
echo "sd-notify 0.5.0 and sdnotify 0.2.0: an abstract socket is a missing file"
