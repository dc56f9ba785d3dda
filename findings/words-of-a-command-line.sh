#!/usr/bin/env bash
# A start command that is split "as a shell does it" by four libraries. shell-words 1.1.1 and shlex 1.3.0 (crates.io) drop
# a comment and join continued lines, as sh does. shellwords 1.1.0 (crates.io) does neither: `# why` are two arguments, and
# a backslash at a line's end is one, or an error within quotes. Python's shlex.split keeps the line feed at the front of
# the next word and passes the comment on. A backslash at the very end is an argument for sh, and an error for shlex and
# for Python. So a command of two lines starts a gateway with another option in each language.
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
shell-words = "=1.1.1"
shlex = "=1.3.0"
shellwords = "=1.1.0"
EOF
cat >src/main.rs <<'EOF'
fn main() {
    let line = std::env::args().nth(1).unwrap();
    println!("  shell-words {:?}", shell_words::split(&line).ok());
    println!("  shlex       {:?}", shlex::split(&line));
    println!("  shellwords  {:?}", shellwords::split(&line).ok());
}
EOF
cargo build --quiet --target-dir built
cat >words.py <<'EOF'
import json, shlex, subprocess, sys
line = sys.argv[1]
def shown(words): return f"Some({json.dumps(words)})" if words is not None else "None"
try:
    words = shlex.split(line)
except ValueError:
    words = None
print("  Python      " + shown(words))
said = subprocess.run(["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True).stdout
print("  sh          " + shown(said.split("\0")[:-1]))
EOF
: >seen
for line in 'bot run # why' $'bot \\\n--bind lan' $'bot "a \\\nb"' 'bot \'; do
    python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$line"
    built/debug/finding "$line"
    python3 words.py "$line"
done | tee seen
expected='"bot run # why"
  shell-words Some(["bot", "run"])
  shlex       Some(["bot", "run"])
  shellwords  Some(["bot", "run", "#", "why"])
  Python      Some(["bot", "run", "#", "why"])
  sh          Some(["bot", "run"])
"bot \\\n--bind lan"
  shell-words Some(["bot", "--bind", "lan"])
  shlex       Some(["bot", "--bind", "lan"])
  shellwords  Some(["bot", "\\", "--bind", "lan"])
  Python      Some(["bot", "\n--bind", "lan"])
  sh          Some(["bot", "--bind", "lan"])
"bot \"a \\\nb\""
  shell-words Some(["bot", "a b"])
  shlex       Some(["bot", "a b"])
  shellwords  None
  Python      Some(["bot", "a \\\nb"])
  sh          Some(["bot", "a b"])
"bot \\"
  shell-words Some(["bot", "\\"])
  shlex       None
  shellwords  Some(["bot", "\\"])
  Python      None
  sh          Some(["bot", "\\"])'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other words"; exit 1; }
echo "shellwords 1.1.0 and Python: a continued line isn't joined"
