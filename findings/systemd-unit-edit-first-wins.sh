#!/usr/bin/env bash
# systemd-unit-edit 0.1.4 (crates.io) reads units in another way than systemd.unit(5) and systemd.exec(5) say:
# - of an option given twice `get` has the first value (systemd: the last), and of a section given twice only the first;
# - an empty assignment resets a list, but `get_all` drops the reset and keeps what it should have removed, and merging
#   drop-ins keeps an Environment= that a later one has emptied (of ExecStart= it is removed);
# - `value_as_list` splits at spaces inside quotes;
# - a comment between two continued lines, and a space before a key, are syntax errors;
# - `1m`, `1.5h` and `0` are no time spans.
# Who checks "is this unit started at boot, and with what" by it sees a unit that systemd doesn't run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p src finding.service.d
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
systemd-unit-edit = "=0.1.4"
EOF
cat >src/main.rs <<'EOF'
use systemd_unit_edit::{parse_timespan, SystemdUnit};
fn main() {
    let unit: SystemdUnit = "[Service]\nRestart=no\nRestart=always\nExecStartPre=/bin/old\nExecStartPre=\nExecStartPre=/bin/new\n\
        Environment=\"A=b c\" D=e\n[Service]\nUser=alice\n".parse().unwrap();
    let service = unit.get_section("Service").unwrap();
    println!("Restart {:?}, User {:?}", service.get("Restart"), service.get("User"));
    println!("ExecStartPre {:?}", service.get_all("ExecStartPre"));
    let environment = service.entries().find(|entry| entry.key().as_deref() == Some("Environment")).unwrap();
    println!("Environment {:?}", environment.value_as_list());
    let merged = SystemdUnit::from_file_with_dropins(std::path::Path::new("finding.service")).unwrap();
    let service = merged.get_section("Service").unwrap();
    println!("merged ExecStart {:?}, Environment {:?}", service.get_all("ExecStart"), service.get_all("Environment"));
    for text in ["[Unit]\nAfter=a.service \\\n# why\n  b.service\n", "[Unit]\n After=a.service\n"] {
        println!("{}", if text.parse::<SystemdUnit>().is_ok() { "taken" } else { "refused" });
    }
    for text in ["1min", "1m", "1.5h", "0"] {
        println!("{text}: {:?}", parse_timespan(text).map(|span| span.as_secs()).ok());
    }
}
EOF
printf '[Service]\nExecStart=/bin/old\nEnvironment=SECRET=1\n' >finding.service
printf '[Service]\nExecStart=\nExecStart=/bin/new\nEnvironment=\n' >finding.service.d/10-local.conf
cargo run --quiet >seen
cat seen
expected='Restart Some("no"), User None
ExecStartPre ["/bin/old", "/bin/new"]
Environment ["\"A=b", "c\"", "D=e"]
merged ExecStart ["/bin/new"], Environment ["SECRET=1"]
refused
refused
1min: Some(60)
1m: None
1.5h: None
0: None'
[ "$(cat seen)" = "$expected" ] || { echo "changed: another reading"; exit 1; }
echo "systemd-unit-edit 0.1.4: the first of two values wins"
