#!/usr/bin/env bash
# prometheus-parse 0.2.5 (crates.io) reads the text format by splitting lines at commas, equal signs and brackets,
# inside quotes too, and drops what doesn't fit without an error. A label value with a comma ends there, one with an
# equal sign loses its label (all such samples then look like one series), one with a closing brace loses the whole
# sample, and so do a space before the labels and a colon in a metric's name (a recording rule's). Escapes stay as
# they are: a Windows path keeps doubled backslashes. prometheus-client 0.26.0 (PyPI) reads all of them.
# A status page or a probe that asks another machine's metrics sees a healthy scrape with samples missing.
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
prometheus-parse = "=0.2.5"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let lines = std::io::stdin().lines();
    for sample in prometheus_parse::Scrape::parse(lines).unwrap().samples {
        let mut labels: Vec<_> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        labels.sort();
        println!("{} [{}]", sample.metric, labels.join(", "));
    }
}
EOF
cat >metrics <<'EOF'
plain{unit="bot.service"} 1
comma{command="openclaw gateway,--bind lan"} 1
equal{command="--port=18789"} 1
brace{path="/{name}"} 1
space {unit="bot.service"} 1
rule:rate5m 1
escape{path="C:\\bot"} 1
EOF
cat >read.py <<'EOF'
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open("metrics").read()):
    for sample in family.samples:
        print(sample.name, sorted(f"{name}={value}" for name, value in sample.labels.items()))
EOF
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install prometheus_client==0.26.0
cargo run --quiet <metrics >seen
cat seen
lines=$(python/bin/python read.py | wc -l)
echo "prometheus-client (PyPI): $lines samples"
[ "$lines" = 7 ] || { echo "changed: what Python's client reads"; exit 1; }
expected='plain [unit=bot.service]
comma [command=openclaw gateway]
equal []
escape [path=C:\\bot]'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other samples"; exit 1; }
echo "prometheus-parse 0.2.5: of 7 samples 4 are left, one whole"
