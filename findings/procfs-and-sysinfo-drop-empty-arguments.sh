#!/usr/bin/env bash
# procfs 0.18.0 and sysinfo 0.38.4 (crates.io) lose the empty arguments of a command line, so `--token "" --bind lan`
# reads as if the token were `--bind`; sysinfo also cuts the white space off each argument's and each environment
# variable's ends. Who starts a process again as it was started, or asks whether two processes are the same
# program, gets another command. /proc/PID/cmdline and environ hold all of it, and psutil 3.3.0 (crates.io) tells it.
set -euo pipefail
work=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill "$process" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
procfs = { version = "=0.18.0", default-features = false }
psutil = { version = "=3.3.0", default-features = false, features = ["process"] }
sysinfo = { version = "=0.38.4", default-features = false, features = ["system"] }
EOF
cat >src/main.rs <<'EOF'
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
fn main() {
    let pid: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let process = procfs::process::Process::new(pid as i32).unwrap();
    println!("procfs {:?} {:?}", &process.cmdline().unwrap()[3..], process.environ().unwrap()[std::ffi::OsStr::new("MARK")]);
    let process = psutil::process::Process::new(pid).unwrap();
    println!("psutil {:?}", &process.cmdline_vec().unwrap().unwrap()[3..]);
    let mut system = System::new();
    let what = ProcessRefreshKind::everything();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[Pid::from_u32(pid)]), true, what);
    let process = system.process(Pid::from_u32(pid)).unwrap();
    println!("sysinfo {:?} {:?}", &process.cmd()[3..], process.environ());
}
EOF
cargo build --quiet --target-dir built
mkfifo pipe
env -i "MARK= x " "$(command -v sh)" -c 'read -r line <pipe' sh --token "" --bind " lan " &
process=$!
for _ in $(seq 100); do grep -qa token "/proc/$process/cmdline" && break; sleep 0.1; done
built/debug/finding "$process" | tee seen
expected='procfs ["sh", "--token", "--bind", " lan "] " x "
psutil ["sh", "--token", "", "--bind", " lan "]
sysinfo ["sh", "--token", "--bind", "lan"] ["MARK= x"]'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other arguments"; exit 1; }
echo "procfs 0.18.0 and sysinfo 0.38.4: an empty argument is no argument"
