#!/usr/bin/env bash
# `512M`, 512 MiB in a unit's MemoryMax= (systemd.resource-control(5)), read by others: bytesize 2.7.0 and byte-unit
# 5.2.6 (crates.io) 512,000,000 bytes; bytes 3.1.2 (npm), with which Express reads its limit of a request's body, 512
# bytes: it knows only units such as kb and mb, and takes the number before any other, so 1KiB is one byte, and a limit
# of `512M` refuses nearly everything. For human-size 0.4.4 (crates.io) 1KB is 1024 bytes, but 1kB is 1000 and 1MB
# a million. byte-unit, told to mind the case, has bits in `512Mb`: an eighth.
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
bytesize = "=2.7.0"
byte-unit = { version = "=5.2.6", default-features = false, features = ["std", "byte"] }
human-size = "=0.4.4"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    for text in ["512M", "512MB", "512Mb", "512MiB", "1KB", "1kB"] {
        let bytesize = text.parse::<bytesize::ByteSize>().map(|size| size.as_u64()).ok();
        let any = byte_unit::Byte::parse_str(text, true).map(|size| size.as_u64()).ok();
        let exact = byte_unit::Byte::parse_str(text, false).map(|size| size.as_u64()).ok();
        let human = text.parse::<human_size::Size>().map(|size| size.to_bytes()).ok();
        println!("{text}: bytesize {bytesize:?}, byte-unit {any:?} {exact:?}, human-size {human:?}");
    }
}
EOF
cargo run --quiet >seen
npm install --silent --no-audit --no-fund --prefix . bytes@3.1.2
node -e 'for (const text of ["512M", "512MB", "512MiB", "1KiB"]) console.log(`${text}: bytes ${require("bytes").parse(text)}`)' >>seen
cat seen
expected='512M: bytesize Some(512000000), byte-unit Some(512000000) Some(512000000), human-size None
512MB: bytesize Some(512000000), byte-unit Some(512000000) Some(512000000), human-size Some(512000000)
512Mb: bytesize Some(512000000), byte-unit Some(512000000) Some(64000000), human-size Some(512000000)
512MiB: bytesize Some(536870912), byte-unit Some(536870912) Some(536870912), human-size Some(536870912)
1KB: bytesize Some(1000), byte-unit Some(1000) Some(1000), human-size Some(1024)
1kB: bytesize Some(1000), byte-unit Some(1000) Some(1000), human-size Some(1000)
512M: bytes 512
512MB: bytes 536870912
512MiB: bytes 512
1KiB: bytes 1'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other sizes"; exit 1; }
echo "bytes 3.1.2: 512M is 512 bytes"
