#!/usr/bin/env bash
# openmetrics-parser 0.4.4 (crates.io): `parse_prometheus` reads the Prometheus text format by OpenMetrics' rules where
# the two differ, and refuses the whole exposition. `untyped` is the text format's own word for a metric without a
# type (Go's client writes it), and it is unknown here; two metrics without TYPE lines and a colon in a name (a
# recording rule's) are refused as well. Escapes of label values are not undone. `promtool check metrics` 2.42.0
# (Debian), which knows the format, takes all of them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -q prometheus=2.42.0+ds-5+deb12u1 >/dev/null 2>&1 || apt-get download -q prometheus >/dev/null 2>&1
dpkg -x prometheus_*.deb root
mkdir src
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
openmetrics-parser = "=0.4.4"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let text = std::io::read_to_string(std::io::stdin()).unwrap();
    match openmetrics_parser::prometheus::parse_prometheus(&text) {
        Err(_) => println!("refused"),
        Ok(exposition) => {
            let mut values = Vec::new();
            for family in exposition.families.values() {
                for sample in family.iter_samples() {
                    values.extend(sample.get_labelset().unwrap().iter().map(|(_, value)| value.to_owned()));
                }
            }
            println!("taken {}", values.join(" "));
        }
    }
}
EOF
cargo build --quiet
: >seen
try() {
    local by_promtool=taken
    # 1 is a syntax error, 3 a piece of advice about names and help texts.
    printf "$2" | root/usr/bin/promtool check metrics >/dev/null 2>&1 || [ $? = 3 ] || by_promtool=refused
    echo "$1: promtool $by_promtool, openmetrics-parser $(printf "$2" | cargo run --quiet)" | tee -a seen
}
try "type gauge" '# HELP up Up.\n# TYPE up gauge\nup 1\n'
try "type untyped" '# HELP up Up.\n# TYPE up untyped\nup 1\n'
try "two without types" 'up 1\ndown 0\n'
try "colon" 'host:up:sum 1\n'
try "escapes" 'up{path="C:\\\\bot"} 1\n'
expected='type gauge: promtool taken, openmetrics-parser taken 
type untyped: promtool taken, openmetrics-parser refused
two without types: promtool taken, openmetrics-parser refused
colon: promtool taken, openmetrics-parser refused
escapes: promtool taken, openmetrics-parser taken C:\\bot'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other answers"; exit 1; }
echo "openmetrics-parser 0.4.4: the text format's untyped is refused"
