#!/usr/bin/env bash
# prometheus-client 0.25.2 (crates.io) writes a metric's help text as it is. A line feed in it ends the HELP line,
# and the rest of the text stands on a line of its own, which no scraper can parse: one help text of two lines
# costs the whole scrape. The formats want the two characters \n there (OpenMetrics 1.0, "escaped-string").
# Label values are escaped since 0.25.2; help texts are not.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
prometheus-client = "=0.25.2"
END
cat >src/main.rs <<'END'
use prometheus_client::{encoding::text::encode, metrics::{family::Family, gauge::Gauge}, registry::Registry};
fn main() {
    let mut registry = Registry::default();
    let gauge = Family::<Vec<(String, String)>, Gauge>::default();
    gauge.get_or_create(&vec![("host".to_owned(), "first\nsecond".to_owned())]).set(1);
    registry.register("up", "Is it up?\nIt is 1 where it is", gauge);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    print!("{text}");
}
END
cargo run --quiet >text
cat text
expected='# HELP up Is it up?
It is 1 where it is.
# TYPE up gauge
up{host="first\nsecond"} 1
# EOF'
[ "$(cat text)" = "$expected" ] || { echo "changed: the help text is written in another way"; exit 1; }
echo "prometheus-client 0.25.2: the second line of a help text stands alone, a label's line feed is escaped"
