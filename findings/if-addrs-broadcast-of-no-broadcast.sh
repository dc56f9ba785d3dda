#!/usr/bin/env bash
# if-addrs 0.15.0 (crates.io) on Linux: an address that has no broadcast address is reported with one all the same.
# For 192.0.2.5/24 added without `brd` it is the address itself; for an address with a peer (a tunnel, a
# point-to-point link) it is the peer's, for IPv6 as well, which knows no broadcast; and `is_p2p` is false.
# The kernel sends no IFA_BROADCAST in either case; glibc puts what IFA_ADDRESS says into the union of
# ifa_broadaddr and ifa_dstaddr (getifaddrs(3)), and which of the two it is stands in the interface's flags alone.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
namespace=finding-$$
trap 'ip netns delete "$namespace" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
if-addrs = "=0.15.0"
END
cat >src/main.rs <<'END'
use if_addrs::IfAddr;
fn main() {
    for interface in if_addrs::get_if_addrs().unwrap() {
        let broadcast = match &interface.addr {
            IfAddr::V4(address) => address.broadcast.map(|broadcast| broadcast.to_string()),
            IfAddr::V6(address) => address.broadcast.map(|broadcast| broadcast.to_string()),
        };
        if interface.name == "left" && !interface.is_link_local() {
            println!("{} broadcast {broadcast:?} point-to-point {}", interface.ip(), interface.is_p2p);
        }
    }
}
END
cargo build --quiet
ip netns add "$namespace"
ip -n "$namespace" link add left type veth peer name right
ip -n "$namespace" link set left up
ip -n "$namespace" address add 192.0.2.5/24 dev left
ip -n "$namespace" address add 198.51.100.1 peer 198.51.100.2 dev left
ip -n "$namespace" address add 2001:db8::5 peer 2001:db8::6 dev left nodad
ip netns exec "$namespace" target/debug/finding | sort >seen
cat seen
expected='192.0.2.5 broadcast Some("192.0.2.5") point-to-point false
198.51.100.1 broadcast Some("198.51.100.2") point-to-point false
2001:db8::5 broadcast Some("2001:db8::6") point-to-point false'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other broadcast addresses"; exit 1; }
echo "if-addrs 0.15.0: addresses without a broadcast address have one: their own, or their peer's"
