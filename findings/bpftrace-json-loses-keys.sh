#!/usr/bin/env bash
# bpftrace 0.17.0 (Debian): in its JSON (`-f json`) the parts of a map's key are joined by commas, and a comma in a
# string is left as it is. So the keys ("a,b", "c") and ("a", "b,c"), two lines of the plain output, are one name
# twice in a JSON object, and every parser keeps one of the two and drops the other without an error: the names of
# processes are such strings. And max() of nothing but negative numbers, as of the errors that a function returned, has
# no entry at all, in both formats, as if the probe had never fired; min(), avg() and stats() have one.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root to load BPF programs"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q bpftrace=0.17.0-1 >/dev/null 2>&1 || apt-get download -q bpftrace >/dev/null 2>&1
for library in libbpfcc libclang1-14 libllvm14 libbpf1 libelf1 libz3-4; do apt-get download -q "$library" >/dev/null 2>&1; done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name 'libbcc_bpf.so.0' | sed -n 1p)")
export LD_LIBRARY_PATH
bpftrace() { timeout 120 root/usr/bin/bpftrace "$@" 2>errors || { cat errors; exit 2; }; }
bpftrace -V
keys='BEGIN { @served["a,b", "c"] = 2; @served["a", "b,c"] = 3; exit() }'
bpftrace -e "$keys" | grep '^@' | tee plain
bpftrace -f json -e "$keys" | grep '"map"' | tee json
parsed=$(python3 -c 'import json; print(json.load(open("json"))["data"]["@served"])')
echo "parsed: $parsed"
numbers='BEGIN { @max = max(-5); @mixed = max(-5); @mixed = max(2); @min = min(-5); @stats = stats(-5); exit() }'
bpftrace -e "$numbers" | grep '^@' | tee numbers
[ "$(wc -l <plain)" = 2 ] && [ "$parsed" = "{'a,b,c': 3}" -o "$parsed" = "{'a,b,c': 2}" ] || { echo "changed: other keys"; exit 1; }
expected='@min: -5
@mixed: 2
@stats: count 1, average -5, total -5'
[ "$(cat numbers)" = "$expected" ] || { echo "changed: other numbers"; exit 1; }
echo "bpftrace 0.17.0: two keys are one in JSON, and the greatest of negative numbers is missing"
