#!/usr/bin/env bash
# btf 0.5.1 (crates.io) reads both halves of a 64-bit enumerator as signed numbers and joins them, so where bit 31 is
# set the upper half is lost: 0x1_8000_0000 becomes -0x8000_0000. The kernel has such ones: the mask BPF_F_INDEX_MASK,
# 0xffffffff in an enum of 64 bits, becomes -1, all 64 bits. An unsigned enum of 32 bits has negative values as well,
# although its own field says that it isn't signed. bpftool 7.1.0 (Debian) shows what is in the file, which is made here
# byte by byte as the kernel's documentation of BTF has it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q bpftool=7.1.0+6.1.192-3 >/dev/null 2>&1 || apt-get download -q bpftool >/dev/null 2>&1
dpkg -x bpftool_*.deb root
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
btf = "=0.5.1"
EOF
cat >src/main.rs <<'EOF'
use btf::btf::{Btf, Type};
fn main() {
    let btf = Btf::from_file("types").unwrap();
    for name in ["narrow", "wide"] {
        let (Type::Enum32(found) | Type::Enum64(found)) = &btf.get_type_by_name(name).unwrap().base_type else { panic!() };
        for entry in &found.entries {
            println!("{name} {} {} signed {}", entry.name.as_deref().unwrap(), entry.value, found.is_signed);
        }
    }
}
EOF
cat >make.py <<'EOF'
import struct
strings, offsets = b"\0", {}
def name(text):
    global strings
    offsets[text] = len(strings)
    strings += text.encode() + b"\0"
    return offsets[text]
def kind(number, count): return number << 24 | count
types = struct.pack("<III", name("narrow"), kind(6, 1), 4) + struct.pack("<II", name("NONE"), 0xffffffff)
types += struct.pack("<III", name("wide"), kind(19, 3), 8)
for text, value in (("INDEX_MASK", 0xffffffff), ("BIT", 0x1_8000_0000), ("UPPER", 1 << 40)):
    types += struct.pack("<III", name(text), value & 0xffffffff, value >> 32)
header = struct.pack("<HBBIIIII", 0xeb9f, 1, 0, 24, 0, len(types), len(types), len(strings))
open("types", "wb").write(header + types + strings)
EOF
python3 make.py
root/usr/sbin/bpftool btf dump file types | tee dump
cargo run --quiet >seen
cat seen
for value in "'NONE' val=4294967295" "'INDEX_MASK' val=4294967295" "'BIT' val=6442450944" "'UPPER' val=1099511627776"; do
    grep -q "$value" dump || { echo "changed: what bpftool reads"; exit 1; }
done
expected='narrow NONE -1 signed false
wide INDEX_MASK -1 signed false
wide BIT -2147483648 signed false
wide UPPER 1099511627776 signed false'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other values"; exit 1; }
echo "btf 0.5.1: bit 31 of a 64-bit enumerator replaces the upper half"
