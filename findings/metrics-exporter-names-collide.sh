#!/usr/bin/env bash
# metrics-exporter-prometheus 0.18.3 (crates.io) puts an underscore for what Prometheus doesn't allow in a name, and
# doesn't look whether two names are then one. Names with points are usual in `metrics`, so this is easily met:
# - probe.up and probe_up are one series with one of the values, or, if the labels' names differ as well, two lines;
# - a label a.b beside a_b is a label twice, a counter and a gauge of one name are two TYPE lines: the text is invalid,
#   and for such a pair the whole scrape is lost, all other metrics included (promtool 2.42.0, Debian);
# - the first digit of a name is not kept but replaced: 1_hour and 5_hour are both __hour.
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
metrics = "=0.24.6"
metrics-exporter-prometheus = { version = "=0.18.3", default-features = false }
EOF
cat >src/main.rs <<'EOF'
use metrics::{counter, gauge};
fn main() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let what = std::env::args().nth(1).unwrap();
    metrics::with_local_recorder(&recorder, || match what.as_str() {
        "series" => { gauge!("probe.up").set(1.0); gauge!("probe_up").set(0.0); }
        "lines" => { gauge!("up", "host.name" => "pc-a").set(1.0); gauge!("up", "host_name" => "pc-a").set(0.0); }
        "label" => gauge!("up", "host.name" => "pc-a", "host_name" => "pc-b").set(1.0),
        "type" => { counter!("tries").increment(1); gauge!("tries").set(1.0); }
        _ => { gauge!("1_hour").set(1.0); gauge!("5_hour").set(5.0); }
    });
    print!("{}", handle.render());
}
EOF
cargo build --quiet --target-dir built
: >seen
for name in series lines label type digit; do
    built/debug/finding "$name" >text
    code=0
    # 1 is a syntax error, 3 a piece of advice about names and help texts.
    root/usr/bin/promtool check metrics <text >/dev/null 2>&1 || code=$?
    # Which of two values is left is chance.
    lines=$(grep -v '^$' text | sed 's/^\(probe_up\|__hour\) [0-9]$/\1 one of two/' | sort | tr '\n' '|')
    echo "$name: $lines promtool $([ "$code" = 1 ] && echo refuses || echo takes) it" | tee -a seen
done
expected='series: # TYPE probe_up gauge|probe_up one of two| promtool takes it
lines: # TYPE up gauge|up{host_name="pc-a"} 0|up{host_name="pc-a"} 1| promtool takes it
label: # TYPE up gauge|up{host_name="pc-a",host_name="pc-b"} 1| promtool refuses it
type: # TYPE tries counter|# TYPE tries gauge|tries 1|tries 1| promtool refuses it
digit: # TYPE __hour gauge|__hour one of two| promtool takes it'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other texts"; exit 1; }
echo "metrics-exporter-prometheus 0.18.3: two names can become one"
