#!/usr/bin/env bash
# lettre 0.11.23 (crates.io): `Message::builder()....body(text)` encodes the body as quoted-printable and declares that
# in Content-Transfer-Encoding, but writes neither a Content-Type nor a charset nor MIME-Version, by which that header
# counts (RFC 2045, 4). A reader then takes the default, us-ascii: in Python's email every letter that isn't ASCII is
# lost, so the alarm "PC-B übernimmt" is unreadable. With `.header(ContentType::TEXT_PLAIN)` the text survives;
# MIME-Version is missing all the same. Only multipart messages get one. The subject is encoded rightly in any case.
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
lettre = { version = "=0.11.23", default-features = false, features = ["builder"] }
EOF
cat >src/main.rs <<'EOF'
use lettre::message::{header::ContentType, MultiPart, Message};
use std::fs::write;
fn main() {
    let text = "PC-B übernimmt".to_owned();
    let builder = || Message::builder().from("pc-b@b.test".parse().unwrap()).to("ops@b.test".parse().unwrap()).subject(&text);
    write("plain", builder().body(text.clone()).unwrap().formatted()).unwrap();
    write("typed", builder().header(ContentType::TEXT_PLAIN).body(text.clone()).unwrap().formatted()).unwrap();
    let both = MultiPart::alternative_plain_html(text.clone(), text.clone());
    write("multipart", builder().multipart(both).unwrap().formatted()).unwrap();
}
EOF
cargo run --quiet
cat plain
PYTHONUTF8=1 python3 - >seen <<'EOF'
import email, email.policy
for name in ("plain", "typed", "multipart"):
    with open(name, "rb") as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    body = message.get_body(("plain",)).get_content().strip()
    print(f"{name}: MIME-Version {message['MIME-Version']}, {message['Content-Transfer-Encoding']}, subject {message['Subject']},",
          "text read" if body == "PC-B übernimmt" else f"text {ascii(body)}")
EOF
echo
cat seen
expected='plain: MIME-Version None, quoted-printable, subject PC-B übernimmt, text '"'PC-B \\ufffd\\ufffdbernimmt'"'
typed: MIME-Version None, quoted-printable, subject PC-B übernimmt, text read
multipart: MIME-Version 1.0, None, subject PC-B übernimmt, text read'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other headers or texts"; exit 1; }
echo "lettre 0.11.23: a plain body has an encoding but no charset"
