#!/usr/bin/env bash
# GCC 12.2.0 (Debian), `-gbtf`, read with bpftool 7.1.0: BTF that is not what the source says, without a warning.
# An enumerator that doesn't fit a signed int is left out (0xffffffff, the usual "none" of a kernel interface, and all
# of 64 bits), so an enum can be empty; a negative one is 4294967291, since the enum isn't marked as signed; char and
# signed char have an encoding that bpftool doesn't know (signed and char at once); every function is static, also one
# that others call; a pointer to a function adds a function without a name. `-gbtf` is no drop-in for pahole or clang.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in gcc-12 cpp-12; do
    apt-get download -q "$package=12.2.0-14+deb12u1" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
apt-get download -q bpftool=7.1.0+6.1.192-3 >/dev/null 2>&1 || apt-get download -q bpftool >/dev/null 2>&1
for package in libisl23 libmpc3 libmpfr6 libgmp10; do apt-get download -q "$package" >/dev/null 2>&1; done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name 'libisl.so.23' | sed -n 1p)")
export LD_LIBRARY_PATH
cat >finding.c <<'EOF'
enum none { NONE = 0xffffffffu } a;
enum wide { LOW = 5, HIGH = 1ULL << 40 } b;
enum negative { BELOW = -5 } c;
char letter;
int (*callback)(int);
int shared(void) { return 1; }
EOF
root/usr/bin/gcc-12 --version | sed -n 1p
root/usr/bin/gcc-12 -Wall -Wextra -gbtf -c finding.c -o finding.o 2>warnings
[ ! -s warnings ] || { cat warnings; echo "changed: there is a warning"; exit 1; }
root/usr/sbin/bpftool btf dump file finding.o >dump
# Lines of enums, their enumerators, the letter and the functions, without their numbers.
sed -E 's/^\[[0-9]+\] //; s/type_id=[0-9]+/type_id/' dump | grep -E "^ENUM|	'(NONE|LOW|HIGH|BELOW)|^INT 'char'|^FUNC '" | tee seen
expected="ENUM 'none' encoding=UNSIGNED size=4 vlen=0
ENUM 'wide' encoding=UNSIGNED size=8 vlen=1
	'LOW' val=5
ENUM 'negative' encoding=UNSIGNED size=4 vlen=1
	'BELOW' val=4294967291
INT 'char' size=1 bits_offset=0 nr_bits=8 encoding=UNKN
FUNC '(anon)' type_id linkage=static
FUNC 'shared' type_id linkage=static"
[ "$(sort seen)" = "$(sort <<<"$expected")" ] || { echo "changed: other types"; exit 1; }
echo "GCC 12.2.0: -gbtf leaves enumerators out"
