#!/usr/bin/env bash
# surge-ping 0.9.1 (crates.io): `ping` returns Ok for a host that a router reports as unreachable, if it had to take a
# raw socket. It prefers a datagram socket, which the kernel gives only to the groups in net.ipv4.ping_group_range
# (none by default; systemd's sysctl files say all), and there the same report is a timeout. So `ping(...).await.is_ok()`
# as "the witness answers" depends on a sysctl: on one machine the dead witness is dead, on the next one the router's
# word that it's unreachable keeps it alive. Only the packet's ICMP type and source tell.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "needs root for a network namespace"; exit 2; }
work=$(mktemp -d)
near=finding-$$-near far=finding-$$-far
trap 'for namespace in $near $far; do ip netns delete "$namespace" 2>/dev/null || true; done; rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
surge-ping = "=0.9.1"
tokio = { version = "1", features = ["rt", "time", "net"] }
EOF
cat >src/main.rs <<'EOF'
use surge_ping::IcmpPacket;
async fn ask(host: &str) -> String {
    match surge_ping::ping(host.parse().unwrap(), b"hello").await {
        Ok((IcmpPacket::V4(packet), _)) => format!("Ok, type {} from {}", packet.get_icmp_type().0, packet.get_source()),
        Ok((IcmpPacket::V6(packet), _)) => format!("Ok, type {} from {}", packet.get_icmpv6_type().0, packet.get_source()),
        Err(error) => format!("Err, {error}"),
    }
}
fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for host in std::env::args().skip(1) {
        println!("{host}: {}", runtime.block_on(ask(&host)));
    }
}
EOF
cargo build --quiet --target-dir built
ip netns add "$near"
ip netns add "$far"
ip link add left netns "$near" type veth peer name right netns "$far"
ip -n "$near" link set left up
ip -n "$far" link set right up
ip -n "$near" address add 192.0.2.1/24 dev left
ip -n "$far" address add 192.0.2.2/24 dev right
ip -n "$near" address add 2001:db8::1/64 dev left nodad
ip -n "$far" address add 2001:db8::2/64 dev right nodad
ip -n "$near" route add default via 192.0.2.2
ip -n "$near" -6 route add default via 2001:db8::2
ip netns exec "$far" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
ip -n "$far" route add unreachable 198.51.100.0/24
ip -n "$far" -6 route add unreachable 2001:db8:1::/64
for groups in "1 0" "0 2147483647"; do
    ip netns exec "$near" sysctl -qw "net.ipv4.ping_group_range=$groups"
    echo "ping_group_range $groups"
    ip netns exec "$near" built/debug/finding 192.0.2.2 198.51.100.7 2001:db8:1::7
done | tee seen
expected='ping_group_range 1 0
192.0.2.2: Ok, type 0 from 192.0.2.2
198.51.100.7: Ok, type 3 from 192.0.2.2
2001:db8:1::7: Ok, type 1 from 2001:db8::2
ping_group_range 0 2147483647
192.0.2.2: Ok, type 0 from 192.0.2.2
198.51.100.7: Err, Request timeout for icmp_seq 0
2001:db8:1::7: Err, Request timeout for icmp_seq 0'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other answers"; exit 1; }
echo "surge-ping 0.9.1: with a raw socket, unreachable is Ok"
